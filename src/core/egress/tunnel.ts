import { buildEgressReceive } from '../ingress/receive.ts'
import { type Arrival, type Credentialed, openExchange } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import type { StreamTarget } from '../model/route.ts'
import type { Outbound, Proxied } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { buildAddress } from './address.ts'
import { addMarks } from './answer/marks.ts'
import { buildRefuse } from './answer.ts'
import { buildAttribute } from './attribute.ts'
import { buildGuard } from './guard.ts'
import { buildAllow } from './permit/allow.ts'
import { buildChoose } from './place/choose.ts'
import { lists, placeText, sharedHosts } from './proxied.ts'
import type { StreamPlace } from './stream.ts'

/** What a tunnel was opened for. */
export interface TunnelQuestion {
  readonly service: string
  readonly caller: string
  /** `x-egress-env`, when the caller sent one. */
  readonly wanted: string | undefined
  readonly proxied: Proxied
}

/** Where a tunnel goes, and what stands at its mouth. */
export interface TunnelPlace extends StreamPlace {
  readonly question: TunnelQuestion
  readonly clientHelloMs: number
}

/** A CONNECT that was decided. */
export interface TunnelRequest {
  /** `x-egress-request-id`; undefined when not even that could be read. */
  readonly id: string | undefined
  readonly service: string | undefined
  readonly decided: TunnelPlace | Fault
  /** The answer that says the tunnel is open, without a body. */
  readonly accept: () => Outbound
  /** The answer that says why there is no tunnel; the reason stands in `x-egress-reason` too, as most clients show no body. */
  readonly refuse: (fault: Fault) => Outbound
}

export interface Tunnels {
  /** Decides about a CONNECT: the rooms of an HTTP call, short of a credential. Never rejects. */
  readonly open: (arrival: Arrival) => Promise<TunnelRequest>
  /** Where a tunnel would go now. @throws Fault where there would be none */
  readonly again: (question: TunnelQuestion) => TunnelPlace
}

/** Builds the egress wing for CONNECT. */
export function buildTunnels(policy: Policy, ports: Pick<Ports, 'resolve' | 'clock' | 'ownAddresses' | 'random'>): Tunnels {
  const receive = buildEgressReceive(policy, ports)
  const attribute = buildAttribute(policy)
  const address = buildAddress(policy)
  const choose = buildChoose(policy)
  const guard = buildGuard(policy, ports)
  const refusal = buildRefuse(policy)
  const services = new Map(Object.values(policy.egress).map((linked) => [linked.service.name, { ...linked, allow: buildAllow(linked.service) }]))

  function again(question: TunnelQuestion, told: (target: StreamTarget) => void = () => {}): TunnelPlace {
    const { service: name, caller, wanted, proxied } = question
    const { service, targets, allow } = services.get(name) ?? unknown(name)
    if (service.quarantined !== undefined) throw new Fault('config_quarantined', `the configuration of ${name} is broken`, { internal: service.quarantined })
    const allowed = allow(caller, 'CONNECT', { path: '/', encodedSlash: false, semicolon: false })
    if (allowed.rule === undefined) throw new Fault('egress_denied', allowed.reason, { rule: `${name}/default` })
    const settings = service.proxy?.tunnels ?? unknown(name)
    const choice = choose(caller, wanted, name)
    if (choice.environment === undefined) throw new Fault('env_denied', choice.reason)
    const found = new Map(Object.entries(targets)).get(choice.environment)
    if (found === undefined) throw new Fault('no_target_for_env', `${name} has no target in ${choice.environment}`)
    if (found.mode === 'deny')
      throw new Fault('egress_denied', `${name} may not be called in ${choice.environment}`, { rule: `${name}/${choice.environment}`, reason: found.reason })
    if (!lists(found, proxied)) throw new Fault('egress_denied', `${name} does not list ${placeText(proxied)} in ${choice.environment}`)
    const { environment, allowAddresses } = found
    const target: StreamTarget = {
      mode: 'tcp',
      environment,
      ...proxied,
      tls: false,
      ca: undefined,
      allowAddresses,
      sharesAddressWithProd: false,
      credential: undefined,
      sharesHostsOf: sharedHosts(service, found),
    }
    told(target)
    const production = guard.checkNames(target)
    if (production !== undefined) throw new Fault('address_denied', production)
    const { clientHelloMs = 0 } = service.proxy ?? {}
    return { revision: policy.revision, service, settings, caller, target, vet: guard.vetFor(target), sameAs: JSON.stringify(target), question, clientHelloMs }
  }

  async function open(arrival: Arrival): Promise<TunnelRequest> {
    // Filled room by room: a refusal tells what is known by then.
    const x = openExchange(arrival, policy.revision) as ReturnType<typeof openExchange> & Partial<Credentialed>
    const decided = await new Promise<TunnelPlace>((resolve) => resolve(decide())).catch((error: unknown) => Fault.from(error))
    return {
      id: x.id,
      service: x.service?.name,
      decided,
      accept: () => ({ status: 200, headers: addMarks(new FieldList(), x), body: undefined }),
      refuse(fault) {
        const outbound = refusal(x, fault)
        return { ...outbound, headers: new FieldList(outbound.headers.entries()).set('x-egress-reason', headerText(fault.message)) }
      },
    }

    function decide(): TunnelPlace {
      const { service, caller, wanted, request } = address(attribute(receive(x)))
      if (request.proxied === undefined || caller.kind !== 'caller') throw new Fault('not_implemented', 'tunnels are not offered here')
      return again({ service: service.name, caller: caller.name, wanted, proxied: request.proxied }, (target) => void Object.assign(x, { target }))
    }
  }

  return { open, again: (question) => again(question) }
}

/** What a header can hold. */
function headerText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, '?').slice(0, 300)
}

function unknown(name: string): never {
  throw new Fault('service_unknown', `there is no service ${name} of the forward proxy`)
}
