import type { EgressService, StreamSettings } from '../model/egress-service.ts'
import type { StreamTarget } from '../model/egress-target.ts'
import { Fault } from '../model/fault.ts'
import type { Vet } from '../model/vet.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { byListenerAlone, uses } from './attribute.ts'
import { buildGuard } from './guard.ts'
import { buildChoose } from './place/choose.ts'

/** Where one connection of a TCP service goes. */
export interface StreamPlace {
  readonly revision: string
  readonly service: EgressService
  readonly settings: StreamSettings
  readonly caller: string
  readonly target: StreamTarget
  /** What the connector asks before it dials. */
  readonly vet: Vet
  /** Equal for places that lead to the same: a connection whose service is placed elsewhere now has to move. */
  readonly sameAs: string
}

/**
 * Places a connection by the service whose listener it came by: nothing in a byte stream says who sends it or where it wants to go.
 * @throws Fault as the walk of an HTTP call: `service_unknown`, `config_quarantined`, `caller_unknown`, `egress_denied`, `env_denied`,
 * `no_target_for_env`, `address_denied`.
 */
export type Streams = (service: string) => StreamPlace

/** Builds the rooms of the egress wing for what is no request: caller, environment, target, guard. */
export function buildStreams(policy: Policy, ports: Pick<Ports, 'resolve' | 'clock' | 'ownAddresses'>): Streams {
  const choose = buildChoose(policy)
  const guard = buildGuard(policy, ports)

  return function place(name) {
    const { service, targets } = new Map(Object.entries(policy.egress)).get(name) ?? unknown(name)
    const settings = service.stream ?? unknown(name)
    if (service.quarantined !== undefined) throw new Fault('config_quarantined', `the configuration of ${name} is broken`, { internal: service.quarantined })
    const caller = callerOf(policy, service)
    const choice = choose(caller, undefined, name)
    if (choice.environment === undefined) throw new Fault('env_denied', choice.reason)
    const target = new Map(Object.entries(targets)).get(choice.environment)
    if (target === undefined) throw new Fault('no_target_for_env', `${name} has no target in ${choice.environment}`)
    if (target.mode !== 'tcp') throw new Fault('egress_denied', `${name} may not be called in ${choice.environment}`)
    const production = guard.checkNames(target)
    if (production !== undefined) throw new Fault('address_denied', production)
    return { revision: policy.revision, service, settings, caller, target, vet: guard.vetFor(target), sameAs: JSON.stringify(target) }
  }
}

function callerOf(policy: Policy, service: EgressService): string {
  const here = Object.values(policy.callers).filter((caller) => byListenerAlone(caller) && uses(caller, `egress:${service.name}`))
  const name = service.callers.find((listed) => here.some((caller) => caller.name === listed))
  if (name !== undefined) return name
  if (here.length === 0) throw new Fault('caller_unknown', 'no caller is known on this listener')
  throw new Fault('egress_denied', `nobody who comes by this listener may call ${service.name}`)
}

function unknown(name: string): never {
  throw new Fault('service_unknown', `there is no TCP service ${name}`)
}
