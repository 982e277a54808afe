import type { Asked, Identified } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { inTime } from '../../model/in-time.ts'
import type { MetricName } from '../../observe/metrics.ts'
import type { Decider } from '../../policy/linked/deciders.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Ports } from '../../ports.ts'
import type { buildExtAuthzGrpc } from './ask/ext-authz-grpc.ts'
import { buildExtAuthzHttp } from './ask/ext-authz-http.ts'
import { inputsOf, keyText } from './ask/inputs.ts'
import { buildOpa } from './ask/opa.ts'
import { askState, type Outcome, Point } from './ask/point.ts'
import type { Answer, Consult, Question } from './ask/question.ts'

export type { Consult } from './ask/question.ts'

/** What a decision point made of a request: what is recorded, and what follows from it. */
export interface Verdict extends Pick<Answer, 'status' | 'challenge' | 'given'> {
  readonly asked: Asked
}

/** Asks one decision point about a request. @throws Fault when the request itself ended, or its deadline passed, while it waited. */
export type Ask = (x: Identified, decider: Decider) => Promise<Verdict>

export type OverGrpc = typeof buildExtAuthzGrpc

export type AskPorts = Pick<Ports, 'clock' | 'digest' | 'fetch' | 'lasting' | 'meter'>

const decisions = 'sallyport_decider_decisions_total' satisfies MetricName

/**
 * Builds the way to the decision points: remembered answers first, then the point, then what is known from before, then what the policies
 * say about its failure. `overGrpc` is `buildExtAuthzGrpc`, which brings protobuf with it; without it, policies that ask such points are quarantined.
 */
export function buildAsk(policy: Policy, ports: AskPorts, consult: Consult, overGrpc: OverGrpc | undefined): Ask {
  const state = askState(ports.lasting, ports.clock)
  const points = new Map(
    Object.values(policy.deciders).flatMap((decider) => {
      // A decider that is written otherwise is another one: what it was told before says nothing.
      const identity = JSON.stringify(decider)
      const question = questionOf(decider, policy, ports, consult, overGrpc)
      return question === undefined ? [] : [[decider, { identity, point: new Point(decider, question, state, ports) }] as const]
    }),
  )
  return async (x, decider) => {
    const startedAt = ports.clock.ticks()
    const there = points.get(decider)
    if (there === undefined) throw new Fault('config_quarantined', 'this route is quarantined', { internal: `decider ${decider.name}` })
    const key = await ports.digest(`${there.identity}\n${keyText(x, decider.key)}`)
    const held = state.answers.fresh(key)
    const outcome: Outcome =
      held === undefined ? await inTime(x, there.point.ask(key, inputsOf(x, decider.send)), ports.clock) : { kind: 'answer', answer: held }
    const tookMs = ports.clock.ticks() - startedAt
    const stale = outcome.kind === 'failure' ? state.answers.stale(key) : undefined
    const verdict = verdictOf(decider, outcome, held === undefined ? 'answer' : 'cache', stale, tookMs)
    ports.meter.count(decisions, { decider: decider.name, outcome: verdict.asked.outcome, source: verdict.asked.source })
    return verdict
  }
}

function questionOf(decider: Decider, { clusters }: Policy, ports: AskPorts, consult: Consult, overGrpc: OverGrpc | undefined): Question | undefined {
  const { point } = decider
  if (point.kind === 'opa') return buildOpa(point, clusters, consult, ports)
  return point.protocol === 'grpc' ? overGrpc?.(point, clusters, consult) : buildExtAuthzHttp(point, clusters, consult)
}

function verdictOf(decider: Decider, outcome: Outcome, source: 'answer' | 'cache', stale: Answer | undefined, tookMs: number): Verdict {
  const about = { decider: decider.name, tookMs, audit: decider.mode === 'audit' }
  if (outcome.kind === 'answer') return fromAnswer(outcome.answer, { ...about, source, problem: undefined })
  const { problem } = outcome
  if (stale !== undefined) return fromAnswer(stale, { ...about, source: 'stale', problem })
  const failed = decider.onFailure === 'allow' ? 'failed_open' : 'failed_closed'
  return { asked: { ...about, outcome: failed, source: 'none', reason: undefined, problem }, status: undefined, challenge: undefined, given: [] }
}

function fromAnswer({ allowed, reason, status, challenge, given }: Answer, about: Omit<Asked, 'outcome' | 'reason'>): Verdict {
  return { asked: { ...about, outcome: allowed ? 'allowed' : 'denied', reason }, status, challenge, given }
}
