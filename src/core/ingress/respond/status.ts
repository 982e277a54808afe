import type { Translated } from '../../model/exchange.ts'

/** google.rpc.Code by number: its name, and the HTTP status that google.rpc.Code documents for it. */
const codes: readonly (readonly [name: string, http: number])[] = [
  ['OK', 200],
  ['CANCELLED', 499],
  ['UNKNOWN', 500],
  ['INVALID_ARGUMENT', 400],
  ['DEADLINE_EXCEEDED', 504],
  ['NOT_FOUND', 404],
  ['ALREADY_EXISTS', 409],
  ['PERMISSION_DENIED', 403],
  ['RESOURCE_EXHAUSTED', 429],
  ['FAILED_PRECONDITION', 400],
  ['ABORTED', 409],
  ['OUT_OF_RANGE', 400],
  ['UNIMPLEMENTED', 501],
  ['INTERNAL', 500],
  ['UNAVAILABLE', 503],
  ['DATA_LOSS', 500],
  ['UNAUTHENTICATED', 401],
]

/** Codes whose messages tell about the inside of a service. */
const inward: ReadonlySet<number> = new Set([2, 13])

/** HTTP status of a gRPC status; 500 for numbers that are no code. */
export function httpStatusOf(code: number): number {
  return codes[code]?.[1] ?? 500
}

/** `NOT_FOUND`; `UNKNOWN` for numbers that are no code. */
export function codeName(code: number): string {
  return codes[code]?.[0] ?? 'UNKNOWN'
}

/** HTTP status of an error of the service. With an If-Match that it was told of, FAILED_PRECONDITION is about that one (RFC 9110 section 13.1.1). */
export function errorStatus(code: number, { request, route }: Pick<Translated, 'request' | 'route'>): number {
  const { etag } = route.translate
  const isConditional = etag !== undefined && etag !== false && request.headers.has('if-match') && request.headers.get('if-match') !== '*'
  return code === 9 && isConditional ? 412 : httpStatusOf(code)
}

/** Whether message and details of this code are kept from the downstream: INTERNAL, UNKNOWN, and what is no code. */
export function isInward(code: number): boolean {
  return inward.has(code) || codes[code] === undefined
}
