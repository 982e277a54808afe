import type { PlacedLive } from '../../model/exchange.ts'
import { inTime } from '../../model/in-time.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Ports } from '../../ports.ts'
import { buildReadSecret, unavailable } from './secret.ts'
import { buildTokens } from './token-request.ts'

/** A credential that ends by itself, in the form its workload reads. */
export type ShortLived =
  | { readonly kind: 'token'; readonly token: string; readonly leftMs: number }
  | { readonly kind: 'aws'; readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken: string }

/** @throws Fault `credential_unavailable`, also for a credential that does not end by itself */
export type GetShortLived = (x: PlacedLive) => Promise<ShortLived>

/** Builds what gets the credential of a target itself: the gateway's own token, which its calls use too, or temporary AWS keys. */
export function buildShortLived(policy: Policy, ports: Pick<Ports, 'clock' | 'fetch' | 'secrets' | 'lasting' | 'digest'>): GetShortLived {
  const readSecret = buildReadSecret(ports.secrets)
  const getToken = buildTokens(readSecret, policy.environmentClass === 'nonprod', ports)

  return async function getShortLived(x) {
    const { credential } = x.target
    if (credential?.kind === 'oauth2' && credential.subject === 'client') {
      const { token, leftMs } = await getToken(x, credential)
      return { kind: 'token', token, leftMs: leftMs() }
    }
    // The loader refuses every other; a static secret leaves the house by no mistake of its.
    if (credential?.kind !== 'sigv4' || credential.sessionToken === undefined) throw unavailable('the credential is not short-lived')
    const limits = { lifeline: x.lifeline, deadline: x.deadline, receivedAt: x.receivedAt, route: x.service }
    const read = Promise.all([readSecret(credential.accessKeyId), readSecret(credential.secret), readSecret(credential.sessionToken)])
    const [accessKeyId, secretAccessKey, sessionToken] = await inTime(limits, read, ports.clock)
    return { kind: 'aws', accessKeyId, secretAccessKey, sessionToken }
  }
}
