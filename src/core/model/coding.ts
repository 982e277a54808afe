import type { Fields } from './wire.ts'

/** The codings that are spoken, as gRPC and as HTTP and Connect list them. */
export const grpcCodings = 'identity,gzip'
export const httpCodings = 'gzip, identity'

const quality = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/**
 * How something is coded: `identity`, `gzip`, or whatever else the field names, in lower case and in the order in which it was applied
 * (RFC 9110 section 8.4; `x-gzip` is gzip).
 */
export function codingOf(values: readonly string[]): string {
  const codings = values.flatMap((value) => value.split(',')).map((value) => value.trim().toLowerCase())
  const applied = codings.filter((coding) => coding !== '' && coding !== 'identity').map((coding) => (coding === 'x-gzip' ? 'gzip' : coding))
  return applied.length === 0 ? 'identity' : applied.join(', ')
}

/** What somebody thinks of gzip. `only`: of plain bytes it wants to hear nothing. */
export type Liking = 'only' | 'yes' | 'no'

/**
 * Whether gzip may be answered, by a field like Accept-Encoding (RFC 9110 section 12.5.3): the greater `q` wins, gzip where they are equal.
 * A coding that is not named takes the `q` of `*`; without that one identity is taken, but likes to be replaced. Without the field, no.
 */
export function likingOfGzip(headers: Fields, name: string): Liking {
  const named = new Map<string, number>()
  for (const value of headers.all(name)) for (const [coding, q] of weighed(value)) named.set(coding, q)
  const gzip = named.get('gzip') ?? named.get('x-gzip') ?? named.get('*') ?? 0
  const identity = named.get('identity') ?? named.get('*')
  if (gzip === 0) return 'no'
  if (identity === 0) return 'only'
  return identity === undefined || gzip >= identity ? 'yes' : 'no'
}

function* weighed(value: string): Iterable<readonly [coding: string, q: number]> {
  for (const item of value.split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const q = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
    // A weight that is none says nothing about the coding.
    if (coding !== '' && quality.test(q)) yield [coding, Number(q)]
  }
}
