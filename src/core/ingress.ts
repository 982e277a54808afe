import { buildAsk, buildAuthorize, buildExtAuthzGrpc } from './ingress/authorize.ts'
import { buildDisturb } from './ingress/disturb.ts'
import { buildHandOn } from './ingress/hand-on.ts'
import { buildIdentify } from './ingress/identify.ts'
import { buildLimit } from './ingress/limit.ts'
import { buildMatch } from './ingress/match.ts'
import { buildPublish } from './ingress/publish.ts'
import { buildReceive } from './ingress/receive.ts'
import { buildRescue, buildRespond } from './ingress/respond.ts'
import { buildReveal } from './ingress/reveal.ts'
import { buildGuardedSteer } from './ingress/steer.ts'
import { buildTranslate } from './ingress/translate.ts'
import { buildWellKnown } from './ingress/well-known.ts'
import { publishedKeysOf } from './key-ring.ts'
import { type Arrival, openExchange, type Translated } from './model/exchange.ts'
import { Fault } from './model/fault.ts'
import type { Outbound } from './model/wire.ts'
import { openTrail } from './observe/trail.ts'
import type { Policy } from './policy/policy.ts'
import type { Ports } from './ports.ts'
import type { Upstream } from './upstream.ts'

export interface Ingress {
  (arrival: Arrival): Promise<Outbound>
  /** Gives back its shares in what outlives the snapshot; requests under way go on. */
  close(): void
}

/** Builds the ingress wing: one straight walk from the listener to the mesh and back. It never rejects. */
export function buildIngress(policy: Policy, upstream: Upstream, ports: Ports): Ingress {
  const receive = buildReceive(policy, ports)
  const publishing = Object.values(policy.tokens).filter((token) => token.publish)
  const wellKnown = buildWellKnown(policy, publishing.length === 0 ? undefined : publishedKeysOf(publishing, ports))
  const match = buildMatch(policy)
  const identify = buildIdentify(policy, ports)
  const authorize = buildAuthorize(policy, ports, buildAsk(policy, ports, upstream.consult, buildExtAuthzGrpc))
  const limit = buildLimit(policy, ports)
  const publish = buildPublish(policy)
  const guarded = buildGuardedSteer(policy, ports)
  const disturb = buildDisturb(policy, ports)
  const handOn = buildHandOn(policy, ports)
  const translate = buildTranslate(policy, ports)
  const respond = buildRespond(policy, ports)
  const rescue = buildRescue(policy)
  const reveal = buildReveal(policy, ports)

  const walk = async (arrival: Arrival): Promise<Outbound> => {
    const trail = openTrail<Translated>('ingress', openExchange(arrival, policy.revision), ports)
    try {
      const received = trail.reach(receive(trail.last))
      const preflight = match.preflight(received)
      if (preflight !== undefined) return trail.close(preflight)
      const own = wellKnown(received)
      if (own !== undefined) return trail.close(await own)
      const matched = trail.reach(match(received))
      const counted = trail.reach(await limit.early(matched))
      const screened = trail.reach(authorize.screen(counted))
      const identified = trail.reach(await identify(screened))
      const permitted = trail.reach(await authorize(identified))
      const metered = trail.reach(await limit(permitted))
      const published = publish(metered)
      if (published !== undefined) return trail.close(await reveal(metered, published))
      const steered = trail.reach(guarded.steer(metered))
      const disturbed = disturb(steered)
      if (disturbed !== undefined) await disturbed
      const introduced = trail.reach(await handOn(steered))
      const translated = trail.reach(await translate(introduced))
      const reply = trail.hear(await limit.charge(translated, await guarded.watch(translated, () => upstream.forward(translated))))
      const answer = disturb.mark(translated, await respond(translated, reply))
      limit.answered(translated, answer.status)
      return trail.close(await reveal(translated, answer))
    } catch (error) {
      const fault = trail.fail(Fault.from(error))
      limit.answered(trail.last, fault.status)
      return trail.close(await reveal(trail.last, disturb.mark(trail.last, rescue(trail.last, fault)), fault))
    }
  }
  const close = () => {
    identify.close()
    guarded.close()
  }
  return Object.assign(walk, { close })
}
