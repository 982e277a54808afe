import type { Reply } from '../model/call.ts'
import type { Arrived, Matched, Metered, Permitted, Reading } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'
import type { Counters, Labels, Meter, Ports, Taken } from '../ports.ts'
import { chargeAnswer } from './limit/answer-cost.ts'
import type { Countable } from './limit/key.ts'
import { type Asked, ask, planLimits, type RoutePlan, type Stage, whenAllSettled, whenSettled } from './limit/plan.ts'
import { type Answered, answersOf, isNear, isOver, isUnavailable, readingOf, refusalOf, tooSmall } from './limit/refusal.ts'
import { type LimitReport, reportLimits } from './limit/report.ts'

export type { LimitReport } from './limit/report.ts'
export { keyForm, readWrittenKey } from './limit/written-key.ts'

/**
 * Counts the request against the limits of its route and fills `readings`, on a refusal too.
 * @throws Fault `rate_limited` when an enforced limit is over, `limiter_unavailable` when one that denies without its store
 * cannot be asked. A refused request has consumed nothing of the limits that are asked together. What counts requests at a time is given back
 * when the request is over.
 */
export interface Limit {
  (x: Permitted): Metered | Promise<Metered>
  /** The same for the limits that are asked before authentication; what they counted stays, whatever becomes of the request. */
  early(x: Matched): Matched | Promise<Matched>
  /** Charges what the upstream says the request cost above what was taken for it (`x-sallyport-cost`), which refuses nobody any more. Answers the reply, to be read instead. */
  charge(x: Metered, reply: Reply): Reply | Promise<Reply>
  /** Counts an answer of this status, when it is 401 or 403, against the limits on failures; nobody waits for their store. */
  answered(x: Arrived & Partial<Countable>, status: number): void
}

const metered: { readonly readings: readonly Reading[] } = { readings: [] }

/** Builds the room. A route without limits passes at once; with a store in memory the room stays synchronous. */
export function buildLimit(policy: Policy, ports: Pick<Ports, 'clock' | 'random' | 'counters' | 'meter'>): Limit {
  const plans = planLimits(policy)
  const { counters, meter, clock } = ports

  function limit(x: Permitted): Metered | Promise<Metered> {
    const plan = plans.get(x.route.name)
    return plan === undefined ? Object.assign(x, metered) : whenSettled(pass(plan.late, x), (readings) => Object.assign(x, { readings }))
  }

  function early(x: Matched): Matched | Promise<Matched> {
    const plan = plans.get(x.route.name)
    if (plan === undefined) return x
    const guarded = isEmpty(plan.failures) ? x : guard(plan.failures, x)
    return isEmpty(plan.early) ? guarded : whenSettled(guarded, () => whenSettled(pass(plan.early, x), (readings) => Object.assign(x, { readings })))
  }

  /** Refuses while too many have failed. Those who may go on are told nothing: how many tries are left is for nobody to know. */
  function guard({ enforced, audited }: Stage, x: Matched): Matched | Promise<Matched> {
    const asked = ask([...enforced, ...audited], x)
    if (asked.length === 0) return x
    return whenSettled(counters.peek(asked.map((one) => one.descriptor)), (taken) => {
      const over = answersOf(asked, taken).filter((answer) => isOver(answer) || isUnavailable(answer))
      if (over.length === 0) return x
      Object.assign(x, { readings: over.map((answer) => readingOf(answer, false, clock)) })
      const refusing = over.filter(({ limit: { mode } }) => mode === 'enforce')
      for (const answer of over) if (answer.limit.mode === 'audit') count(meter, answer.limit.name, 'would_refuse')
      for (const answer of refusing) countOutcome(meter, answer, false)
      if (refusing.length > 0) throw refusalOf(refusing, refusing[0]?.limit.name, x.readings ?? [], ports)
      return x
    })
  }

  function answered(x: Arrived & Partial<Countable>, status: number): void {
    if ((status !== 401 && status !== 403) || !isMatched(x)) return
    const stage = plans.get(x.route.name)?.failures
    if (stage === undefined) return
    // One by one: one that is over must not keep another from counting.
    for (const { descriptor } of ask([...stage.enforced, ...stage.audited], x)) void counters.take([descriptor])
  }

  /** All readings of the request so far. */
  function pass(stage: Stage, x: Matched): readonly Reading[] | Promise<readonly Reading[]> {
    const enforced = ask(stage.enforced, x)
    const small = enforced.find(({ size, descriptor }) => descriptor.cost > size.quota)
    if (small !== undefined) {
      count(meter, small.limit.name, 'too_small')
      throw tooSmall(small)
    }
    return whenSettled(take(counters, enforced), (taken) => {
      keep(taken, x)
      const answers = answersOf(enforced, taken)
      const readings = [...(x.readings ?? []), ...answers.map((answer) => readingOf(answer, taken.allowed, clock))]
      for (const answer of answers) countOutcome(meter, answer, taken.allowed)
      // Audit limits are taken one by one, after: one that is over must not keep another from counting, and a refused request counts nowhere.
      if (taken.allowed) return whenSettled(watch(stage, x, ports), (watched) => [...readings, ...watched])
      Object.assign(x, { readings })
      throw refusalOf(answers, taken.refusedBy, readings, ports)
    })
  }

  function charge(x: Metered, reply: Reply): Reply | Promise<Reply> {
    const limits = plans.get(x.route.name)?.charged ?? []
    return limits.length === 0 ? reply : chargeAnswer(limits, x, reply, ports)
  }

  return Object.assign(limit, { early, answered, charge })
}

function isEmpty({ enforced, audited }: Stage): boolean {
  return enforced.length + audited.length === 0
}

/** What was refused before it had a route counts nowhere. */
function isMatched(x: Arrived & Partial<Countable>): x is Countable {
  return x.route !== undefined
}

/** What `explain` asks: how the limits of a request stand, without taking. */
export interface ReportLimits {
  (x: Permitted): readonly LimitReport[] | Promise<readonly LimitReport[]>
  early(x: Matched): readonly LimitReport[] | Promise<readonly LimitReport[]>
}

export function buildLimitReport(policy: Policy, ports: Pick<Ports, 'counters'>): ReportLimits {
  const plans = planLimits(policy)
  const report = (stageIn: (plan: RoutePlan) => Stage) => (x: Matched) => {
    const plan = plans.get(x.route.name)
    return plan === undefined ? [] : reportLimits(stageIn(plan), x, ports.counters)
  }
  const early = report(({ failures, early }) => ({ enforced: [...failures.enforced, ...early.enforced], audited: [...failures.audited, ...early.audited] }))
  return Object.assign(
    report((plan) => plan.late),
    { early },
  )
}

const nothingTaken: Taken = { allowed: true, refusedBy: undefined, readings: [] }

function take(counters: Counters, asked: readonly Asked[]): Taken | Promise<Taken> {
  return asked.length === 0 ? nothingTaken : counters.take(asked.map((one) => one.descriptor))
}

function watch(
  stage: Stage,
  x: Matched,
  { counters, meter, clock }: Pick<Ports, 'counters' | 'meter' | 'clock'>,
): readonly Reading[] | Promise<readonly Reading[]> {
  if (stage.audited.length === 0) return metered.readings
  const readings = ask(stage.audited, x).map((one) =>
    whenSettled(counters.take([one.descriptor]), (taken) => {
      keep(taken, x)
      count(meter, one.limit.name, taken.allowed ? 'allowed' : 'would_refuse')
      const answers = answersOf([one], taken)
      if (taken.allowed) for (const answer of answers) countNear(meter, answer)
      return answers.map((answer) => readingOf(answer, taken.allowed, clock))
    }),
  )
  return whenAllSettled(readings, (all) => all.flat())
}

/** Places that a take holds are held until the request is over, however it ends. */
function keep({ release }: Taken, x: Matched): void {
  if (release !== undefined) x.lifeline.onOver(release)
}

/** A store without numbers cannot say. */
function countNear(meter: Meter, { limit, size, taken }: Answered): void {
  if (taken.coarse !== true && isNear(taken.remaining, size.quota)) meter.count('sallyport_limit_near_total', { limit: limit.name })
}

function countOutcome(meter: Meter, answer: Answered, allowed: boolean): void {
  const { name } = answer.limit
  if (allowed) {
    count(meter, name, 'allowed')
    countNear(meter, answer)
  } else if (isUnavailable(answer)) count(meter, name, 'unavailable')
  else if (isOver(answer)) count(meter, name, 'refused')
}

function count(meter: Meter, limit: string, outcome: 'allowed' | 'refused' | 'unavailable' | 'would_refuse' | 'too_small'): void {
  const labels: Labels = { limit, outcome }
  meter.count('sallyport_limit_outcomes_total', labels)
}
