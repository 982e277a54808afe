import { type CryptoKey, calculateJwkThumbprint, exportJWK, importJWK, importPKCS8, importSPKI, type JWK } from 'jose'

/** An asymmetric key that was read, with its public half as it is published. */
export interface AsymmetricKey {
  readonly kid: string
  readonly key: CryptoKey
  readonly isPrivate: boolean
  readonly jwk: JWK
}

const publicMembers = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const

/**
 * Reads a key: a JWK as JSON text, PKCS #8 PEM, or SPKI PEM. Its id is its thumbprint (RFC 7638), whatever it calls itself: two keys never share one.
 * @throws Error that says nothing of the key.
 */
export async function readAsymmetricKey(text: string, algorithm: string): Promise<AsymmetricKey> {
  const problem = `it is no ${algorithm} key as JWK or PEM`
  const key = await importText(text.trim(), algorithm).catch(() => undefined)
  if (key === undefined || key instanceof Uint8Array || key.type === 'secret') throw new Error(problem)
  // Node's rule too (RFC 7518 section 3.3), said here for every ground.
  if ('modulusLength' in key.algorithm && Number(key.algorithm.modulusLength) < 2048) throw new Error('it is an RSA key below 2048 bits')
  const whole = await exportJWK(key).catch(() => undefined)
  if (whole === undefined) throw new Error(problem)
  const known = Object.fromEntries(publicMembers.flatMap((name) => (whole[name] === undefined ? [] : [[name, whole[name]]]))) as JWK // members of a JWK
  const kid = await calculateJwkThumbprint(known)
  return { kid, key, isPrivate: key.type === 'private', jwk: { ...known, kid, alg: algorithm, use: 'sig' } }
}

function importText(text: string, algorithm: string): Promise<CryptoKey | Uint8Array> {
  const options = { extractable: true }
  if (text.startsWith('-----BEGIN PRIVATE KEY-----')) return importPKCS8(text, algorithm, options)
  if (text.startsWith('-----BEGIN PUBLIC KEY-----')) return importSPKI(text, algorithm, options)
  const { use: _, key_ops: __, ...jwk } = JSON.parse(text) as JWK // whatever it is, the import judges it
  return importJWK(jwk, algorithm, options)
}
