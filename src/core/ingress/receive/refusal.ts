import type { Arrival } from '../../model/exchange.ts'
import { Fault, type FaultCode } from '../../model/fault.ts'

/**
 * A fault of the guard. Over HTTP/1 the connection ends with it: whoever frames or addresses one request ambiguously is not
 * trusted to frame the next. HTTP/2 frames streams apart from their content (RFC 9113 section 8.1.1), so its connection stays.
 */
export function refusal(arrival: Arrival, code: FaultCode, message: string, headers: readonly (readonly [name: string, value: string])[] = []): Fault {
  return new Fault(code, message, { close: arrival.httpVersion !== '2', ...(headers.length === 0 ? {} : { headers }) })
}
