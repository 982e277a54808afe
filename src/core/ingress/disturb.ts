import type { Arrived, Steered } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { FaultInjection } from '../model/fault-injection.ts'
import { FieldList } from '../model/fields.ts'
import { inTime } from '../model/in-time.ts'
import type { Outbound } from '../model/wire.ts'
import type { MetricName } from '../observe/metrics.ts'
import { compileFieldTests } from '../pattern.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'

export interface Disturb {
  /**
   * Delays or aborts a request where its route says so, and notes it in `injected`. Undefined at once for every other.
   * @throws Fault `fault_injected`, or why the request ended while it was delayed: `deadline_exceeded`, for one
   */
  (x: Steered): Promise<void> | undefined
  /** Says in the answer of a disturbed request, good or bad, what was done to it. */
  mark(last: Arrived & Partial<Steered>, answer: Outbound): Outbound
}

type DisturbPorts = Pick<Ports, 'clock' | 'random' | 'meter'>

const counted = 'sallyport_faults_injected_total' satisfies MetricName

/** Builds the room that injects faults for tests of resilience. In an environment of class prod it injects none, whatever the routes say. */
export function buildDisturb(policy: Policy, ports: DisturbPorts): Disturb {
  const plans = new Map<string, (x: Steered) => Promise<void> | undefined>()
  if (policy.environmentClass !== 'prod') {
    for (const { name, faults, quarantined } of policy.routes) if (faults !== undefined && quarantined === undefined) plans.set(name, planOf(faults, ports))
  }
  const disturb = (x: Steered) => plans.get(x.route.name)?.(x)
  return Object.assign(disturb, { mark })
}

function planOf({ headers, delay, abort }: FaultInjection, ports: DisturbPorts): (x: Steered) => Promise<void> | undefined {
  const fits = compileFieldTests(headers)
  const { random, meter } = ports
  return (x) => {
    if (!fits((name) => x.request.headers.all(name))) return undefined
    const delayMs = delay !== undefined && random.unit() < delay.share ? delay.ms : undefined
    const status = abort !== undefined && random.unit() < abort.share ? abort.status : undefined
    if (delayMs === undefined && status === undefined) return undefined
    Object.assign(x, { injected: { delayMs, status: status?.http } })
    if (delayMs !== undefined) meter.count(counted, { route: x.route.name, kind: 'delay' })
    if (status !== undefined) meter.count(counted, { route: x.route.name, kind: 'abort' })
    return inflict(x, delayMs, status, ports)
  }
}

async function inflict(
  x: Steered,
  delayMs: number | undefined,
  status: { readonly http: number; readonly grpc: number } | undefined,
  { clock }: DisturbPorts,
): Promise<void> {
  if (delayMs !== undefined) {
    let timer: { cancel(): void } | undefined
    const over = new Promise<void>((resolve) => {
      timer = clock.after(delayMs, resolve)
    })
    await inTime(x, over, clock).finally(() => timer?.cancel())
  }
  if (status !== undefined) throw new Fault('fault_injected', 'the policies of this environment inject this fault', { status })
}

function mark({ injected }: Arrived & Partial<Steered>, answer: Outbound): Outbound {
  if (injected === undefined) return answer
  const parts = [injected.delayMs === undefined ? [] : [`delay=${injected.delayMs}`], injected.status === undefined ? [] : [`abort=${injected.status}`]].flat()
  return { ...answer, headers: new FieldList(answer.headers.entries()).set('x-sallyport-fault', parts.join(', ')) }
}
