import type { ApiKeyRecord } from '../core/model/api-key-record.ts'
import type { ApiKeySet } from '../core/policy/policy.ts'
import { openKeyFile } from './api-keys/file.ts'
import { openKeysInRedis } from './api-keys/redis.ts'

/** One record as it was read and as it shall be; `before` undefined: it is new. */
export interface KeyChange {
  readonly before: ApiKeyRecord | undefined
  readonly after: ApiKeyRecord
}

/** The records of one set, for whoever makes and revokes keys. */
export interface KeyStore {
  list(): Promise<readonly ApiKeyRecord[]>
  /** Makes all changes or none. @throws Error when a record is no longer as it was read, and when the store cannot be written. */
  change(changes: readonly KeyChange[]): Promise<void>
  close(): void
}

/** Opens where a set keeps its keys. @throws Error when Redis is needed and none is named, or does not answer. */
export async function openKeyStore(set: ApiKeySet, redisUrl: string | undefined): Promise<KeyStore> {
  if (set.store.kind === 'file') return openKeyFile(set.store.reference.slice('file:'.length))
  if (redisUrl === undefined) throw new Error('the keys are in Redis, and none is named: set REDIS_URL, or what store.redis names')
  return openKeysInRedis(redisUrl, set.name)
}
