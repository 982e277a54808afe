import type { MetricName } from '../../observe/metrics.ts'
import { remainingMs } from '../deadline.ts'
import type { SendPorts, Shipment } from '../shipment.ts'

/** Leave for one try to begin. */
export interface Admission {
  readonly leftMs: number
  readonly pass: ReturnType<Shipment['shield']['enter']>
}

const held: MetricName = 'sallyport_upstream_held_back_total'

/** What begins a try. @throws Fault where none may begin: `circuit_open`, `deadline_exhausted` */
export function admit(job: Shipment, ports: SendPorts): Admission {
  return { leftMs: remainingMs(job.deadline, ports.clock.ticks()), pass: passOf(job, ports) }
}

/** @throws Fault `circuit_open` */
function passOf({ shield, label }: Shipment, { clock, meter }: SendPorts): Admission['pass'] {
  try {
    return shield.enter(clock.ticks())
  } catch (error) {
    meter.count(held, { cluster: label, reason: 'breaker' })
    throw error
  }
}
