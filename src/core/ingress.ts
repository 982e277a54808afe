import { buildAuthorize } from './ingress/authorize.ts'
import { buildIdentify } from './ingress/identify.ts'
import { buildLimit } from './ingress/limit.ts'
import { buildMatch } from './ingress/match.ts'
import { buildReceive } from './ingress/receive.ts'
import { buildRescue, buildRespond } from './ingress/respond.ts'
import { buildSteer } from './ingress/steer.ts'
import { buildTranslate } from './ingress/translate.ts'
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
  const match = buildMatch(policy)
  const identify = buildIdentify(policy, ports)
  const authorize = buildAuthorize(policy, ports)
  const limit = buildLimit(policy, ports)
  const steer = buildSteer(policy, ports)
  const translate = buildTranslate(policy)
  const respond = buildRespond(policy, ports)
  const rescue = buildRescue(policy)

  const walk = async (arrival: Arrival): Promise<Outbound> => {
    const trail = openTrail<Translated>('ingress', openExchange(arrival, policy.revision), ports)
    try {
      const received = trail.reach(receive(trail.last))
      const matched = trail.reach(match(received))
      const screened = trail.reach(authorize.screen(matched))
      const identified = trail.reach(await identify(screened))
      const permitted = trail.reach(await authorize(identified))
      const metered = trail.reach(await limit(permitted))
      const steered = trail.reach(steer(metered))
      const translated = trail.reach(await translate(steered))
      const reply = trail.hear(await upstream.forward(translated))
      return trail.close(await respond(translated, reply))
    } catch (error) {
      return trail.close(rescue(trail.last, trail.fail(Fault.from(error))))
    }
  }
  return Object.assign(walk, { close: () => identify.close() })
}
