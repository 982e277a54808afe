import { secretRuleOf } from './credential.ts'
import type { GuardedTarget } from './egress-target.ts'

/** A name that a live target's calls go to. */
export interface DialledName {
  readonly of: 'target' | 'token'
  readonly host: string
}

/** Every name of a live target: its own, and that of the endpoint where its tokens come from. */
export function namesOf({ host, credential }: Pick<GuardedTarget, 'host' | 'credential'>): readonly DialledName[] {
  const own = { of: 'target', host } as const
  // The URL was checked at load; what does not parse has no host that could be dialled.
  const token = credential?.kind === 'oauth2' ? URL.parse(credential.tokenUrl)?.hostname : undefined
  return token === undefined ? [own] : [own, { of: 'token', host: token }]
}

/**
 * Whether a nonprod target may bear the name of a production host. A vendor with one host for test and live tells them apart by
 * the key alone: then the operator must know, and the key must be checked.
 */
export function mayShareName({ sharesAddressWithProd, credential }: Pick<GuardedTarget, 'sharesAddressWithProd' | 'credential'>): boolean {
  const rule = credential === undefined ? undefined : secretRuleOf(credential)
  return sharesAddressWithProd && (rule?.pattern !== undefined || rule?.forbidPattern !== undefined)
}
