import { buildAuthorize, buildDecide, buildStatedAsk, type Decision, type StatedAnswer } from './ingress/authorize.ts'
import { buildHandOnReport, type HandedOn } from './ingress/hand-on.ts'
import { type AssumedToken, buildIdentify, buildIdentifyAssuming } from './ingress/identify.ts'
import { buildLimitReport, type LimitReport } from './ingress/limit.ts'
import { buildMatch, buildMatchReport, type MatchCandidate } from './ingress/match.ts'
import { buildReceive } from './ingress/receive.ts'
import { buildSteer } from './ingress/steer.ts'
import { buildTranslate } from './ingress/translate.ts'
import { type Arrival, type Asked, type Identified, type Metered, openExchange, type Translated } from './model/exchange.ts'
import { Fault } from './model/fault.ts'
import type { Policy } from './policy/policy.ts'
import type { Ports } from './ports.ts'

/** Who a rehearsed request comes from: its own token, verified as in production, or claims taken at their word. */
export type Credentials = { readonly kind: 'own' } | { readonly kind: 'assumed'; readonly token: AssumedToken | undefined }

/** What decision points are taken to answer, by name. */
export type StatedAnswers = Readonly<Record<string, StatedAnswer>>

/** What would happen to one request: the ingress walk with the production rooms, short of `forward`, taking from no limit. */
export interface Rehearsal {
  /** Undefined when the request would be forwarded. */
  readonly refusal: Fault | undefined
  /** It is a CORS preflight that is granted: answered here, and nothing is forwarded. */
  readonly granted: boolean
  /** How far it got; every slot filled on the way can be read. */
  readonly last: ReturnType<typeof openExchange> & Partial<Translated>
  readonly candidates: readonly MatchCandidate[]
  readonly decision: Decision | undefined
  /** Decision points that would be asked, with what is stated of them. */
  readonly asked: readonly Asked[]
  readonly limits: readonly LimitReport[]
  /** The token that the upstream would get; undefined where it would get none. */
  readonly handedOn: HandedOn | undefined
}

export interface Rehearse {
  /** Decision points are not asked: what is not stated of them is taken for allowed, and marked `unasked`. */
  (arrival: Arrival, credentials: Credentials, stated?: StatedAnswers): Promise<Rehearsal>
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
  const assume = buildIdentifyAssuming(policy, ports.clock)
  const decide = buildDecide(policy, ports)
  const statements = new WeakMap<object, StatedAnswers>()
  const authorize = buildAuthorize(
    policy,
    ports,
    buildStatedAsk((x) => statements.get(x) ?? {}),
  )
  const limits = buildLimitReport(policy, ports)
  const steer = buildSteer(policy, ports)
  const handOn = buildHandOnReport(policy)
  const translate = buildTranslate(policy, ports)

  const rehearse = async (arrival: Arrival, credentials: Credentials, stated: StatedAnswers = {}): Promise<Rehearsal> => {
    // Its time begins now, whenever it was written down.
    const last = openExchange({ ...arrival, receivedAt: ports.clock.ticks() }, policy.revision)
    const found: { -readonly [K in keyof Rehearsal]: Rehearsal[K] } = {
      refusal: undefined,
      granted: false,
      last,
      candidates: [],
      decision: undefined,
      asked: [],
      handedOn: undefined,
      limits: [],
    }
    // Every room returns the object it was given, so what stands under it here is found from the last one.
    statements.set(last, stated)
    try {
      const received = receive(last)
      found.candidates = report(received).candidates
      found.granted = match.preflight(received) !== undefined
      if (found.granted) return found
      const matched = match(received)
      found.limits = await limits.early(matched)
      refuseOver(found.limits)
      found.decision = decide.screen(matched, { trace: true })
      authorize.screen(matched)
      const identified: Identified = credentials.kind === 'own' ? await identify(matched) : assume(matched, credentials.token)
      found.decision = decide(identified, { trace: true })
      const permitted = await authorize(identified)
      found.limits = [...found.limits, ...(await limits(permitted))]
      refuseOver(found.limits)
      // What the gateway answers itself goes nowhere.
      if (permitted.route.openapi !== undefined) return found
      const metered: Metered = Object.assign(permitted, { readings: [] })
      const introduced = handOn(steer(metered))
      found.handedOn = introduced.report
      await translate(introduced.x)
    } catch (error) {
      found.refusal = Fault.from(error)
    }
    found.asked = (last as typeof found.last).asked ?? []
    return found
  }
  return Object.assign(rehearse, { close: () => identify.close() })
}

function refuseOver(limits: readonly LimitReport[]): void {
  const over = limits.find((one) => one.mode === 'enforce' && (one.standing.kind === 'over' || one.standing.kind === 'unavailable'))
  if (over !== undefined) throw new Fault('rate_limited', `the limit ${over.limit} is reached`)
}
