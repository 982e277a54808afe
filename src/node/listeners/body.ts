import type { Readable } from 'node:stream'
import { Fault } from '../../core/model/fault.ts'
import { addPiece } from '../../core/model/pieces.ts'
import type { Body } from '../../core/model/wire.ts'
import type { Clock } from '../../core/ports.ts'
import { type Pull, pull } from '../pull.ts'

export interface BodySource {
  readonly stream: Readable
  /** Bytes announced by Content-Length. */
  readonly length: number | undefined
  readonly clock: Clock
  readonly idleMs: number
  /** Asked at the end: whether that was the end of the body. */
  readonly isWhole: () => boolean
  /** Runs once, when somebody wants the body: a `100 Continue` is due now, after the policy has spoken. */
  readonly wanted: () => void
}

/** A downstream's body. Nothing is read before somebody asks, and no more than is asked for. */
export interface InboundBody extends Body {
  readonly received: number
  /** Everything was read. */
  readonly complete: boolean
  readonly touched: boolean
}

export function inboundBody(source: BodySource): InboundBody {
  const { stream, length, clock, idleMs } = source
  let received = 0
  let complete = false
  let touched = false
  let reading: Pull | undefined

  const open = (): Pull => {
    if (touched) throw new Fault('internal', 'internal error', { internal: 'a body was read twice' })
    touched = true
    source.wanted()
    reading = pull(stream, {
      clock,
      idleMs,
      stalled: () => new Fault('request_timeout', 'the request body stalled', { close: true }),
      broken: (error) => new Fault('client_closed', 'the downstream went away', { cause: error }),
      short: () => (source.isWhole() ? undefined : new Fault('client_closed', 'the downstream went away')),
      over(whole) {
        complete = whole
      },
    })
    return reading
  }

  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of open()) {
      received += chunk.byteLength
      yield chunk
    }
  }

  async function bytes(limit: number): Promise<Uint8Array> {
    if (length !== undefined && length > limit) throw tooLarge(limit)
    const parts: Uint8Array[] = []
    // Not through `chunks`: another generator in between would cost more than the reading.
    for await (const chunk of open()) {
      received += chunk.byteLength
      if (received > limit) throw tooLarge(limit)
      addPiece(parts, chunk)
    }
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
  }

  return {
    length,
    bytes,
    chunks,
    get received() {
      return received
    },
    get complete() {
      return complete
    },
    get touched() {
      return touched
    },
  }
}

function tooLarge(limit: number): Fault {
  return new Fault('body_too_large', `the body is larger than ${limit} bytes`, { close: true })
}
