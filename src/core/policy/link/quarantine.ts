import type { Linking } from './linking.ts'

/**
 * Why an object cannot serve, or undefined: its own first error, or that of something it needs, however far away.
 * Ask only after every check has run.
 */
export function buildQuarantine({ report, needs }: Pick<Linking, 'report' | 'needs'>): (object: string) => string | undefined {
  const known = new Map<string, string | undefined>()
  const reasonOf = (object: string): string | undefined => {
    if (known.has(object)) return known.get(object)
    known.set(object, undefined)
    let reason = report.brokenBy(object)
    for (const other of reason === undefined ? (needs.get(object) ?? []) : []) {
      const why = reasonOf(other)
      if (why === undefined) continue
      reason = why.includes(' is broken: ') ? why : `${other} is broken: ${why}`
      break
    }
    known.set(object, reason)
    return reason
  }
  return reasonOf
}
