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

/** Whether message and details of this code are kept from the downstream: INTERNAL, UNKNOWN, and what is no code. */
export function isInward(code: number): boolean {
  return inward.has(code) || codes[code] === undefined
}
