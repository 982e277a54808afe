import type { Path } from '../read/node.ts'
import { type Entry, type Linking, refuse } from './linking.ts'

/** Reports a time zone that this runtime does not know. */
export function checkZone<T>(linking: Linking, entry: Entry<T>, path: Path, zone: string): void {
  if (isZone(zone)) return
  refuse(linking, entry, path, {
    code: 'zone_unknown',
    message: `"${zone}" is not a time zone that is known here.`,
    hint: 'Write an IANA name, such as Europe/Berlin or UTC.',
  })
}

/** Asking the runtime costs more than linking the rest of a schedule. */
const known = new Set<string>()

function isZone(zone: string): boolean {
  if (known.has(zone)) return true
  try {
    const there = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== ''
    if (there) known.add(zone)
    return there
  } catch {
    return false
  }
}
