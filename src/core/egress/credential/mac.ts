export type MacHash = 'sha256' | 'sha384' | 'sha512'

const names = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' } as const

/** HMAC (RFC 2104). A text is its UTF-8. */
export async function hmac(hash: MacHash, key: Uint8Array | string, data: Uint8Array | string): Promise<Uint8Array> {
  const { subtle } = globalThis.crypto
  const imported = await subtle.importKey('raw', bytesOf(key), { name: 'HMAC', hash: names[hash] }, false, ['sign'])
  return new Uint8Array(await subtle.sign('HMAC', imported, bytesOf(data)))
}

/** A digest of bytes. */
export async function digestOf(hash: MacHash, data: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest(names[hash], bytesOf(data)))
}

/** Lower-case. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function base64Of(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

/** WebCrypto takes no view of shared memory, so it gets a copy of its own. */
function bytesOf(data: Uint8Array | string): Uint8Array<ArrayBuffer> {
  return typeof data === 'string' ? new TextEncoder().encode(data) : Uint8Array.from(data)
}
