import { delay } from '../model/delay.ts'
import type { Injected, Placed } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import type { Lifeline } from '../model/lifeline.ts'
import { pause } from '../model/pause.ts'
import type { Outbound } from '../model/wire.ts'
import type { MetricName } from '../observe/metrics.ts'
import type { Policy } from '../policy/policy.ts'
import type { Clock, Ports } from '../ports.ts'

export interface Disturb {
  /**
   * Does to a placed call what its target says about faults, and notes it in `injected`; nothing has been called then. Undefined at once for every
   * other. @throws Fault `upstream_reset`, `fault_injected`, `deadline_exceeded`, or why the request ended while it was delayed
   */
  (x: Placed): Promise<void> | undefined
  /** Says in the answer of a disturbed call, good or bad, what was done to it, and hands it over as slowly as was decided. */
  shape(x: { readonly lifeline: Lifeline; readonly injected?: Injected | undefined }, answer: Outbound): Outbound
}

const counted = 'sallyport_faults_injected_total' satisfies MetricName

/** Builds the room that injects faults between a workload and its vendor. In an environment of class prod it injects none, whatever the targets say. */
export function buildDisturb(
  { environmentClass }: Pick<Policy, 'environmentClass'>,
  { clock, random, meter }: Pick<Ports, 'clock' | 'random' | 'meter'>,
): Disturb {
  function disturb(x: Placed): Promise<void> | undefined {
    const faults = 'faults' in x.target ? x.target.faults : undefined
    if (faults === undefined || environmentClass === 'prod') return undefined
    const hits = <F extends { readonly share: number }>(fault: F | undefined) => (fault !== undefined && random.unit() < fault.share ? fault : undefined)
    const [latency, reset, status, bandwidth] = [hits(faults.latency), hits(faults.reset), hits(faults.status), hits(faults.bandwidth)]
    const kinds = Object.entries({ latency, reset, status, bandwidth }).flatMap(([kind, fault]) => (fault === undefined ? [] : [kind]))
    if (kinds.length === 0) return undefined
    const injected: Injected = {
      delayMs: latency?.ms,
      status: reset === undefined ? status?.status : undefined,
      reset: reset !== undefined,
      bytesPerSecond: bandwidth?.bytes,
    }
    Object.assign(x, { injected })
    for (const kind of kinds) meter.count(counted, { route: x.service.name, kind })
    return inflict(x, injected, clock)
  }

  function shape(x: Parameters<Disturb['shape']>[0], answer: Outbound): Outbound {
    const { injected } = x
    if (injected === undefined) return answer
    const headers = new FieldList(answer.headers.entries()).set('x-sallyport-fault', wordsOf(injected))
    const { bytesPerSecond } = injected
    const body = answer.body === undefined || bytesPerSecond === undefined ? answer.body : slowly(answer.body, bytesPerSecond, x.lifeline, clock)
    return { ...answer, headers, body }
  }

  return Object.assign(disturb, { shape })
}

async function inflict(x: Placed, { delayMs, status, reset }: Injected, clock: Clock): Promise<void> {
  if (delayMs !== undefined) await delay(x, delayMs, clock)
  if (reset === true) throw new Fault('upstream_reset', 'the policies of this environment break this call off')
  if (status !== undefined) throw new Fault('fault_injected', 'the policies of this environment inject this fault', { status: { http: status, grpc: 14 } })
}

function wordsOf({ delayMs, status, reset, bytesPerSecond }: Injected): string {
  return [
    delayMs === undefined ? [] : [`delay=${delayMs}`],
    reset === true ? ['reset'] : [],
    status === undefined ? [] : [`abort=${status}`],
    bytesPerSecond === undefined ? [] : [`bandwidth=${bytesPerSecond}`],
  ]
    .flat()
    .join(', ')
}

/** So many pieces in a second: a slow vendor trickles, it does not stall. */
const piecesPerSecond = 20

async function* slowly(body: NonNullable<Outbound['body']>, bytesPerSecond: number, lifeline: Lifeline, clock: Clock): AsyncGenerator<Uint8Array> {
  const most = Math.max(1, Math.ceil(bytesPerSecond / piecesPerSecond))
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    for (let at = 0; at < chunk.length; at += most) {
      const piece = chunk.subarray(at, at + most)
      await pause((piece.length * 1_000) / bytesPerSecond, lifeline, clock)
      yield piece
    }
  }
}
