import type { GuardedTarget } from '../model/egress-target.ts'
import { mayShareName, namesOf } from '../model/names.ts'
import type { Vet } from '../model/vet.ts'
import type { GuardHost } from '../policy/linked/egress.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { classifyAddress } from './guard/classify.ts'
import { buildJudge } from './guard/judge.ts'
import { buildOwn } from './guard/own.ts'
import { watchProduction } from './guard/production.ts'

/** What stands between a target and the network: of the wing, used by `place` and by the report of `egress explain`. */
export interface Guard {
  /** Why no name of this target (its own, its token endpoint's) may be called, or undefined. */
  readonly checkNames: (target: GuardedTarget) => string | undefined
  /** The judge of every address that a name of this target resolves to; asked per socket, after DNS, literals included. */
  readonly vetFor: (target: GuardedTarget) => Vet
}

/**
 * Builds the address guard and the production guard. Order per address: never our own listeners; global unicast or a listed
 * range (every answer must pass: one refusal refuses all, which is the connector's part); in nonprod never an address and
 * port that a production host leads to at that moment.
 *
 * Redirects are passed to the caller and never followed here, so a `Location` that names a production host has no effect until
 * the caller asks for it, and asking meets this guard again.
 */
export function buildGuard(policy: Policy, ports: Pick<Ports, 'resolve' | 'clock' | 'ownAddresses'>): Guard {
  const isOwn = buildOwn(policy, ports)
  const production = watchProduction(policy.guards, ports)
  const vets = new WeakMap<GuardedTarget, Vet>()

  function checkNames(target: GuardedTarget): string | undefined {
    if (mayShareName(target)) return undefined
    for (const { of, host } of namesOf(target)) {
      const service = production.named(host, sharing(target))
      if (service !== undefined) return `${of === 'token' ? 'the token endpoint ' : ''}${host} is production (${service})`
    }
    return undefined
  }

  function vetFor(target: GuardedTarget): Vet {
    const made = vets.get(target) ?? buildVet(target)
    vets.set(target, made)
    return made
  }

  function buildVet(target: GuardedTarget): Vet {
    const judge = buildJudge(target.allowAddresses, policy.environmentClass)
    const guarded = policy.guards.length > 0 && !target.sharesAddressWithProd
    return (address, port) => {
      if (isOwn(address, port)) return `${address}:${port} is one of our own listeners`
      const judged = judge(address)
      if (judged !== undefined || !guarded) return judged
      return production.at(address, port, sharing(target)).then((host) => (host === undefined ? undefined : `${address}:${port} is production (${host})`))
    }
  }

  return { checkNames, vetFor }
}

/** The guard hosts that a place of the forward proxy may be. */
function sharing({ sharesHostsOf }: GuardedTarget): (guard: GuardHost) => boolean {
  return ({ proxied, service }) => proxied === true && service === sharesHostsOf
}

/** What kind of network an address leads to, in a word. */
export function kindOfAddress(address: string): string {
  return classifyAddress(address).kind
}
