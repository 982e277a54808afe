import { SignJWT } from 'jose'
import { type KeyRing, keyRingsOf } from '../../key-ring.ts'
import type { Subject } from '../../model/principal.ts'
import type { MintedToken } from '../../policy/linked/tokens.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Ports } from '../../ports.ts'
import { type Token, TokenCache } from '../../token-cache.ts'
import { type Payload, payloadFor } from './payload.ts'

export type MintPorts = Pick<Ports, 'clock' | 'random' | 'secrets' | 'lasting' | 'journal'>

/** A token about a subject for an audience. @throws Error when there is no key to sign with. */
export type Mint = (name: string, subject: Subject, cluster: string) => Promise<string>

/** A minted token is made anew in the middle of its life and never sent in its last quarter: the service's clock may be ahead. */
const mintedRules = { refreshShare: 0.5, usableShare: 0.75, marginMs: Number.POSITIVE_INFINITY, most: 2_000 }

/** Builds what makes tokens (RFC 7519, RFC 9068), each used again for the same subject, claims and audience. */
export function buildMint(policy: Policy, ports: MintPorts): Mint {
  const cache = ports.lasting('tokens.minted', () => new TokenCache(ports.clock, mintedRules))
  const rings = keyRingsOf(ports)
  const kinds = new Map(Object.values(policy.tokens).map((token) => [token.name, { token, ring: rings(token.name, token), key: keyOf(token) }]))
  return (name, subject, cluster) => {
    const kind = kinds.get(name)
    if (kind === undefined) return Promise.reject(new Error(`no token ${name}`))
    const { token, ring } = kind
    const audience = token.audience ?? cluster
    const payload = payloadFor(token, subject, policy.issuers)
    return cache.get(JSON.stringify([kind.key, audience, payload]), () => sign(token, ring, audience, payload, ports))
  }
}

/** All of a token's settings that can be seen in it. */
function keyOf({ name, issuer, algorithm, lifetimeMs, type }: MintedToken): string {
  return JSON.stringify([name, issuer, algorithm, lifetimeMs, type])
}

async function sign(
  token: MintedToken,
  ring: KeyRing,
  audience: string,
  payload: Payload,
  { clock, random }: Pick<MintPorts, 'clock' | 'random'>,
): Promise<Token> {
  const { kid, key } = await ring.signer(token.lifetimeMs)
  // Whole seconds: what is cut off the start is cut off the life, so that the cache never holds a token longer than verifiers do.
  const now = Math.floor(clock.now() / 1000)
  const jwt = new SignJWT(payload)
    .setProtectedHeader({ alg: token.algorithm, kid, typ: token.type })
    .setIssuer(token.issuer)
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime(now + Math.ceil(token.lifetimeMs / 1000))
    .setJti(random.uuid())
  return { value: await jwt.sign(key), lifetimeMs: token.lifetimeMs }
}
