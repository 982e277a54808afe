import { secretRulesOf } from '../../model/credential.ts'
import type { PlacedLive } from '../../model/exchange.ts'
import { inTime } from '../../model/in-time.ts'
import type { Ports } from '../../ports.ts'
import { buildReadSecret } from './secret.ts'
import { callersToken } from './token-request.ts'

/**
 * Says as whom a call will come to its vendor, in a digest: the credential as the policies have it, the secrets that it is made from as they are now, and the caller's
 * own token where that is exchanged. Tokens that are asked for with these are no part of it: a new one means the same to the vendor.
 * @throws Fault `credential_unavailable`, `unauthenticated`
 */
export type Identity = (x: PlacedLive) => Promise<string>

export function buildIdentity({ secrets, digest, clock }: Pick<Ports, 'secrets' | 'digest' | 'clock'>): Identity {
  const readSecret = buildReadSecret(secrets)
  return async (x) => {
    const { credential, certificate } = x.target
    const limits = { lifeline: x.lifeline, deadline: x.deadline, receivedAt: x.receivedAt, route: x.service }
    const values = credential === undefined ? [] : await inTime(limits, Promise.all(secretRulesOf(credential).map(readSecret)), clock)
    const subject = credential?.kind === 'oauth2' && credential.subject === 'caller' ? callersToken(x) : undefined
    return digest(JSON.stringify([credential, certificate, values, subject]))
  }
}
