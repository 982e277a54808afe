import { type CryptoKey, importJWK, importPKCS8 } from 'jose'

/** The private key that a client signs its assertions with (RFC 7523), and what its header says. */
export interface ClientKey {
  readonly key: CryptoKey
  readonly kid: string | undefined
  readonly alg: string
}

const byCurve: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512', Ed25519: 'EdDSA' }
const signing: ReadonlySet<string> = new Set(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', ...Object.values(byCurve)])

/** Reads a private JWK, or PKCS #8 in PEM. @throws Error that quotes nothing of it. */
export async function readClientKey(text: string): Promise<ClientKey> {
  return text.trimStart().startsWith('{') ? fromJwk(text) : fromPem(text)
}

async function fromJwk(text: string): Promise<ClientKey> {
  const jwk = objectIn(text)
  if (typeof jwk['d'] !== 'string') throw new Error('the key is no private JWK')
  const { kty, crv, kid } = jwk
  const alg = typeof jwk['alg'] === 'string' ? jwk['alg'] : kty === 'RSA' ? 'RS256' : byCurve[typeof crv === 'string' ? crv : '']
  if (alg === undefined || !signing.has(alg)) throw new Error('the key is of a kind that signs no assertions')
  const key = await importJWK({ ...jwk, key_ops: ['sign'] }, alg).catch(() => undefined)
  if (key === undefined || key instanceof Uint8Array) throw new Error('the key cannot be imported')
  return { key, alg, kid: typeof kid === 'string' ? kid : undefined }
}

/** Its owner wrote it, so it is read as it comes. */
function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    // It begins with "{": it is an object, or no JSON.
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  } catch {
    // The parser's message quotes the text.
    throw new Error('the key is not acceptable JSON')
  }
}

/** PKCS #8 says of what kind a key is, and only the import reads it. */
async function fromPem(text: string): Promise<ClientKey> {
  for (const alg of ['ES256', 'RS256', 'EdDSA', 'ES384', 'ES512']) {
    const key = await importPKCS8(text.trim(), alg).catch(() => undefined)
    if (key !== undefined) return { key, alg, kid: undefined }
  }
  throw new Error('the key is neither a JWK nor PKCS #8 in PEM')
}
