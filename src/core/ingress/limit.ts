import type { Metered, Permitted, Reading } from '../model/exchange.ts'
import type { Policy } from '../policy/policy.ts'
import type { Counters, Labels, Meter, Ports, Taken } from '../ports.ts'
import { type Asked, ask, planLimits, type RoutePlan, whenAllSettled, whenSettled } from './limit/plan.ts'
import { type Answered, answersOf, isOver, isUnavailable, readingOf, refusalOf } from './limit/refusal.ts'
import { type LimitReport, reportLimits } from './limit/report.ts'

export type { LimitReport } from './limit/report.ts'

/**
 * Counts the request against the limits of its route and fills `readings`, on a refusal too.
 * @throws Fault `rate_limited` when an enforced limit is over, `limiter_unavailable` when one that denies without its store
 * cannot be asked. A refused request has consumed nothing. What counts requests at a time is given back when the request is over.
 */
export type Limit = (x: Permitted) => Metered | Promise<Metered>

const metered: { readonly readings: readonly Reading[] } = { readings: [] }

/** Builds the room. A route without limits passes at once; with a store in memory the room stays synchronous. */
export function buildLimit(policy: Policy, ports: Pick<Ports, 'clock' | 'random' | 'counters' | 'meter'>): Limit {
  const plans = planLimits(policy)
  const { counters, meter, random } = ports

  return function limit(x) {
    const plan = plans.get(x.route.name)
    if (plan === undefined) return Object.assign(x, metered)
    const enforced = ask(plan.enforced, x)
    return whenSettled(take(counters, enforced), (taken) => {
      keep(taken, x)
      const answers = answersOf(enforced, taken)
      const readings = answers.map((answer) => readingOf(answer, taken.allowed))
      for (const answer of answers) countOutcome(meter, answer, taken.allowed)
      // Audit limits are taken one by one, after: one that is over must not keep another from counting, and a refused request counts nowhere.
      if (taken.allowed) return whenSettled(watch(plan, x, counters, meter), (watched) => Object.assign(x, { readings: [...readings, ...watched] }))
      Object.assign(x, { readings })
      throw refusalOf(answers, taken.refusedBy, random)
    })
  }
}

/** Builds what `explain` asks: how the limits of a request stand, without taking. */
export function buildLimitReport(policy: Policy, ports: Pick<Ports, 'counters'>): (x: Permitted) => readonly LimitReport[] | Promise<readonly LimitReport[]> {
  const plans = planLimits(policy)
  return (x) => {
    const plan = plans.get(x.route.name)
    return plan === undefined ? [] : reportLimits(plan, x, ports.counters)
  }
}

const nothingTaken: Taken = { allowed: true, refusedBy: undefined, readings: [] }

function take(counters: Counters, asked: readonly Asked[]): Taken | Promise<Taken> {
  return asked.length === 0 ? nothingTaken : counters.take(asked.map((one) => one.descriptor))
}

function watch(plan: RoutePlan, x: Permitted, counters: Counters, meter: Meter): readonly Reading[] | Promise<readonly Reading[]> {
  if (plan.audited.length === 0) return metered.readings
  const readings = ask(plan.audited, x).map((one) =>
    whenSettled(counters.take([one.descriptor]), (taken) => {
      keep(taken, x)
      count(meter, one.limit.name, taken.allowed ? 'allowed' : 'would_refuse')
      return answersOf([one], taken).map((answer) => readingOf(answer, taken.allowed))
    }),
  )
  return whenAllSettled(readings, (all) => all.flat())
}

/** Places that a take holds are held until the request is over, however it ends. */
function keep({ release }: Taken, x: Permitted): void {
  if (release !== undefined) x.lifeline.onOver(release)
}

function countOutcome(meter: Meter, answer: Answered, allowed: boolean): void {
  const { name } = answer.limit
  if (allowed) count(meter, name, 'allowed')
  else if (isUnavailable(answer)) count(meter, name, 'unavailable')
  else if (isOver(answer)) count(meter, name, 'refused')
}

function count(meter: Meter, limit: string, outcome: 'allowed' | 'refused' | 'unavailable' | 'would_refuse'): void {
  const labels: Labels = { limit, outcome }
  meter.count('sallyport_limit_outcomes_total', labels)
}
