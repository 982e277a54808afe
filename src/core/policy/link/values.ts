import type { FieldTest } from '../../model/field-test.ts'
import type { Sticky } from '../../model/sticky.ts'
import { parseAuthority } from '../../net.ts'
import type { FieldTestsDocument } from '../document/routes.ts'
import type { Address } from '../linked/listeners.ts'
import { parseDuration, parsePercent, parseSize } from '../units.ts'

/*
 * From the text of a checked document to linked values. The schema has refused everything else before, so what does not parse
 * here is a defect of the loader, which denies: zero time, zero bytes, a share of nothing.
 */

/** Milliseconds. */
export function ms(text: string): number {
  return parseDuration(text) ?? 0
}

export function bytes(text: string): number {
  return parseSize(text) ?? 0
}

export function share(text: string): number {
  return parsePercent(text) ?? 0
}

export function addressOf(text: string): Address {
  const parsed = parseAuthority(text)
  return 'problem' in parsed ? { host: '', port: 0 } : { host: parsed.host, port: parsed.port ?? 0 }
}

/** Header names are lower-case already; the order is the file's. */
export function fieldTests(tests: FieldTestsDocument | undefined): readonly FieldTest[] {
  return Object.entries(tests ?? {}).map(([name, test]) => (typeof test === 'string' ? { name, exact: test } : fieldTest(name, test)))
}

function fieldTest(name: string, { exact, prefix, present, pattern }: Exclude<FieldTestsDocument[string], string>): FieldTest {
  // Members that are not given are not there at all: the linked shape has no undefined ones.
  return Object.assign(
    { name },
    exact === undefined ? {} : { exact },
    prefix === undefined ? {} : { prefix },
    present === undefined ? {} : { present },
    pattern === undefined ? {} : { pattern },
  )
}

/** `claim.sub` → `sub`; undefined when it begins otherwise. */
export function after(text: string, prefix: string): string | undefined {
  return text.startsWith(prefix) ? text.slice(prefix.length) : undefined
}

/** Who stays in one place. */
export function stickyOf(said: string | undefined): Sticky | undefined {
  if (said === undefined) return undefined
  const [claim, header, cookie] = [after(said, 'claim.'), after(said, 'header.'), after(said, 'cookie.')]
  if (claim !== undefined) return { kind: 'claim', path: claim }
  if (header !== undefined) return { kind: 'header', name: header }
  return cookie === undefined ? { kind: 'client' } : { kind: 'cookie', name: cookie }
}
