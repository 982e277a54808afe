import { answerFrom } from './edge/answer.ts'
import { buildHandOver, type Vouch } from './edge/hand-over.ts'
import { type Origin, withOrigin } from './edge/policy.ts'
import { buildAsk, buildAuthorize } from './ingress/authorize.ts'
import { buildIdentify } from './ingress/identify.ts'
import { buildLimit } from './ingress/limit.ts'
import { buildMatch } from './ingress/match.ts'
import { buildReceive } from './ingress/receive.ts'
import { buildRescue } from './ingress/respond.ts'
import { buildWellKnown } from './ingress/well-known.ts'
import { type Arrival, openExchange, type Vouched } from './model/exchange.ts'
import { Fault } from './model/fault.ts'
import type { Outbound } from './model/wire.ts'
import { openTrail } from './observe/trail.ts'
import type { Policy } from './policy/policy.ts'
import type { Ports } from './ports.ts'
import { buildUpstream } from './upstream.ts'

export type { Vouch } from './edge/hand-over.ts'
export { edgePolicyOf, type Origin } from './edge/policy.ts'
export { checkWorkerGround, limitBinding, limitsAtEdge } from './edge/worker-ground.ts'

export interface Edge {
  (arrival: Arrival): Promise<Outbound>
  /** Gives back its shares in what outlives the snapshot; requests under way go on. */
  close(): Promise<void>
}

/** What the edge must know of the gateway behind it. */
export interface EdgeOptions {
  /** Where every request goes that the policy lets pass. */
  readonly origin: Origin
  /** Signs for one request. A rejection is answered as `internal`, and nothing is forwarded. */
  readonly vouch: Vouch
}

/**
 * Builds the edge walk: the ingress walk up to the limits, then over to the gateway behind, which steers, translates and forwards.
 * It decides by the same rooms over the same policy, so that what it refuses the gateway would have refused too. It never rejects.
 */
export function buildEdge(policy: Policy, { origin, vouch }: EdgeOptions, ports: Ports): Edge {
  const own = withOrigin(policy, origin)
  const receive = buildReceive(own, ports)
  const wellKnown = buildWellKnown(own, undefined)
  const match = buildMatch(own)
  const identify = buildIdentify(own, ports)
  const limit = buildLimit(own, ports)
  const handOver = buildHandOver(origin, vouch, ports)
  const upstream = buildUpstream(own, ports)
  // A Worker reaches no clusters, so no point over gRPC: what it would need to talk to one stays out of its bundle.
  const authorize = buildAuthorize(own, ports, buildAsk(own, ports, upstream.consult, undefined))
  const rescue = buildRescue(own)

  const walk = async (arrival: Arrival): Promise<Outbound> => {
    const trail = openTrail<Vouched>('ingress', openExchange(arrival, own.revision), ports)
    try {
      const received = trail.reach(receive(trail.last))
      const preflight = match.preflight(received)
      if (preflight !== undefined) return trail.close(preflight)
      const document = wellKnown(received)
      if (document !== undefined) return trail.close(await document)
      const matched = trail.reach(match(received))
      const counted = trail.reach(await limit.early(matched))
      const screened = trail.reach(authorize.screen(counted))
      const identified = trail.reach(await identify(screened))
      const permitted = trail.reach(await authorize(identified))
      const metered = trail.reach(await limit(permitted))
      const vouched = trail.reach(await handOver(metered))
      const reply = await upstream.forward(vouched)
      return trail.close(await answerFrom(vouched, reply))
    } catch (error) {
      return trail.close(rescue(trail.last, trail.fail(Fault.from(error))))
    }
  }
  const close = () => {
    identify.close()
    return upstream.close()
  }
  return Object.assign(walk, { close })
}
