import type { Reply } from '../model/call.ts'
import type { Credentialed } from '../model/exchange.ts'
import type { AddCredential } from './credential.ts'

/** Sends a call, and once more where a new token may help. @throws whatever sending and the credential throw */
export type Renew = (x: Credentialed) => Promise<Reply>

/** RFC 9110 section 9.2.1: whoever asks twice has asked for nothing else. */
const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Builds what meets a vendor that refuses a token before its time (401): a safe call without a body is sent once more with a fresh one, however many calls
 * found out at the same moment. Any other goes back to the caller: a body may be gone, and 401 does not say that nothing was done.
 */
export function buildRenew(credential: AddCredential, forward: (x: Credentialed) => Promise<Reply>): Renew {
  return async function renew(x) {
    const reply = await forward(x)
    const { sent, secrets, call } = x
    if (reply.kind !== 'http' || reply.status !== 401 || !safe.has(call.method) || call.body !== undefined || x.spoil?.() !== true) return reply
    await discard(reply.body)
    const again = await credential(x)
    // The vendor may still repeat what it was shown first.
    Object.assign(again, { secrets: [...again.secrets, ...secrets] })
    const second = await forward(again)
    if (sent !== undefined && again.sent !== undefined) Object.assign(again, { sent: { ...again.sent, attempts: again.sent.attempts + sent.attempts } })
    return second
  }
}

async function discard(body: Uint8Array | AsyncIterable<Uint8Array> | undefined): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) return
  // Whether it ends well no longer matters.
  await Promise.resolve(body[Symbol.asyncIterator]().return?.()).catch(() => {})
}
