import { createHash, randomBytes } from 'node:crypto'

/** A fresh `Sec-WebSocket-Key` (RFC 6455 section 4.1). */
export function freshKey(): string {
  return randomBytes(16).toString('base64')
}

/** The `Sec-WebSocket-Accept` that proves that a key was read by somebody who speaks WebSocket (RFC 6455 section 4.2.2). */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}
