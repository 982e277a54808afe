import { buildAddress } from './egress/address.ts'
import { buildAnswer, buildRefuse, marked } from './egress/answer.ts'
import { buildAttribute } from './egress/attribute.ts'
import { buildCache } from './egress/cache.ts'
import { buildRecord, buildReplay } from './egress/cassette.ts'
import { buildCredential, buildIdentity, buildShortLived } from './egress/credential.ts'
import { buildDisturb } from './egress/disturb.ts'
import { buildMock } from './egress/mock.ts'
import { buildPermit } from './egress/permit.ts'
import { buildPlace } from './egress/place.ts'
import { buildRenew } from './egress/renew.ts'
import { buildVend, isVending } from './egress/vend.ts'
import { buildCallerTokens } from './ingress/identify.ts'
import { buildEgressReceive } from './ingress/receive.ts'
import { type Arrival, type Credentialed, isLive, openExchange } from './model/exchange.ts'
import { Fault } from './model/fault.ts'
import type { Outbound } from './model/wire.ts'
import { openTrail } from './observe/trail.ts'
import type { Policy } from './policy/policy.ts'
import type { Ports } from './ports.ts'
import type { Upstream } from './upstream.ts'

export interface Egress {
  (arrival: Arrival): Promise<Outbound>
  /** Gives back its share in key sets; calls under way go on. */
  close(): void
}

/** Builds the egress wing: from a workload's call to the third party and back. It never rejects. */
export function buildEgress(policy: Policy, upstream: Upstream, ports: Ports): Egress {
  const receive = buildEgressReceive(policy, ports)
  const tokens = buildCallerTokens(policy, ports)
  const attribute = buildAttribute(policy, { clock: ports.clock, verifyToken: tokens.verify })
  const address = buildAddress(policy)
  const permit = buildPermit(policy, ports)
  const place = buildPlace(policy, ports)
  const mock = buildMock(policy, ports)
  const replay = buildReplay(ports)
  const record = buildRecord(policy, ports)
  const disturb = buildDisturb(policy, ports)
  const cache = buildCache(policy, buildIdentity(ports), ports)
  const credential = buildCredential(policy, ports)
  const vend = buildVend(buildShortLived(policy, ports), ports)
  const forward = buildRenew(credential, upstream.forwardOut)
  const answer = buildAnswer()
  const refuse = buildRefuse(policy)

  async function egress(arrival: Arrival): Promise<Outbound> {
    const trail = openTrail<Credentialed>('egress', openExchange(arrival, policy.revision), ports)
    try {
      const received = trail.reach(receive(trail.last))
      const attributed = trail.reach(await attribute(received))
      const addressed = trail.reach(address(attributed))
      const allowed = trail.reach(await permit(addressed))
      const placed = trail.reach(place(allowed))
      if (isVending(placed)) return trail.close(marked(placed, await vend(placed)))
      await disturb(placed)
      if (!isLive(placed)) return trail.close(disturb.shape(placed, answer(placed, await (placed.target.mode === 'replay' ? replay : mock)(placed))))
      const answered = await cache(placed, async (asked) => {
        const credentialed = trail.reach(await credential(asked))
        return answer(credentialed, await record(credentialed, forward))
      })
      return trail.close(disturb.shape(placed, placed.cached === undefined ? answered : marked(placed, answered)))
    } catch (error) {
      return trail.close(disturb.shape(trail.last, refuse(trail.last, trail.fail(Fault.from(error)))))
    }
  }
  return Object.assign(egress, { close: tokens.close })
}
