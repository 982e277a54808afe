import { compactVerify, decodeProtectedHeader, SignJWT } from 'jose'
import { type AsymmetricKey, readAsymmetricKey } from './signing-key.ts'

/** The longest life of a debug token, seconds. */
export const debugTokenSeconds = 900
const type = 'sallyport-debug+jwt'
const largest = 2048
/** Clocks of gateway and operator may differ. Seconds. */
const skew = 5

/** What the key may be shows in its text alone. */
function keyOf(text: string): Promise<AsymmetricKey> {
  return readAsymmetricKey(text, 'ES256')
    .catch(() => readAsymmetricKey(text, 'EdDSA'))
    .catch(() => {
      throw new Error('it is neither an ES256 nor an Ed25519 key as JWK or PEM')
    })
}

/** The key that debug tokens are verified with; of a private one its public half. @throws Error that says nothing of the key. */
export async function readDebugKey(text: string): Promise<AsymmetricKey> {
  const read = await keyOf(text)
  return read.isPrivate ? readAsymmetricKey(JSON.stringify(read.jwk), String(read.jwk.alg)) : read
}

export interface DebugTokenFacts {
  /** For whom: the environment. */
  readonly environment: string
  /** Who asked for it. */
  readonly subject: string
  readonly seconds: number
  /** Wall time, milliseconds. */
  readonly now: number
}

/** Makes a debug token with a private key (JWK or PEM). @throws Error that says nothing of the key. */
export async function makeDebugToken(keyText: string, { environment, subject, seconds, now }: DebugTokenFacts): Promise<string> {
  const { kid, key, isPrivate, jwk } = await keyOf(keyText)
  if (!isPrivate) throw new Error('it is a public key, which cannot sign')
  const iat = Math.floor(now / 1000)
  return new SignJWT({})
    .setProtectedHeader({ alg: String(jwk.alg), kid, typ: type })
    .setAudience(environment)
    .setSubject(subject)
    .setIssuedAt(iat)
    .setExpirationTime(iat + seconds)
    .sign(key)
}

/** Whether a debug token is good here and now: its type, its key, its environment, and a life of at most fifteen minutes that is not over. */
export async function isDebugToken(text: string, { key, jwk }: AsymmetricKey, environment: string, now: number): Promise<boolean> {
  if (text.length > largest) return false
  try {
    if (decodeProtectedHeader(text).typ !== type) return false
    const { payload } = await compactVerify(text, key, { algorithms: [String(jwk.alg)] })
    return isInForce(JSON.parse(new TextDecoder().decode(payload)), environment, now / 1000)
  } catch {
    return false
  }
}

function isInForce(claims: unknown, environment: string, now: number): boolean {
  if (typeof claims !== 'object' || claims === null || !('aud' in claims) || !('iat' in claims) || !('exp' in claims)) return false
  const { aud, iat, exp } = claims
  if (typeof iat !== 'number' || typeof exp !== 'number' || aud !== environment) return false
  return exp > now && iat <= now + skew && exp - iat <= debugTokenSeconds
}
