import { fetchIssuerKeys } from '../../core/ingress/identify.ts'
import type { Issuer } from '../../core/policy/linked/issuers.ts'
import type { Clock, Fetch } from '../../core/ports.ts'
import { type Trouble, troubleOf } from './trouble.ts'

/** For discovery and key set together, milliseconds. */
const patienceMs = 10_000

/** What an issuer has: where its keys are, and how many fit. */
export interface IssuerKeys {
  readonly uri: string
  readonly keys: number
}

/** Fetches an issuer's key set as the gateway does, discovery included, and looks whether a key of it fits an accepted algorithm. Never rejects. */
export async function probeIssuer(issuer: Issuer, ports: { readonly fetch: Fetch; readonly clock: Pick<Clock, 'ticks'> }): Promise<IssuerKeys | Trouble> {
  const until = ports.clock.ticks() + patienceMs
  try {
    const { uri, keys } = await fetchIssuerKeys(issuer, ports.fetch, () => until - ports.clock.ticks())
    const fitting = keys.filter((key) =>
      issuer.algorithms.some((algorithm) => (key.alg ?? algorithm) === algorithm && familyOf(algorithm) === familyOfKey(key)),
    )
    if (fitting.length > 0) return { uri, keys: fitting.length }
    return {
      problem: `none of its ${keys.length} keys at ${uri} fits an accepted algorithm (${issuer.algorithms.join(', ')})`,
      hint: 'Correct algorithms, or look at the key set.',
    }
  } catch (error) {
    const { problem, hint } = troubleOf(error, false)
    return { problem, hint: hint === 'Correct what the message names.' ? 'Correct issuer or jwks, or look at the identity provider.' : hint }
  }
}

/** RFC 7518 section 3.1, RFC 8037 section 3.1. */
function familyOf(algorithm: string): string {
  if (algorithm === 'EdDSA') return 'OKP'
  if (!algorithm.startsWith('ES')) return 'RSA'
  return { ES256: 'EC P-256', ES384: 'EC P-384', ES512: 'EC P-521' }[algorithm] ?? 'EC'
}

function familyOfKey({ kty, crv }: { readonly kty: string; readonly crv?: string }): string {
  return kty === 'EC' ? `EC ${crv}` : kty
}
