import type { JournalRecord, JournalValue } from '../core/ports.ts'

/** A value of a record as text; nothing for what is not there, JSON for lists and maps. */
export function textOf(value: JournalValue): string {
  if (value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** A member of a record that the trail writes as a map; empty when it is not there. */
export function mapOf(value: JournalValue): JournalRecord {
  // Array.isArray does not narrow readonly arrays, so the map is named here.
  return typeof value === 'object' && !Array.isArray(value) ? (value as JournalRecord) : {}
}
