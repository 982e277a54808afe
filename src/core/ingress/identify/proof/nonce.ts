import { CompactSign, compactVerify } from 'jose'

/** How long a nonce is handed out; it is good for twice as long. */
const spanMs = 300_000

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * A nonce that any replica with the same key can tell without remembering it: the number of its span of time, signed. It says nothing about
 * the caller (RFC 9449 section 8).
 */
export function freshNonce(key: string, now: number): Promise<string> {
  return new CompactSign(encoder.encode(`${Math.floor(now / spanMs)}`)).setProtectedHeader({ alg: 'HS256' }).sign(encoder.encode(key))
}

/** Whether it was handed out in this span of time or the one before. */
export async function isNonce(nonce: string, key: string, now: number): Promise<boolean> {
  try {
    const { payload } = await compactVerify(nonce, encoder.encode(key), { algorithms: ['HS256'] })
    const age = Math.floor(now / spanMs) - Number(decoder.decode(payload))
    return age === 0 || age === 1
  } catch {
    return false
  }
}
