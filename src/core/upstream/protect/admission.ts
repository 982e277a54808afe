import { Fault } from '../../model/fault.ts'
import type { MetricName } from '../../observe/metrics.ts'
import type { Clock, Meter } from '../../ports.ts'
import { remainingMs } from '../deadline.ts'
import type { Shipment } from '../shipment.ts'

type AdmissionPorts = { readonly clock: Clock; readonly meter: Meter }
type Job = Pick<Shipment, 'group' | 'caps' | 'oneEach' | 'shield' | 'label' | 'deadline' | 'x'>

const names = {
  active: 'sallyport_upstream_active_requests',
  held: 'sallyport_upstream_held_back_total',
  pending: 'sallyport_upstream_pending_requests',
} as const satisfies Record<string, MetricName>

/** A request that is under way. */
export interface Admitted {
  /** Its answer begins, or there is none: what an adaptive limit counts ends here, as the time that it looks at does. Called once. */
  answered(): void
  /** Nothing of it is under way any more. */
  over(): void
}

/**
 * Lets a request in, at once or after it has waited for a place, and counts it.
 * @throws Fault `deadline_exhausted` when the time that is left is not enough, `deadline_exceeded` when it passed in the line, `overloaded` where there is
 * neither a place nor room to wait
 */
export async function admit(job: Job, ports: AdmissionPorts): Promise<Admitted> {
  const { group, label, shield } = job
  const { clock, meter } = ports
  const refuse = (reason: string, fault: Fault) => {
    meter.count(names.held, { cluster: label, reason })
    return fault
  }
  const leftMs = remainingMs(job.deadline, clock.ticks())
  if (shield.isHopeless(leftMs, clock.ticks())) throw refuse('deadline', tooLittle(label, leftMs))
  const count = (by: 1 | -1) => {
    group.active += by
    meter.gauge(names.active, group.active, { cluster: label })
  }
  let part: ((now: number) => void) | undefined
  const enter = () => {
    count(1)
    part = shield.join()
  }
  const { requests, pending = 0 } = job.caps
  // Over HTTP/1.1 a request has a connection to itself: it waits here, in the order of arrival, and not for a connection.
  const most = Math.min(requests, job.oneEach === true ? (job.caps.connections ?? requests) : requests)
  const underCap = () => group.active < most
  const fits = () => underCap() && shield.hasRoom
  if (fits()) enter()
  else {
    const why = underCap() ? 'concurrency' : most < requests ? 'connections' : 'cap'
    if (group.waiting.length >= pending) throw refuse(pending > 0 ? 'pending' : why, full(label, why))
    await waitIn(job, { fits, enter }, ports)
  }
  return {
    answered() {
      part?.(clock.ticks())
      if (part !== undefined) group.waiting.next()
    },
    over() {
      count(-1)
      group.waiting.next()
    },
  }
}

async function waitIn({ group, label, x, deadline }: Job, turn: { fits: () => boolean; enter: () => void }, { clock, meter }: AdmissionPorts): Promise<void> {
  const waits = group.waiting.join({ ...turn, lifeline: x.lifeline, until: deadline.at }, clock)
  const tell = () => meter.gauge(names.pending, group.waiting.length, { cluster: label })
  tell()
  try {
    await waits
  } finally {
    tell()
  }
}

function tooLittle(label: string, leftMs: number): Fault {
  return new Fault('deadline_exhausted', 'too little time is left', { internal: `${leftMs} ms are left, and ${label} hardly ever answers so soon` })
}

function full(label: string, why: string): Fault {
  const internal = why === 'concurrency' ? `${label} takes no more at a time` : `cap of ${label} reached: ${why === 'cap' ? 'requests' : why}`
  return new Fault('overloaded', 'too many requests are under way', { headers: [['retry-after', '1']], internal })
}
