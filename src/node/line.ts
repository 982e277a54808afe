import type { JournalRecord } from '../core/ports.ts'

// What JSON.stringify leaves as it is although a terminal or a line reader would act on it.
const acted = /[\u007f-\u009f\u2028\u2029]/g

/** A record as one line of JSON, without the newline; members that are undefined are left out. (A serializer by concatenation was measured slower.) */
export function lineOf(record: JournalRecord): string {
  return JSON.stringify(record).replace(acted, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
