import type { Duplex } from 'node:stream'
import { Fault } from '../../core/model/fault.ts'
import { isHopByHop } from '../../core/model/hop-by-hop.ts'
import type { Lifeline } from '../../core/model/lifeline.ts'
import type { Outbound, Passage as PassageOfCall, PassLimits } from '../../core/model/wire.ts'
import type { Clock } from '../../core/ports.ts'
import { cutShort } from '../cut.ts'
import { readerPatience } from '../patience.ts'
import { drained, endless, type Pull, pull } from '../pull.ts'
import { closeFrame, FrameWatch } from './frames.ts'

export interface PassageOptions extends PassLimits {
  readonly socket: Duplex
  readonly lifeline: Lifeline
  readonly clock: Clock
  /** How the downstream writes the protocol's name. */
  readonly protocol: string
  /** Set for a WebSocket: what answers the key of its handshake. */
  readonly accept: string | undefined
}

/** How long both sides of a WebSocket that we close have to say goodbye, and one side to follow the other that has closed the connection. Milliseconds. */
const closeMs = 2_000
/** One side of a WebSocket has closed the connection: so long the other may go on, whatever it says. Milliseconds. */
const halfOpenMs = 10_000
/** The downstream has no more to say in another protocol: so long the upstream may be silent. It may work on an answer, or not have noticed. Milliseconds. */
const answerMs = 30_000
/** Going away (RFC 6455 section 7.4.1). */
const goingAway = 1001

/**
 * The downstream's end of a connection that is passed on to an upstream: bytes both ways, each at the pace of who takes them, and nothing before the
 * 101. It watches over silence and age for both directions, and closes a WebSocket with a close frame to both sides where one can stand.
 */
export class Passage implements PassageOfCall {
  readonly #options: PassageOptions
  /** What the downstream says, and what it hears; undefined for other protocols than WebSocket. */
  readonly #frames: { readonly up: FrameWatch; readonly down: FrameWatch } | undefined
  readonly #open = Promise.withResolvers<void>()
  readonly #goodbye = Promise.withResolvers<undefined>()
  #early: Uint8Array[] = []
  #reading: Pull | undefined
  #received = 0
  #isOpen = false
  #saidAll = false
  #heardAll = false
  /** Why we close the connection, from then on. */
  #closing: Fault | undefined
  /** Somebody waits for the downstream to say more. */
  #isAsked = false
  #openedAt = 0
  #movedAt = 0
  /** When the first of both sides had no more to say. */
  #halfAt = Number.POSITIVE_INFINITY
  #timer: { cancel(): void } | undefined

  constructor(options: PassageOptions) {
    this.#options = options
    this.#frames = options.accept === undefined ? undefined : { up: new FrameWatch(), down: new FrameWatch() }
  }

  get received(): number {
    return this.#received
  }

  readonly said = (): AsyncIterable<Uint8Array> => ({ [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) })

  readonly heard = (): void => {
    this.#heardAll = true
    if (this.#closing !== undefined) return this.#end(this.#closing)
    this.#options.socket.end()
    this.#halved()
  }

  /** Changes the protocol, with what the upstream's 101 says, and passes on until both sides are through. `early`: what came behind the handshake. */
  async carry(outbound: Outbound, early: readonly Uint8Array[]): Promise<void> {
    const { socket, clock, lifeline } = this.#options
    this.#early = [...early]
    socket.on('close', () => this.#leave())
    if (socket.destroyed) this.#leave()
    socket.write(this.#head(outbound), 'latin1')
    this.#reading = pull(socket, {
      clock,
      idleMs: endless,
      stalled: gone,
      broken: gone,
      short: () => undefined,
      over: () => {},
    })
    this.#isOpen = true
    this.#openedAt = this.#movedAt = clock.ticks()
    this.#watch()
    this.#open.resolve()
    try {
      await this.#pour(outbound.body)
    } catch (error) {
      // What broke off must not look like an end.
      lifeline.end(Fault.from(error))
      if (this.#closing === undefined) cutShort(socket)
    }
  }

  /** The gateway is stopping. */
  goAway(): void {
    this.#close(new Fault('drained', 'the gateway is stopping', { internal: 'the gateway closed the connection to stop' }))
  }

  #head({ headers }: Outbound): string {
    const { protocol, accept } = this.#options
    const lines = ['HTTP/1.1 101 Switching Protocols', 'connection: upgrade', `upgrade: ${protocol}`]
    if (accept !== undefined) lines.push(`sec-websocket-accept: ${accept}`)
    // RFC 9110 section 8.6: a 1xx has no content, whatever the upstream says.
    headers.each((name, value) => {
      if (!isHopByHop(name) && name !== 'content-length') lines.push(`${name}: ${value}`)
    })
    return `${lines.join('\r\n')}\r\n\r\n`
  }

  async #pour(body: Outbound['body']): Promise<void> {
    if (body === undefined || body instanceof Uint8Array) throw new Error('an upstream that changed its protocol says nothing')
    const { socket, clock, idleMs } = this.#options
    const source = body[Symbol.asyncIterator]()
    for (let step = await source.next(); step.done !== true; step = await source.next()) {
      if (this.#closing !== undefined) continue
      this.#moved()
      this.#frames?.down.see(step.value)
      if (!socket.write(step.value)) await drained(socket, { clock, idleMs })
      if (socket.destroyed) {
        await source.return?.()
        return
      }
    }
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    await this.#open.promise
    const first = this.#early.shift()
    if (first !== undefined) return this.#say(first)
    const step = this.#closing === undefined ? await this.#ask() : undefined
    if (step !== undefined && this.#closing === undefined) {
      if (step.done !== true) return this.#say(step.value)
      this.#saidAll = true
      this.#halved()
      return step
    }
    return this.#sayGoodbye()
  }

  /** Undefined when we close before the downstream says more. */
  async #ask(): Promise<IteratorResult<Uint8Array> | undefined> {
    if (this.#reading === undefined) throw new Error('a passage was read before it was open')
    const reading = this.#reading.next()
    this.#isAsked = true
    try {
      return await Promise.race([reading, this.#goodbye.promise])
    } finally {
      this.#isAsked = false
      reading.catch(() => {}) // who lost the race is not heard
    }
  }

  #say(chunk: Uint8Array): IteratorResult<Uint8Array> {
    this.#moved()
    this.#received += chunk.byteLength
    this.#frames?.up.see(chunk)
    return { done: false, value: chunk }
  }

  /** The last that the upstream hears, where it can stand there. */
  #sayGoodbye(): IteratorResult<Uint8Array> {
    const up = this.#frames?.up
    const fits = !this.#saidAll && up !== undefined && up.isBetween && !up.closed
    this.#saidAll = true
    if (!fits) return { done: true, value: undefined }
    return { done: false, value: closeFrame(goingAway, true) }
  }

  #moved(): void {
    this.#movedAt = this.#options.clock.ticks()
  }

  /** One side has no more to say; the other has a while from now on. */
  #halved(): void {
    this.#moved()
    this.#halfAt = Math.min(this.#halfAt, this.#movedAt)
    this.#watch()
  }

  #close(fault: Fault): void {
    if (!this.#isOpen || this.#closing !== undefined || this.#options.lifeline.ended !== undefined) return
    this.#closing = fault
    const { socket, clock } = this.#options
    const down = this.#frames?.down
    if (down?.isBetween !== true || this.#heardAll || !socket.writable) return this.#cut(fault)
    socket.end(down.closed ? undefined : closeFrame(goingAway, false))
    this.#goodbye.resolve(undefined)
    void this.#drain()
    this.#timer?.cancel()
    this.#timer = clock.after(closeMs, () => this.#cut(fault))
  }

  /** Nobody wants to know any more, but what is not read would turn our goodbye into a reset. */
  async #drain(): Promise<void> {
    try {
      for (let step = await this.#reading?.next(); step !== undefined && step.done !== true; step = await this.#reading?.next()) {}
    } catch {
      // It is gone.
    }
  }

  /** Both have said goodbye, or the upstream is gone: the downstream has a while to follow. */
  #end(fault: Fault): void {
    const { socket, lifeline, clock } = this.#options
    lifeline.end(fault)
    this.#timer?.cancel()
    const timer = clock.after(closeMs, () => socket.destroy())
    socket.on('close', () => timer.cancel())
  }

  /** Over, whoever still speaks: the upstream is cut with the lifeline. */
  #cut(fault: Fault): void {
    this.#options.lifeline.end(fault)
    this.#timer?.cancel()
    cutShort(this.#options.socket)
  }

  /** The connection is gone: at its end, or because the downstream left. */
  #leave(): void {
    // Closed by us: the upstream's goodbye is still awaited, for a while.
    if (this.#closing !== undefined) return
    this.#timer?.cancel()
    const { socket, lifeline } = this.#options
    if (socket.readableEnded && this.#heardAll) return lifeline.settle()
    lifeline.end(gone())
    this.#reading?.fail(gone())
    this.#open.resolve()
  }

  /** Closes what is silent in both directions, or too old. */
  #watch(): void {
    this.#timer?.cancel()
    if (this.#closing !== undefined || !this.#isOpen) return
    const { clock, lifetimeMs = Number.POSITIVE_INFINITY } = this.#options
    const now = clock.ticks()
    const silentFor = this.#movedAt + this.#patience() - now
    const livesFor = this.#openedAt + lifetimeMs - now
    if (livesFor <= 0) return this.#close(new Fault('request_timeout', 'the connection has reached its longest life'))
    const followsFor = this.#frames === undefined ? Number.POSITIVE_INFINITY : this.#halfAt + halfOpenMs - now
    if (followsFor <= 0) return this.#close(new Fault('request_timeout', 'the other side of the connection did not follow its end'))
    if (silentFor <= 0) return this.#close(new Fault('request_timeout', 'the connection was silent for too long'))
    // What is patience now may be less a moment later.
    this.#timer = clock.after(Math.min(silentFor, livesFor, followsFor, this.#options.idleMs), () => this.#watch())
  }

  #patience(): number {
    const { socket, idleMs } = this.#options
    // A WebSocket of which one side is closed is over: the other has a close frame to answer, and no more.
    if (this.#frames !== undefined && (this.#saidAll || this.#heardAll)) return Math.min(idleMs, closeMs)
    if (this.#frames === undefined && this.#saidAll && !socket.writableNeedDrain) return Math.min(idleMs, answerMs)
    // Of a slow reader, on either side, nothing is seen until it has taken what was sent last.
    return socket.writableNeedDrain || !this.#isAsked ? readerPatience(idleMs) : idleMs
  }
}

function gone(): Fault {
  return new Fault('client_closed', 'the downstream went away')
}
