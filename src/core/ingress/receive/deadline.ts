import { Fault } from '../../model/fault.ts'
import type { Fields } from '../../model/wire.ts'

/** A header that states how long the downstream waits, and how to read it: milliseconds, or undefined when malformed. */
export interface TimeoutHeader {
  readonly name: string
  readonly read: (text: string) => number | undefined
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 }

/** gRPC over HTTP/2 (1 to 8 digits and a unit), Connect (at most 10 digits), and Google's REST header (seconds). */
export const ingressTimeouts: readonly TimeoutHeader[] = [
  { name: 'grpc-timeout', read: readGrpcTimeout },
  { name: 'connect-timeout-ms', read: (text) => (isDigits(text, 10) ? Number(text) : undefined) },
  { name: 'x-server-timeout', read: readSeconds },
]

export const egressTimeouts: readonly TimeoutHeader[] = [{ name: 'x-egress-timeout-ms', read: (text) => (isDigits(text, 10) ? Number(text) : undefined) }]

/** Milliseconds until the downstream gives up: the least that it states, Infinity when it states nothing. @throws Fault `request_invalid` */
export function readTimeout(fields: Fields, headers: readonly TimeoutHeader[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const { name, read } of headers) {
    const text = fields.get(name)
    if (text === undefined) continue
    const ms = read(text)
    if (ms === undefined) throw new Fault('request_invalid', `${name} is malformed`)
    least = Math.min(least, ms)
  }
  return least
}

function readGrpcTimeout(text: string): number | undefined {
  const digits = text.slice(0, -1)
  const unit = Object.hasOwn(unitMs, text.slice(-1)) ? unitMs[text.slice(-1)] : undefined
  return unit !== undefined && isDigits(digits, 8) ? Number(digits) * unit : undefined
}

/** Digits with at most one point: no sign, no exponent. */
function readSeconds(text: string): number | undefined {
  const [whole = '', fraction, more] = text.split('.')
  const fits = more === undefined && isDigits(whole, 10) && (fraction === undefined || isDigits(fraction, 10))
  return fits ? Number(text) * 1000 : undefined
}

function isDigits(text: string, most: number): boolean {
  if (text.length === 0 || text.length > most) return false
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x30 || text.charCodeAt(i) > 0x39) return false
  return true
}
