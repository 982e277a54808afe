import { buildAuthorize, buildDecide, type Decision } from './ingress/authorize.ts'
import { type AssumedToken, buildIdentify, buildIdentifyAssuming } from './ingress/identify.ts'
import { buildLimitReport, type LimitReport } from './ingress/limit.ts'
import { buildMatch, buildMatchReport, type MatchCandidate } from './ingress/match.ts'
import { buildReceive } from './ingress/receive.ts'
import { buildSteer } from './ingress/steer.ts'
import { buildTranslate } from './ingress/translate.ts'
import { type Arrival, type Identified, type Metered, openExchange, type Translated } from './model/exchange.ts'
import { Fault } from './model/fault.ts'
import type { Policy } from './policy/policy.ts'
import type { Ports } from './ports.ts'

/** Who a rehearsed request comes from: its own token, verified as in production, or claims taken at their word. */
export type Credentials = { readonly kind: 'own' } | { readonly kind: 'assumed'; readonly token: AssumedToken | undefined }

/** What would happen to one request: the ingress walk with the production rooms, short of `forward`, taking from no limit. */
export interface Rehearsal {
  /** Undefined when the request would be forwarded. */
  readonly refusal: Fault | undefined
  /** How far it got; every slot filled on the way can be read. */
  readonly last: ReturnType<typeof openExchange> & Partial<Translated>
  readonly candidates: readonly MatchCandidate[]
  readonly decision: Decision | undefined
  readonly limits: readonly LimitReport[]
}

export interface Rehearse {
  (arrival: Arrival, credentials: Credentials): Promise<Rehearsal>
  /** Lets go of the key sets it may have fetched; they would be kept fresh otherwise. */
  close(): void
}

/**
 * Builds the rehearsal that `explain` and `test` use: the same rooms as the ingress walk, so that what they say and what the
 * gateway does cannot differ. Nothing is forwarded and no limit is consumed.
 */
export function buildRehearse(policy: Policy, ports: Ports): Rehearse {
  const receive = buildReceive(policy, ports)
  const match = buildMatch(policy)
  const report = buildMatchReport(policy)
  const identify = buildIdentify(policy, ports)
  const assume = buildIdentifyAssuming(policy)
  const decide = buildDecide(policy, ports)
  const authorize = buildAuthorize(policy, ports)
  const limits = buildLimitReport(policy, ports)
  const steer = buildSteer(policy, ports)
  const translate = buildTranslate(policy)

  const rehearse = async (arrival: Arrival, credentials: Credentials): Promise<Rehearsal> => {
    const last = openExchange(arrival, policy.revision)
    const found: { -readonly [K in keyof Rehearsal]: Rehearsal[K] } = { refusal: undefined, last, candidates: [], decision: undefined, limits: [] }
    try {
      const received = receive(last)
      found.candidates = report(received).candidates
      const matched = match(received)
      found.decision = decide.screen(matched, { trace: true })
      authorize.screen(matched)
      const identified: Identified = credentials.kind === 'own' ? await identify(matched) : assume(matched, credentials.token)
      found.decision = decide(identified, { trace: true })
      const permitted = await authorize(identified)
      found.limits = await limits(permitted)
      const over = found.limits.find((one) => one.mode === 'enforce' && (one.standing.kind === 'over' || one.standing.kind === 'unavailable'))
      if (over !== undefined) throw new Fault('rate_limited', `the limit ${over.limit} is reached`)
      const metered: Metered = Object.assign(permitted, { readings: [] })
      await translate(steer(metered))
    } catch (error) {
      found.refusal = Fault.from(error)
    }
    return found
  }
  return Object.assign(rehearse, { close: () => identify.close() })
}
