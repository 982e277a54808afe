import { base64url } from 'jose'

/** The public members of a verification key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2). */
export interface PublicJwk {
  readonly kty: string
  readonly kid?: string
  readonly use?: string
  readonly alg?: string
  readonly crv?: string
  readonly n?: string
  readonly e?: string
  readonly x?: string
  readonly y?: string
}

type Members = Readonly<Record<string, unknown>>

const keptMembers = ['kty', 'kid', 'use', 'alg', 'crv', 'n', 'e', 'x', 'y'] as const
const curves: Readonly<Record<string, readonly string[]>> = { EC: ['P-256', 'P-384', 'P-521'], OKP: ['Ed25519'] }
const keyLimit = 200
const rsaBits = { least: 2048, most: 16_384 }

/**
 * The keys of a JWK Set that may verify a signature. Symmetric, private, weak (RSA below 2048 bits) and encryption keys, and kinds
 * that no accepted algorithm uses, are left out. @throws Error when it is no key set, is unreasonably long, or nothing is left.
 */
export function usableKeys(text: string): readonly PublicJwk[] {
  const set: unknown = JSON.parse(text)
  const keys = isMembers(set) ? set['keys'] : undefined
  if (!Array.isArray(keys)) throw new Error('the answer is not a JWK Set')
  if (keys.length > keyLimit) throw new Error(`the key set has more than ${keyLimit} keys`)
  const usable = keys.filter(isMembers).filter(isUsable).map(publicPart)
  if (usable.length === 0) throw new Error('the key set has no usable key')
  return usable
}

export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether it can verify signatures and nothing else, and is strong enough to mean something. */
export function isUsable(jwk: Members): boolean {
  if ('d' in jwk || 'k' in jwk || 'p' in jwk) return false
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return false
  if (jwk['key_ops'] !== undefined && !(Array.isArray(jwk['key_ops']) && jwk['key_ops'].includes('verify'))) return false
  if (!keptMembers.every((name) => jwk[name] === undefined || typeof jwk[name] === 'string')) return false
  if (jwk['kty'] === 'RSA') return isStrongRsa(jwk)
  const known = typeof jwk['kty'] === 'string' && Object.hasOwn(curves, jwk['kty']) ? curves[jwk['kty']] : undefined
  return known?.some((curve) => curve === jwk['crv']) === true && (jwk['kty'] !== 'EC' || jwk['y'] !== undefined) && jwk['x'] !== undefined
}

function isStrongRsa(jwk: Members): boolean {
  const bits = bitLength(jwk['n'])
  const exponent = integerBytes(jwk['e'])
  if (bits === undefined || exponent === undefined) return false
  // An even exponent, or 1, makes no RSA key: with 1 every text is its own signature.
  const odd = ((exponent.at(-1) ?? 0) & 1) === 1
  return bits >= rsaBits.least && bits <= rsaBits.most && odd && !(exponent.length === 1 && exponent[0] === 1)
}

function bitLength(value: unknown): number | undefined {
  const bytes = integerBytes(value)
  return bytes?.[0] === undefined ? undefined : bytes.length * 8 - Math.clz32(bytes[0]) + 24
}

/** The bytes of a Base64urlUInt without leading zeros. */
function integerBytes(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string') return undefined
  try {
    const bytes = base64url.decode(value)
    const from = bytes.findIndex((byte) => byte !== 0)
    return from < 0 ? undefined : bytes.subarray(from)
  } catch {
    return undefined
  }
}

export function publicPart(jwk: Members): PublicJwk {
  const kept = keptMembers.flatMap((name) => (typeof jwk[name] === 'string' ? [[name, jwk[name]] as const] : []))
  return Object.fromEntries(kept) as unknown as PublicJwk // isUsable saw a kty, and strings alone
}
