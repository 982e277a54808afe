import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../../core/ports.ts'
import type { Conversation } from './conversation.ts'

/** How a connection ended: both sides were done, or why it was made to. */
export type StreamEnd = 'closed' | 'idle' | 'lifetime' | 'expired' | 'drained' | 'reset' | 'broken'

export interface CarryOptions {
  /** Of the workload. */
  readonly near: Socket
  /** Of the target. */
  readonly far: Socket
  readonly clock: Clock
  readonly idleMs: number
  readonly lifetimeMs: number
  /** How long what its caller showed still holds; undefined where it ends by itself never. */
  readonly provedMs: number | undefined
  readonly conversation: Conversation
  /** How long a connection that outlives its lifetime may take to rest. */
  readonly drainMs: number
}

/** A connection that carries bytes. */
export interface Carried {
  /** Ends it as soon as it rests; after `ms` it is reset. A second call may only shorten the time. */
  drain(ms: number, why: 'drained' | 'lifetime' | 'expired'): void
  cut(): void
  readonly bytes: { readonly out: number; readonly in: number }
  /** Settles when both sides are gone. Never rejects. */
  readonly over: Promise<StreamEnd>
}

/** A connection on which nothing has moved for so long is quiet. Milliseconds. */
const quietMs = 250

/** A side that does not notice that it was left. Milliseconds. */
const lingerMs = 1000

/** Ends a connection with a reset where that can be said: not over TLS, and not behind an end. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return
  if (socket instanceof TLSSocket || socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

/** Carries bytes both ways: a side that ends is ended at the other, one that does not read is not read for. */
export function carry({ near, far, clock, idleMs, lifetimeMs, provedMs = Number.POSITIVE_INFINITY, conversation, drainMs }: CarryOptions): Carried {
  const over = Promise.withResolvers<StreamEnd>()
  const bytes = { out: 0, in: 0 }
  const began = clock.ticks()
  const endsAt = began + Math.min(lifetimeMs, provedMs)
  let movedAt = began
  let ending: StreamEnd | undefined
  let draining: { readonly until: number } | undefined
  let gone = 0

  const end = (why: StreamEnd) => {
    ending ??= why
    near.end()
    far.end()
  }
  const cut = (why: StreamEnd) => {
    ending ??= why
    for (const socket of [near, far]) reset(socket)
  }
  // What waits here for a side that reads slowly would be lost with the end: nothing rests before it is taken.
  const rests = () => near.writableLength === 0 && far.writableLength === 0 && conversation.rests(clock.ticks() - movedAt >= quietMs)
  const look = () => {
    const now = clock.ticks()
    if (draining !== undefined) {
      // What was asked to end has the rest of the time to do so.
      if (now >= draining.until) cut('reset')
      else if (ending === undefined && rests()) end(why)
    } else if (now - movedAt >= idleMs) cut('idle')
    else if (now >= endsAt) drain(drainMs, provedMs < lifetimeMs ? 'expired' : 'lifetime')
    schedule()
  }
  let why: StreamEnd = 'drained'
  let timer: { cancel(): void } | undefined
  function schedule(): void {
    timer?.cancel()
    if (gone === 2) return
    const now = clock.ticks()
    const next = draining === undefined ? Math.min(movedAt + idleMs, endsAt) : Math.min(draining.until, now + quietMs / 5)
    timer = clock.after(Math.max(1, next - now), look)
  }
  function drain(ms: number, because: 'drained' | 'lifetime' | 'expired'): void {
    const until = clock.ticks() + ms
    if (draining !== undefined && draining.until <= until) return
    if (draining === undefined) why = because
    draining = { until }
    look()
  }

  /** Nothing that a side says goes anywhere once the other is gone, and nothing more comes for it: it takes what was written, at its own pace, and has a moment to end. */
  const close = (last: Socket) => {
    if (!last.writableEnded) last.end()
    last.resume()
    const wait = () => clock.after(lingerMs, () => void (last.writableLength > 0 ? (lingering = wait()) : last.destroy()))
    let lingering = wait()
    last.once('close', () => lingering.cancel())
  }

  const join = (from: Socket, to: Socket, heard: (chunk: Buffer) => Buffer, rest: () => Buffer) => {
    const pass = (chunk: Buffer) => {
      if (chunk.length > 0 && to.writable && !to.write(chunk)) from.pause()
    }
    from.on('data', (chunk: Buffer) => {
      movedAt = clock.ticks()
      pass(heard(chunk))
    })
    to.on('drain', () => {
      movedAt = clock.ticks()
      from.resume()
    })
    from.on('end', () => {
      pass(rest())
      to.end()
    })
    from.on('error', () => {
      ending ??= 'broken'
      // An error is told the other side as one: what it has may be half of something.
      reset(to)
    })
    from.on('close', () => {
      gone += 1
      if (gone < 2) return close(to)
      timer?.cancel()
      over.resolve(ending ?? 'closed')
    })
  }
  const heardNear = (chunk: Buffer) => {
    const passed = conversation.fromNear(chunk)
    bytes.out += passed.length
    return passed
  }
  const heardFar = (chunk: Buffer) => {
    bytes.in += chunk.length
    conversation.fromFar(chunk)
    return chunk
  }
  join(near, far, heardNear, () => conversation.nearEnded())
  join(far, near, heardFar, () => Buffer.alloc(0))
  schedule()
  return { drain, cut: () => cut('reset'), bytes, over: over.promise }
}
