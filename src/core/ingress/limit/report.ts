import type { Counters } from '../../ports.ts'
import type { Countable } from './key.ts'
import { ask, costFor, type PlannedLimit, type Stage, whenSettled } from './plan.ts'
import { type Answered, answersOf, isOver, isUnavailable } from './refusal.ts'

/** How one limit stands for one request, for people. */
export interface LimitReport {
  readonly limit: string
  readonly mode: 'enforce' | 'audit'
  /** Set when it is asked before authentication; `failures` takes only from answers 401 and 403. */
  readonly when?: 'early' | 'failures'
  /** The key in readable form: `issuer=shop subject=alice`; a missing part is `?`. */
  readonly key: string
  readonly cost: number
  /** What it holds when it is untouched. */
  readonly quota: number
  /** Milliseconds in which all of it comes back; 0 for places held at a time. */
  readonly windowMs: number
  /** Where a claim says the numbers, what it said: `plan=pro`, or `the default`. */
  readonly because?: string
  readonly standing:
    | { readonly kind: 'skipped' }
    | {
        /** `unavailable`: the store could not be asked and the limit denies then. */
        readonly kind: 'within' | 'over' | 'unavailable'
        readonly remaining: number
        readonly resetMs: number
        readonly degraded: boolean
      }
}

/** Asks how every limit of one stage stands, without taking. In the order enforced, audited. */
export function reportLimits(stage: Stage, x: Countable, counters: Counters): readonly LimitReport[] | Promise<readonly LimitReport[]> {
  const limits = [...stage.enforced, ...stage.audited]
  const asked = ask(limits, x)
  return whenSettled(counters.peek(asked.map((one) => one.descriptor)), (taken) => {
    const answers = answersOf(asked, taken)
    return limits.map((limit) => {
      const answer = answers.find((one) => one.limit === limit)
      return reportOf(limit, x, answer === undefined ? { kind: 'skipped' } : standingOf(answer))
    })
  })
}

function reportOf(limit: PlannedLimit, x: Countable, standing: LimitReport['standing']): LimitReport {
  const { name, mode, when } = limit
  const cost = costFor(limit, x)
  const { quota, windowMs, because } = limit.size(x)
  return {
    limit: name,
    mode,
    ...(when === 'late' ? {} : { when }),
    key: limit.key.readable(x),
    cost,
    quota,
    windowMs,
    ...(because === undefined ? {} : { because }),
    standing,
  }
}

function standingOf(answer: Answered): LimitReport['standing'] {
  const { remaining, resetMs, degraded } = answer.taken
  const kind = isUnavailable(answer) ? 'unavailable' : isOver(answer) ? 'over' : 'within'
  return { kind, remaining, resetMs, degraded }
}
