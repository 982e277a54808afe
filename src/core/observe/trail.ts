import type { Arrived } from '../model/exchange.ts'
import type { Fault } from '../model/fault.ts'
import type { Outbound } from '../model/wire.ts'
import type { Ports } from '../ports.ts'

/** Remembers how far a request got, so that the one record written about it is complete. */
export interface Trail<Far extends Arrived> {
  /** The furthest exchange. */
  readonly last: Arrived & Partial<Far>
  reach<X extends Arrived>(x: X): X
  /** Notes the fault that the answer was made from. */
  fail(fault: Fault): Fault
  /** Writes the record when the body of the answer has ended: sent whole, broken off, or given up by the downstream. */
  close(outbound: Outbound): Outbound
}
export declare function openTrail<Far extends Arrived>(
  wing: 'ingress' | 'egress',
  arrived: Arrived,
  ports: Pick<Ports, 'clock' | 'journal' | 'meter'>,
): Trail<Far>
