import type { EgressSwitch } from '../policy/linked/switched.ts'
import type { Policy } from '../policy/policy.ts'
import { suggest } from '../suggest.ts'

/** Why a service cannot be switched, in a stable word and a sentence. */
export interface SwitchObstacle {
  readonly code: 'service_unknown' | 'env_ceiling' | 'no_target_for_env' | 'not_switched'
  readonly message: string
}

/**
 * Policies as loaded, with services switched to other environments. The revision names both: that of the files, then the id of every switch.
 * Nothing else changes: targets, secrets and guards are those of the environment that is switched to.
 */
export function switchedPolicy(loaded: Policy, switches: readonly EgressSwitch[]): Policy {
  if (switches.length === 0) return loaded
  const sorted = switches.toSorted((a, b) => (a.service < b.service ? -1 : 1))
  const services = Object.fromEntries(sorted.map((one) => [one.service, one]))
  return { ...loaded, revision: [loaded.revision, ...sorted.map(({ id }) => id)].join('.'), switched: { loaded: loaded.revision, services } }
}

/** The revision of the files that a policy was loaded from, whatever was switched since. */
export function loadedRevision(policy: Pick<Policy, 'revision' | 'switched'>): string {
  return policy.switched?.loaded ?? policy.revision
}

/** What stands against switching a service: the ceiling first, so that nobody learns what lies beyond it. `environment` undefined: back to what the policies say. */
export function switchObstacle(policy: Policy, service: string, environment: string | undefined): SwitchObstacle | undefined {
  const linked = Object.hasOwn(policy.egress, service) ? policy.egress[service] : undefined
  if (linked === undefined) return { code: 'service_unknown', message: `there is no egress service "${service}"${meant(service, Object.keys(policy.egress))}` }
  if (environment === undefined) {
    const isSwitched = policy.switched !== undefined && Object.hasOwn(policy.switched.services, service)
    return isSwitched ? undefined : { code: 'not_switched', message: `${service} is not switched: it is where the policies say` }
  }
  if (!policy.environments.includes(environment))
    return { code: 'env_ceiling', message: `${outsideReason(policy, environment)}; there are ${policy.environments.join(', ')}` }
  if (!Object.hasOwn(linked.targets, environment)) {
    return { code: 'no_target_for_env', message: `${service} has no target in ${environment}; it has in ${Object.keys(linked.targets).join(', ') || 'none'}` }
  }
  return undefined
}

function meant(said: string, names: readonly string[]): string {
  const name = suggest(said, names)
  return name === undefined ? '' : `; did you mean ${name}?`
}

/** Where the calls of a service go that choose nothing themselves: its switch, or undefined for what each caller's policies say. */
export function switchOf(policy: Pick<Policy, 'switched'>, service: string): EgressSwitch | undefined {
  const services = policy.switched?.services
  return services !== undefined && Object.hasOwn(services, service) ? services[service] : undefined
}

/** Why an environment that the policy does not know is out of reach. */
export function outsideReason({ environmentClass }: Pick<Policy, 'environmentClass'>, environment: string): string {
  const ceiling = environmentClass === 'nonprod' ? 'production is out of reach from a nonprod process' : 'a prod process reaches prod environments alone'
  return `${environment} is not a ${environmentClass} environment: ${ceiling}`
}
