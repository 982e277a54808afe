import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import { Fault } from '../../core/model/fault.ts'
import type { Lifeline } from '../../core/model/lifeline.ts'
import { socketProtocol } from '../../core/model/socket.ts'
import type { Fields, Outbound, Passage as PassageOfCall, PassLimits, SocketOffer } from '../../core/model/wire.ts'
import type { Clock } from '../../core/ports.ts'
import { readerPatience } from '../patience.ts'
import { drained } from '../pull.ts'
import { acceptOf } from '../web-socket-key.ts'
import { Passage } from './passage.ts'

export interface SocketOptions {
  readonly request: IncomingMessage
  /** `websocket`, or another protocol, which can be passed on alone. */
  readonly protocol: string
  readonly socket: Duplex
  /** What came behind the request before anybody looked. */
  readonly head: Buffer
  readonly lifeline: Lifeline
  readonly clock: Clock
  /** Milliseconds without a message in either direction, or without a sign of life, until the conversation is cut. */
  readonly idleMs: number
  /** Runs once, when the protocol is changed. */
  readonly changed: () => void
}

/** What waits for the service is bounded: above it the downstream is not read. Bytes. */
const highWater = 64 * 1024
const heartbeatMs = 15_000
/** While nobody reads, only what cannot be written shows that the downstream is gone. */
const pausedMs = 1_000
/** How long the downstream has to answer our close. */
const closeMs = 2_000

/** A WebSocket that says when its close handshake begins, from either side, rather than when it is over. */
class AttentiveWebSocket extends WebSocket {
  closing: () => void = () => {}

  override close(code?: number, reason?: string | Buffer): void {
    this.closing()
    super.close(code, reason)
  }
}

/** What a change of protocol offers: a WebSocket to open and talk over until it is closed, or a connection to pass on. */
export class Conversation implements SocketOffer {
  readonly #options: SocketOptions
  readonly #early: Buffer[]
  readonly #queue: Uint8Array[] = []
  #queued = 0
  #received = 0
  #web: AttentiveWebSocket | undefined
  #passage: Passage | undefined
  /** The downstream has no more messages. */
  #ended = false
  /** Everything was said; what follows is the close handshake. */
  #done = false
  #fault: Fault | undefined
  #wake: () => void = () => {}
  #look: () => void = () => {}
  #heardAt: number
  #movedAt: number
  /** When the last message went to the downstream: its pong may stand in line behind it. */
  #sentAt = Number.NEGATIVE_INFINITY

  constructor(options: SocketOptions) {
    this.#options = options
    this.#early = options.head.length > 0 ? [options.head] : []
    this.#heardAt = this.#movedAt = options.clock.ticks()
    const { socket } = options
    socket.on('error', () => {}) // its close says all there is to know
    socket.on('close', () => this.#leave('the downstream went away'))
    // Without somebody who reads nobody would hear of a downstream that leaves while the policy, or the service, thinks.
    socket.on('readable', this.#readEarly)
    socket.on('end', this.#hangUp)
  }

  get opened(): boolean {
    return this.#web !== undefined
  }

  get protocol(): string {
    return this.#options.protocol
  }

  get received(): number {
    return this.#passage?.received ?? this.#received
  }

  pass(limits: PassLimits): PassageOfCall {
    if (this.#passage !== undefined) throw new Fault('internal', 'internal error', { internal: 'a connection was passed on twice' })
    const { request, socket, lifeline, clock, protocol } = this.#options
    const accept = protocol === 'websocket' ? acceptOf(request.headers['sec-websocket-key'] ?? '') : undefined
    this.#passage = new Passage({ socket, lifeline, clock, protocol, accept, ...limits })
    return this.#passage
  }

  /** Passes the connection on, where the upstream has changed its protocol; false when this answer is one like any other. */
  async carry(outbound: Outbound): Promise<boolean> {
    if (this.#passage === undefined || outbound.status !== 101) return false
    this.stopWaiting()
    this.#options.changed()
    await this.#passage.carry(outbound, this.#early)
    return true
  }

  open(head: Fields, messageLimit: number): AsyncIterable<Uint8Array> {
    const { request, socket } = this.#options
    if (this.#web !== undefined) throw new Fault('internal', 'internal error', { internal: 'a WebSocket was opened twice' })
    this.stopWaiting()
    const options = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: messageLimit,
      closeTimeout: closeMs,
      WebSocket: AttentiveWebSocket,
      handleProtocols: (offered: ReadonlySet<string>): string | false => (offered.has(socketProtocol) ? socketProtocol : false),
    }
    const server = new WebSocketServer(options)
    server.on('headers', (lines) => head.each((name, value) => lines.push(`${name}: ${value}`)))
    server.handleUpgrade(request, socket, Buffer.concat(this.#early), (web) => {
      this.#web = web
    })
    if (this.#web === undefined) throw new Fault('client_closed', 'the downstream went away')
    this.#options.changed()
    this.#attend(this.#web)
    socket.resume()
    return { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) }
  }

  /** Leaves the bare connection to somebody else. */
  stopWaiting(): void {
    const { socket } = this.#options
    socket.off('readable', this.#readEarly)
    socket.off('end', this.#hangUp)
  }

  /** Says an answer, each chunk a text message, at the pace of the downstream, and closes. @throws what the body throws */
  async say({ body, ending }: Outbound): Promise<void> {
    if (body instanceof Uint8Array) await this.#send(body)
    else if (body !== undefined) {
      const source = body[Symbol.asyncIterator]()
      for (let step = await source.next(); step.done !== true; step = await source.next()) {
        if (await this.#send(step.value)) continue
        await source.return?.()
        return
      }
    }
    const { code, reason } = ending?.() ?? { code: 1011, reason: '' }
    this.#close(code, reason)
  }

  /** Ends a conversation that the gateway cannot go on with: it is stopping. */
  goAway(): void {
    this.#passage?.goAway()
    const web = this.#web
    if (web === undefined || web.readyState !== WebSocket.OPEN) return
    web.closing = () => {}
    web.resume()
    web.close(1001, 'going away')
    this.#fail(new Fault('drained', 'the gateway is stopping', { internal: 'the gateway closed the WebSocket to stop' }))
  }

  /** Cuts the connection. */
  cut(): void {
    this.#options.socket.destroy()
  }

  readonly #readEarly = () => {
    const { socket } = this.#options
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) this.#early.push(chunk) // no encoding is set
    // RFC 6455 section 4.1: nothing is sent before the handshake is answered.
    if (this.#early.reduce((sum, { length }) => sum + length, 0) > highWater) socket.destroy()
  }

  readonly #hangUp = () => {
    this.#options.socket.destroy()
  }

  #attend(web: AttentiveWebSocket): void {
    const { clock, socket } = this.#options
    web.closing = () => {
      // When a broken frame is why, its error follows at once, and says more.
      queueMicrotask(() => this.#leave('the downstream closed the WebSocket'))
    }
    web.on('message', (data: Buffer, isBinary) => this.#take(data, isBinary))
    web.on('error', (error: NodeJS.ErrnoException) => this.#fail(faultOf(error)))
    web.on('pong', () => {
      this.#heardAt = clock.ticks()
    })
    web.on('ping', (data) => {
      this.#heardAt = clock.ticks()
      // Who pings without reading what comes back gets no more of it.
      if (web.readyState === WebSocket.OPEN && !socket.writableNeedDrain) web.pong(data)
    })
    this.#heardAt = this.#movedAt = clock.ticks()
    this.#keepWatch(web)
  }

  #take(data: Buffer, isBinary: boolean): void {
    const web = this.#web
    if (web === undefined || this.#done || this.#fault !== undefined) return
    this.#heardAt = this.#movedAt = this.#options.clock.ticks()
    this.#received += data.length
    if (isBinary) this.#fail(new Fault('media_type_unsupported', 'send messages as text'))
    else if (this.#ended && data.length > 0) this.#fail(new Fault('request_invalid', 'a message follows the end of the messages'))
    else if (data.length === 0) this.#ended = true
    else {
      this.#queue.push(data)
      this.#queued += data.length
      if (this.#queued >= highWater && !web.isPaused) {
        web.pause()
        this.#look()
      }
    }
    this.#wake()
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      if (this.#fault !== undefined) throw this.#fault
      const message = this.#queue.shift()
      if (message !== undefined) {
        this.#queued -= message.length
        this.#movedAt = this.#options.clock.ticks()
        if (this.#queued < highWater) this.#web?.resume()
        return { done: false, value: message }
      }
      if (this.#ended || this.#done) return { done: true, value: undefined }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Resolves with whether the downstream is there to hear more. */
  async #send(message: Uint8Array): Promise<boolean> {
    const { socket, clock, idleMs } = this.#options
    const web = this.#web
    if (web === undefined || web.readyState !== WebSocket.OPEN) return false
    web.send(message, { binary: false })
    this.#sentAt = clock.ticks()
    if (socket.writableNeedDrain) {
      await drained(socket, { clock, idleMs })
      // A slow reader comes to our pings late: that it takes what lies before them is as good a sign.
      this.#heardAt = clock.ticks()
    }
    this.#movedAt = clock.ticks()
    return web.readyState === WebSocket.OPEN && !socket.destroyed
  }

  #close(code: number, reason: string): void {
    const web = this.#web
    this.#done = true
    this.#wake()
    if (web === undefined || web.readyState !== WebSocket.OPEN) return
    web.closing = () => {}
    // A downstream that was not read could not answer the close.
    web.resume()
    web.close(code, reason)
  }

  /** The connection, or the conversation over it, is over: as it should, or because the downstream left. */
  #leave(why: string): void {
    if (this.#done) this.#options.lifeline.settle()
    else this.#fail(new Fault('client_closed', why))
  }

  #fail(fault: Fault): void {
    this.#fault ??= fault
    this.#options.lifeline.end(this.#fault)
    this.#wake()
  }

  /** Pings, so that nothing in between takes the connection for dead, and cuts what is silent or gone. */
  #keepWatch(web: AttentiveWebSocket): void {
    const { socket, clock, idleMs } = this.#options
    let timer: { cancel(): void } | undefined
    const rest = () => {
      timer?.cancel()
      timer = clock.after(web.isPaused ? pausedMs : Math.min(heartbeatMs, idleMs / 2), this.#look)
    }
    this.#look = () => {
      const now = clock.ticks()
      const isTaking = this.#sentAt > this.#heardAt || socket.writableNeedDrain
      // Of a slow reader nothing is heard until it has come to what was sent last.
      const patience = isTaking ? readerPatience(idleMs) : idleMs
      if (now - this.#movedAt > patience) return this.#fail(new Fault('request_timeout', 'the WebSocket was silent for too long'))
      // A downstream that we do not read cannot show that it is there.
      if (!web.isPaused && now - this.#heardAt > patience) return web.terminate()
      if (!socket.writableNeedDrain && web.readyState === WebSocket.OPEN) web.ping()
      rest()
    }
    rest()
    socket.on('close', () => timer?.cancel())
  }
}

/** What `ws` found in the frames; it has closed the WebSocket with a code of its own by then. */
function faultOf({ code }: NodeJS.ErrnoException): Fault {
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return new Fault('body_too_large', 'the message is too large')
  if (code === 'WS_ERR_INVALID_UTF8') return new Fault('body_invalid', 'the message is not UTF-8')
  if (code?.startsWith('WS_ERR_') === true) return new Fault('request_invalid', 'these are not the frames of a WebSocket', { internal: code })
  return new Fault('client_closed', 'the downstream went away', { internal: code ?? 'unknown' })
}
