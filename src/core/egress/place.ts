import type { EgressService } from '../model/egress-service.ts'
import type { EgressTarget, LiveTarget, ProxyTarget } from '../model/egress-target.ts'
import type { Allowed, Placed } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Proxied, Target } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { buildGuard } from './guard.ts'
import { buildChoose } from './place/choose.ts'
import { unconfined } from './place/confine.ts'
import { lists, liveAt, placeText } from './proxied.ts'

/** @throws Fault `env_denied`, `no_target_for_env`, `egress_denied`, `address_denied`, `path_ambiguous`. */
export type Place = (x: Allowed) => Placed

/**
 * Builds the room that says where the call goes: the environment, the service's target in it, and for a live one the guard
 * that the connector asks before it dials. There is no fallback: no target for the environment is a refusal.
 */
export function buildPlace(policy: Policy, ports: Pick<Ports, 'resolve' | 'clock' | 'ownAddresses'>): Place {
  const choose = buildChoose(policy)
  const guard = buildGuard(policy, ports)
  const targets = new Map(Object.values(policy.egress).map(({ service, targets }) => [service.name, new Map(Object.entries(targets))]))

  /** Kept for the guards, which know targets by identity: not more of them than are in use. */
  const places = new Map<string, LiveTarget>()

  return function place(x) {
    const choice = choose(x.caller.kind === 'caller' ? x.caller.name : '', x.wanted, x.service.name)
    if (choice.environment === undefined) throw new Fault('env_denied', choice.reason)
    const found = targets.get(x.service.name)?.get(choice.environment)
    const target = found?.mode === 'proxy' ? listed(x.service, found, x.request.proxied) : found
    if (target === undefined) throw new Fault('no_target_for_env', `${x.service.name} has no target in ${choice.environment}`)
    // Filled before it is judged: a refusal's answer and record say where the call would have gone.
    const placed = Object.assign(x, { target, vet: undefined })
    return target.mode === 'live' ? Object.assign(placed, { vet: vetted(target, x.request.target) }) : answeredHere(placed, target)
  }

  /** The place that the caller named, as a target like any other. */
  function listed(service: EgressService, target: ProxyTarget, place: Proxied | undefined): LiveTarget {
    if (place === undefined || !lists(target, place)) {
      throw new Fault('egress_denied', `${service.name} does not list ${place === undefined ? 'it' : placeText(place)} in ${target.environment}`)
    }
    const key = `${service.name} ${target.environment} ${placeText(place)}`
    const known = places.get(key) ?? liveAt(service, target, place)
    places.delete(key)
    places.set(key, known)
    for (const oldest of places.keys()) {
      if (places.size <= mostPlaces) break
      places.delete(oldest)
    }
    return known
  }

  function vetted(target: LiveTarget, asked: Target): Placed['vet'] {
    const production = guard.checkNames(target)
    if (production !== undefined) throw new Fault('address_denied', production)
    const problem = unconfined(target, asked)
    if (problem !== undefined) throw new Fault('path_ambiguous', problem)
    return guard.vetFor(target)
  }
}

const mostPlaces = 1000

function answeredHere(placed: Placed, target: Exclude<EgressTarget, LiveTarget | ProxyTarget>): Placed {
  if (target.mode === 'tcp') throw new Fault('egress_denied', `${placed.service.name} does not speak HTTP`)
  if (target.mode !== 'deny') return placed
  const words = `${placed.service.name} may not be called in ${target.environment}`
  throw new Fault('egress_denied', words, { rule: `${placed.service.name}/${target.environment}`, reason: target.reason })
}
