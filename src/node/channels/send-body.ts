import type { Writable } from 'node:stream'
import { Fault } from '../../core/model/fault.ts'
import type { Body } from '../../core/model/wire.ts'
import { drained } from '../pull.ts'

/**
 * Writes a body to an upstream at the upstream's pace. Pulling starts only when the connection is there, so that a call that never
 * left still has its body. A body that breaks, or is not as long as it said, breaks the request.
 */
export function sendBody(stream: Writable, body: Body | undefined, fail: (fault: Fault) => void): void {
  if (body === undefined) {
    stream.end()
    return
  }
  stream.once('socket', () => {
    void pump(stream, body).catch((error: unknown) => fail(Fault.from(error)))
  })
}

/** Writes the whole body and ends the stream; stops pulling when the stream is gone. @throws what the body throws. */
export async function pump(stream: Writable, body: Body): Promise<void> {
  let sent = 0
  for await (const chunk of body.chunks()) {
    if (stream.destroyed) return
    sent += chunk.byteLength
    if (body.length !== undefined && sent > body.length) break
    if (!stream.write(chunk)) await drained(stream)
    if (stream.destroyed) return
  }
  if (body.length !== undefined && sent !== body.length) {
    throw new Fault('internal', 'internal error', { internal: `a body of ${sent} bytes was announced as ${body.length}` })
  }
  stream.end()
}
