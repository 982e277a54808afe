import { buildCallerTokens } from '../ingress/identify.ts'
import { buildEgressReceive } from '../ingress/receive.ts'
import type { EgressService } from '../model/egress-service.ts'
import type { ProxyTarget, StreamTarget } from '../model/egress-target.ts'
import { type Arrival, type Credentialed, openExchange } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import type { Principal } from '../model/principal.ts'
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
import { lists, liveAt, placeText, sharedHosts } from './proxied.ts'
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
  readonly caller: Principal | undefined
  /** `host:port`, once it could be read. */
  readonly asked: string | undefined
  /** `clear`: port 80, through which no bytes pass unseen. What follows are requests, each of them judged like one in absolute-form. */
  readonly decided: TunnelPlace | 'clear' | Fault
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
  /** Gives back its share in key sets. */
  readonly close: () => void
}

/** Some clients (undici before 8.7, and with it fetch of Node 24) open a tunnel for http URLs too. At other ports the first byte tells. */
const clearPort = 80

/** Builds the egress wing for CONNECT. */
export function buildTunnels(policy: Policy, ports: Ports): Tunnels {
  const receive = buildEgressReceive(policy, ports)
  const tokens = buildCallerTokens(policy, ports)
  const attribute = buildAttribute(policy, { clock: ports.clock, verifyToken: tokens.verify })
  const address = buildAddress(policy)
  const choose = buildChoose(policy)
  const guard = buildGuard(policy, ports)
  const refusal = buildRefuse(policy)
  const services = new Map(Object.values(policy.egress).map((linked) => [linked.service.name, { ...linked, allow: buildAllow(linked.service) }]))

  /** Who may reach the place, in which environment. @throws Fault */
  function listed({ service: name, caller, wanted, proxied }: TunnelQuestion): { readonly service: EgressService; readonly target: ProxyTarget } {
    const { service, targets } = services.get(name) ?? unknown(name)
    if (service.quarantined !== undefined) throw new Fault('config_quarantined', `the configuration of ${name} is broken`, { internal: service.quarantined })
    if (!service.callers.includes(caller)) throw new Fault('egress_denied', `${caller} may not call ${name}`, { rule: `${name}/default` })
    const choice = choose(caller, wanted, name)
    if (choice.environment === undefined) throw new Fault('env_denied', choice.reason)
    const target = new Map(Object.entries(targets)).get(choice.environment)
    if (target === undefined) throw new Fault('no_target_for_env', `${name} has no target in ${choice.environment}`)
    if (target.mode === 'deny')
      throw new Fault('egress_denied', `${name} may not be called in ${choice.environment}`, { rule: `${name}/${choice.environment}`, reason: target.reason })
    if (!lists(target, proxied)) throw new Fault('egress_denied', `${name} does not list ${placeText(proxied)} in ${choice.environment}`)
    return { service, target }
  }

  function again(question: TunnelQuestion, told: (target: StreamTarget) => void = () => {}): TunnelPlace {
    const { service: name, caller, proxied } = question
    const { service, target: found } = listed(question)
    const { allow } = services.get(name) ?? unknown(name)
    const allowed = allow(caller, 'CONNECT', { path: '/', encodedSlash: false, semicolon: false })
    if (allowed.rule === undefined) throw new Fault('egress_denied', allowed.reason, { rule: `${name}/default` })
    const settings = service.proxy?.tunnels ?? unknown(name)
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
    const decided = await decide().catch((error: unknown) => Fault.from(error))
    return {
      id: x.id,
      service: x.service?.name,
      caller: x.caller,
      asked: x.request?.proxied && placeText(x.request.proxied),
      decided,
      accept: () => ({ status: 200, headers: addMarks(new FieldList(), x), body: undefined }),
      refuse(fault) {
        const outbound = refusal(x, fault)
        return { ...outbound, headers: new FieldList(outbound.headers.entries()).set('x-egress-reason', headerText(fault.message)) }
      },
    }

    async function decide(): Promise<TunnelPlace | 'clear'> {
      const { service, caller, wanted, request } = address(await attribute(receive(x)))
      if (request.proxied === undefined || caller.kind !== 'caller') throw new Fault('not_implemented', 'tunnels are not offered here')
      const question = { service: service.name, caller: caller.name, wanted, proxied: request.proxied }
      if (question.proxied.port !== clearPort) return again(question, (target) => void Object.assign(x, { target }))
      const { service: own, target } = listed(question)
      Object.assign(x, { target: liveAt(own, target, question.proxied) })
      return 'clear'
    }
  }

  return { open, again: (question) => again(question), close: tokens.close }
}

/** What a header can hold. */
function headerText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, '?').slice(0, 300)
}

function unknown(name: string): never {
  throw new Fault('service_unknown', `there is no service ${name} of the forward proxy`)
}
