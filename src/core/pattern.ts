import { RE2JS } from 're2js'
import type { FieldTest } from './model/field-test.ts'

/** A sentence about what is wrong with an RE2 pattern, or undefined. */
export function checkPattern(source: string): string | undefined {
  try {
    RE2JS.compile(source)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : 'it is not an RE2 pattern'
  }
}

/** Tests whole values against an RE2 pattern, in time linear in the value. @throws Error for what `checkPattern` refuses. */
export function compilePattern(source: string): (value: string) => boolean {
  const pattern = RE2JS.compile(source)
  return (value) => pattern.testExact(value)
}

/** Looks for an RE2 pattern anywhere in a value. @throws Error for what `checkPattern` refuses. */
export function searchPattern(source: string): (value: string) => boolean {
  const pattern = RE2JS.compile(source)
  return (value) => pattern.test(value)
}

/**
 * Compiles tests of headers or query parameters: all must hold. One test holds when one of the values passes everything it
 * asks of the value; a test that asks nothing asks for presence, and `present: false` for absence. Header names are
 * asked for as the tests spell them (lower-case in a linked policy).
 */
export function compileFieldTests(tests: readonly FieldTest[]): (get: (name: string) => readonly string[]) => boolean {
  const compiled = tests.map(compileFieldTest)
  return (get) => {
    for (const test of compiled) if (!test(get)) return false
    return true
  }
}

function compileFieldTest(test: FieldTest): (get: (name: string) => readonly string[]) => boolean {
  const { name, exact, prefix, present } = test
  if (present === false) return (get) => get(name).length === 0
  const pattern = test.pattern === undefined ? undefined : compilePattern(test.pattern)
  const fits = (value: string) =>
    (exact === undefined || value === exact) && (prefix === undefined || value.startsWith(prefix)) && (pattern === undefined || pattern(value))
  return (get) => get(name).some(fits)
}

/** What a test asks of its field, in words that follow "must be": `present`, `"v2"`, `a text that begins with "v"`. */
export function wordsOfFieldTest({ exact, prefix, present, pattern }: FieldTest): string {
  if (present === false) return 'absent'
  const asked = [
    exact === undefined ? [] : [JSON.stringify(exact)],
    prefix === undefined ? [] : [`a text that begins with ${JSON.stringify(prefix)}`],
    pattern === undefined ? [] : [`a text that fits ${pattern}`],
  ].flat()
  return asked.length === 0 ? 'present' : asked.join(' and ')
}

/** The values that a field has, in words that follow "is"; each cut to a bearable length. */
export function wordsOfField(values: readonly string[]): string {
  if (values.length === 0) return 'absent'
  return values.map((value) => JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)).join(' and ')
}

/** Whether a host (lower-case, no port) is the pattern, or fits `*.example.com`, where the star is exactly one label. */
export function hostMatches(pattern: string, host: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === host
  const dot = host.indexOf('.')
  return dot > 0 && host.length - dot === pattern.length - 1 && host.endsWith(pattern.slice(1))
}
