import { Fault } from '../../model/fault.ts'
import type { SecretRule } from '../../model/secret-rule.ts'
import { searchPattern } from '../../pattern.ts'
import type { Secrets } from '../../ports.ts'

/**
 * Reads the value behind a reference and holds it to its rule. @throws Fault `credential_unavailable` when it is missing, empty,
 * not of the shape that this environment's keys have, or could end the header it goes into. Why is internal: the caller
 * learns nothing about the key.
 */
export type ReadSecret = (rule: SecretRule) => Promise<string>

/** Builds the reader. Patterns are compiled once per rule. */
export function buildReadSecret(secrets: Secrets): ReadSecret {
  const checks = new WeakMap<SecretRule, (value: string) => string | undefined>()
  return async (rule) => {
    const check = checks.get(rule) ?? compileCheck(rule)
    checks.set(rule, check)
    let why = ''
    const value = await secrets.read(rule.reference).catch((error: unknown) => {
      // A vault has more than one reason; messages of these errors hold no value.
      if (rule.reference.startsWith('vault:') && error instanceof Error) why = ` (${error.message})`
      return ''
    })
    const problem = value === '' ? `is missing or empty${why}` : check(value)
    if (problem !== undefined) throw unavailable(`the secret ${rule.reference} ${problem}`)
    return value
  }
}

/** Compiles what a rule asks of a value; the check answers how the value fails, or undefined, and never quotes it. */
function compileCheck(rule: SecretRule): (value: string) => string | undefined {
  const wanted = rule.pattern === undefined ? undefined : searchPattern(rule.pattern)
  const forbidden = rule.forbidPattern === undefined ? undefined : searchPattern(rule.forbidPattern)
  return (value) => {
    if (hasControl(rule.lines === true ? value.replaceAll(/[\r\n\t]/g, '') : value)) return 'holds a control character'
    if (!value.isWellFormed()) return 'is not well-formed text'
    if (wanted !== undefined && !wanted(value)) return `does not fit its pattern ${rule.pattern}`
    return forbidden?.(value) === true ? `fits the forbidden pattern ${rule.forbidPattern}` : undefined
  }
}

/** C0 and DEL, line ends and NUL among them: no credential has them, every header injection does. */
export function hasControl(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}

/** The fault of every credential that cannot be had: nothing is sent without it. */
export function unavailable(internal: string): Fault {
  return new Fault('credential_unavailable', 'the credential of this service is not available', { internal, headers: [['retry-after', '1']] })
}
