import { isDeepStrictEqual } from 'node:util'
import type { ApiKeyRecord } from '../../core/model/api-key-record.ts'

/** Whether two records say the same; none is the same as none. */
export function sameRecord(one: ApiKeyRecord | undefined, other: ApiKeyRecord | undefined): boolean {
  // Through JSON: what is read has no prototypes, and members that are undefined are not there.
  return isDeepStrictEqual(plain(one), plain(other))
}

function plain(record: ApiKeyRecord | undefined): unknown {
  return record === undefined ? undefined : JSON.parse(JSON.stringify(record))
}
