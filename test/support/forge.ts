import { createHmac, KeyObject, sign as signBytes } from 'node:crypto'
import type { CryptoKey } from 'jose'

/** Makes the signature of `header.payload`. */
export type Signer = (input: string) => Uint8Array

/** A compact JWS of texts and bytes that stand as they are: no library between them and the wire. */
export function forge(header: string | Uint8Array, payload: string | Uint8Array, sign: Signer): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${encode(sign(input))}`
}

/** The three segments of a token. @throws Error when there are not three */
export function segments(token: string): readonly [header: string, payload: string, signature: string] {
  const [header, payload, signature, ...more] = token.split('.')
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) throw new Error('not three segments')
  return [header, payload, signature]
}

export function encode(data: string | Uint8Array): string {
  return Buffer.from(data).toString('base64url')
}

/** ECDSA as JWS has it, or in DER. */
export function ecdsa(key: CryptoKey | KeyObject, hash = 'sha256', form: 'ieee-p1363' | 'der' = 'ieee-p1363'): Signer {
  return (input) => signBytes(hash, Buffer.from(input), { key: keyObject(key), dsaEncoding: form })
}

/** RSASSA-PKCS1-v1_5, or whatever a node key of another kind does on its own. */
export function plainly(key: CryptoKey | KeyObject, hash: string | null = 'sha256'): Signer {
  return (input) => signBytes(hash, Buffer.from(input), keyObject(key))
}

export function hmac(secret: string | Uint8Array, hash = 'sha256'): Signer {
  return (input) => createHmac(hash, secret).update(input).digest()
}

/** The same bytes whatever is signed. */
export function always(signature: Uint8Array): Signer {
  return () => signature
}

function keyObject(key: CryptoKey | KeyObject): KeyObject {
  return key instanceof KeyObject ? key : KeyObject.from(key)
}
