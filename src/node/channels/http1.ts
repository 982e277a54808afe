import { Agent, type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpCall, HttpReply } from '../../core/model/call.ts'
import { Fault } from '../../core/model/fault.ts'
import { FieldList } from '../../core/model/fields.ts'
import { eachEndToEnd, endToEnd } from '../../core/model/hop-by-hop.ts'
import type { CallOptions, Endpoint } from '../../core/ports.ts'
import { type Pull, pull } from '../pull.ts'
import type { ConnectionCap, Holder } from './connection-cap.ts'
import { type DialPorts, dial, reasonOf } from './dial.ts'
import { sendBody } from './send-body.ts'
import { changedReply, type Handshake, shakeHands } from './upgrade.ts'
import { brokenOff, brokenProtocol, InFlight, stalledFault, type Wire, watchDeadline, wrongKind } from './wire.ts'

/** A connection is not used again after this age, so that a target that moved is noticed. Milliseconds. */
const longestLifeMs = 5 * 60_000

/** Methods that mean the same once and twice (RFC 9110 section 9.2.2). */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

const resent: Readonly<Record<NonNullable<CallOptions['resend']>, ReadonlySet<string>>> = {
  idempotent,
  safe: new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']),
  never: new Set(),
}

const bodiless: ReadonlySet<number> = new Set([204, 304])

/** HTTP/1.1 over pooled connections that are opened by the guarded dialler alone. */
export function openHttp1(endpoint: Endpoint, ports: DialPorts, cap?: ConnectionCap): Wire {
  const agent = new DialAgent(endpoint, ports, { keepAlive: true, cap })
  // What changes its protocol has a connection of its own, never one that requests of others went by or will.
  const changing = new DialAgent(endpoint, ports, { keepAlive: false, cap })
  const inFlight = new InFlight()
  return {
    async http(call, options) {
      options.lifeline.check()
      const leave = inFlight.enter()
      try {
        if (call.upgrade !== undefined) return await exchangeOnce(call, options, endpoint, changing, ports, leave)
        return await exchangeOrResend(call, options, endpoint, agent, ports, leave)
      } catch (error) {
        leave()
        throw error
      }
    },
    grpc: () => wrongKind(endpoint),
    get connections() {
      return agent.open + changing.open
    },
    close: () =>
      inFlight.close(() => {
        agent.retire()
        changing.retire()
      }),
  }
}

/** Keeps connections for reuse and opens new ones with the dialler. An agent is the one place where Node always asks for them. */
class DialAgent extends Agent implements Holder {
  readonly cap: ConnectionCap | undefined
  readonly #endpoint: Endpoint
  readonly #ports: DialPorts
  readonly #bornAt = new WeakMap<Duplex, number>()
  readonly #open = new Set<Duplex>()
  #opening = 0
  /** Promised to calls that are about to begin: new ones, and idle ones. */
  #promised = { fresh: 0, idle: 0 }

  constructor(endpoint: Endpoint, ports: DialPorts, { keepAlive, cap }: { readonly keepAlive: boolean; readonly cap: ConnectionCap | undefined }) {
    super({ keepAlive, timeout: endpoint.idleMs, scheduling: 'lifo' })
    this.#endpoint = endpoint
    this.#ports = ports
    this.cap = cap
    if (cap === undefined) return
    cap.join(this)
    // After Node's own listener: the connection is idle now, or closed.
    this.on('free', () => cap.changed())
  }

  get count(): number {
    return this.#open.size + this.#opening + this.#promised.fresh
  }

  get open(): number {
    return this.#open.size
  }

  get idle(): number {
    return Math.max(0, this.#idle().length - this.#promised.idle)
  }

  dropIdle(): void {
    // The one that was idle for the longest.
    const [oldest] = this.#idle()
    if (oldest === undefined) return
    this.#open.delete(oldest)
    oldest.destroy()
  }

  /**
   * Waits for a connection, where there is a cap. The function is to be called once it is taken, or not wanted after all.
   * @throws Fault `overloaded`, `deadline_exceeded`, or why the request ended
   */
  async promise(cap: ConnectionCap, options: CallOptions): Promise<() => void> {
    let kind: 'fresh' | 'idle' = 'fresh'
    const grab = () => {
      kind = this.#idle().length > this.#promised.idle ? 'idle' : 'fresh'
      if (kind === 'fresh' && !cap.makeRoom()) return false
      this.#promised[kind] += 1
      return true
    }
    await cap.wait(this, grab, { options, clock: this.#ports.clock, ms: this.#endpoint.connectTimeoutMs })
    let given = true
    return () => {
      if (!given) return
      given = false
      this.#promised[kind] -= 1
      cap.changed()
    }
  }

  /** Closes what is idle; nothing is asked for any more. */
  retire(): void {
    this.destroy()
    this.cap?.leave(this)
  }

  #idle(): readonly Duplex[] {
    return Object.values(this.freeSockets).flatMap((sockets) => (sockets ?? []).filter(({ destroyed }) => !destroyed))
  }

  /** All connections of an agent lead to one endpoint: the name that Node would put together for each request tells nothing apart. */
  override getName(): string {
    return 'endpoint'
  }

  override createConnection(_options: unknown, callback?: (error: Error | null, socket: Duplex) => void): undefined {
    void this.#connect(callback ?? (() => {}))
    return undefined
  }

  async #connect(handOver: (error: Error | null, socket: Duplex) => void): Promise<void> {
    this.#opening += 1
    try {
      const socket = await dial(this.#endpoint, ['http/1.1'], this.#ports)
      this.#bornAt.set(socket, this.#ports.clock.ticks())
      this.#opening -= 1
      this.#open.add(socket)
      socket.once('close', () => {
        this.#open.delete(socket)
        this.cap?.changed()
      })
      handOver(null, socket)
    } catch (error) {
      this.#opening -= 1
      this.cap?.changed()
      // Node reads the second argument only when the first is null.
      handOver(Fault.from(error), undefined as unknown as Duplex)
    }
  }

  override keepSocketAlive(socket: Duplex): void {
    const old = this.#ports.clock.ticks() - (this.#bornAt.get(socket) ?? 0) > longestLifeMs
    // Node's contract: false means "do not keep"; its type says void.
    const kept = (old ? false : super.keepSocketAlive(socket)) as unknown as boolean
    // What comes while nothing was asked would be taken for the next answer.
    if (kept) socket.on('data', destroyThis)
    return kept as unknown as void
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    socket.off('data', destroyThis)
    super.reuseSocket(socket, request)
  }

  /** Drops what waits for reuse: one of them was dead, so its neighbours probably are. */
  dropAllIdle(): void {
    for (const sockets of Object.values(this.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
  }
}

function destroyThis(this: Duplex): void {
  this.destroy()
}

/** Why an exchange came to nothing, and whether the connection was an old one that had died before a byte of answer. */
class Lost extends Error {
  readonly fault: Fault
  readonly stale: boolean

  constructor(fault: Fault, stale: boolean) {
    super(fault.message, { cause: fault })
    this.fault = fault
    this.stale = stale
  }
}

/**
 * An idle connection may be closed by its upstream in the moment we choose it. Then nothing was answered, and a request that may be sent
 * twice is sent once more over a fresh connection (RFC 9112 section 9.3.1).
 */
async function exchangeOrResend(
  call: HttpCall,
  options: CallOptions,
  endpoint: Endpoint,
  agent: DialAgent,
  ports: DialPorts,
  leave: () => void,
): Promise<HttpReply> {
  try {
    return await exchange(call, options, endpoint, agent, ports, leave)
  } catch (error) {
    if (!(error instanceof Lost)) throw error
    const again = error.stale && call.body === undefined && resent[options.resend ?? 'idempotent'].has(call.method) && options.lifeline.ended === undefined
    if (!again) throw error.fault
  }
  agent.dropAllIdle()
  return exchangeOnce(call, options, endpoint, agent, ports, leave)
}

async function exchangeOnce(
  call: HttpCall,
  options: CallOptions,
  endpoint: Endpoint,
  agent: DialAgent,
  ports: DialPorts,
  leave: () => void,
): Promise<HttpReply> {
  try {
    return await exchange(call, options, endpoint, agent, ports, leave)
  } catch (error) {
    throw error instanceof Lost ? error.fault : error
  }
}

async function exchange(call: HttpCall, options: CallOptions, endpoint: Endpoint, agent: DialAgent, ports: DialPorts, leave: () => void): Promise<HttpReply> {
  const taken = agent.cap === undefined ? undefined : await agent.promise(agent.cap, options)
  try {
    // It may have ended since its connection was promised.
    options.lifeline.check()
    return await converse(call, options, endpoint, agent, ports, leave, taken)
  } finally {
    taken?.()
  }
}

function converse(
  call: HttpCall,
  options: CallOptions,
  endpoint: Endpoint,
  agent: DialAgent,
  ports: DialPorts,
  leave: () => void,
  taken: (() => void) | undefined,
): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const { clock } = ports
    const handshake = call.upgrade === undefined ? undefined : shakeHands(call.upgrade)
    const request = openRequest({ agent, method: call.method, path: call.target, headers: headOf(call, handshake), setHost: false })
    // Node has taken an idle connection by now, or asked for a new one.
    taken?.()
    // Zero: all of them. Any other figure drops what is above it silently, the length of the body included.
    request.maxHeadersCount = 0
    let reading: Pull | undefined
    let readBefore = 0
    let over = false
    let changed = false
    const finish = () => {
      if (over) return false
      over = true
      late()
      forget()
      return true
    }
    const fail = (fault: Fault) => {
      const socket = request.socket
      const stale = request.reusedSocket && fault.code === 'upstream_reset' && (socket === null || socket.bytesRead === readBefore)
      if (!finish()) return
      request.destroy()
      reading?.fail(fault)
      reject(new Lost(fault, stale))
    }
    const late = watchDeadline(options, clock, fail)
    const forget = options.lifeline.onEnd(fail)

    request.on('socket', (socket) => {
      readBefore = socket.bytesRead
    })
    request.on('error', (error) => fail(faultOf(error, endpoint)))
    request.on('close', () => {
      if (reading === undefined && !changed) fail(brokenOff(endpoint, 'closed before an answer'))
    })
    // With a listener Node hands the connection over instead of waiting for ever: an upgrade nobody asked for ends here.
    request.on('upgrade', (response, socket, head) => {
      const problem = handshake === undefined ? 'switched protocols unasked' : handshake.problemOf(response)
      if (call.upgrade === undefined || problem !== undefined) {
        socket.destroy()
        return fail(brokenProtocol(endpoint, problem ?? 'switched protocols unasked'))
      }
      finish()
      changed = true
      resolve(changedReply(response, call.upgrade, { socket, head, endpoint, options, ports, over: leave }))
    })
    request.on('response', (response) => {
      const problem = framingProblem(response, call, endpoint)
      if (problem !== undefined) return fail(problem)
      late()
      const ended = () => {
        finish()
        // An upstream that answered before it read the whole request is owed bytes: the connection cannot be used again.
        if (!request.writableFinished) request.destroy()
        leave()
      }
      const body = bodyOf(response, call, { request, endpoint, options, ports }, ended)
      reading = body
      if (body === undefined) {
        response.on('error', () => {}) // nothing more is expected of it
        response.resume()
        ended()
      }
      resolve(replyOf(response, body))
    })
    sendBody(request, call.body, fail)
  })
}

interface Exchanged {
  readonly request: ClientRequest
  readonly endpoint: Endpoint
  readonly options: CallOptions
  readonly ports: DialPorts
}

function bodyOf(response: IncomingMessage, call: HttpCall, { request, endpoint, options, ports }: Exchanged, ended: () => void): Pull | undefined {
  const { idleMs } = options
  if (call.method === 'HEAD' || bodiless.has(response.statusCode ?? 0) || response.headers['content-length'] === '0') return undefined
  return pull(response, {
    clock: ports.clock,
    idleMs,
    stalled: () => stalledFault(endpoint, idleMs),
    broken: (error) => (error === undefined ? brokenOff(endpoint, 'closed in the middle of the body') : faultOf(error, endpoint)),
    short: () => (response.complete ? undefined : brokenOff(endpoint, 'the body ended early')),
    over(whole) {
      if (!whole) request.destroy()
      ended()
    },
  })
}

function replyOf(response: IncomingMessage, body: Pull | undefined): HttpReply {
  const headers = endToEnd(FieldList.fromRaw(response.rawHeaders))
  return { kind: 'http', status: response.statusCode ?? 0, headers, body, trailers: () => FieldList.fromRaw(response.rawTrailers) }
}

/**
 * In the mesh an answer must say where it ends: one that ends with the connection looks the same whole and cut. Third parties may
 * still answer that way.
 */
function framingProblem(response: IncomingMessage, call: HttpCall, endpoint: Endpoint): Fault | undefined {
  const { headers, statusCode = 0 } = response
  if (statusCode < 200 || statusCode > 599) return brokenProtocol(endpoint, `status ${statusCode}`)
  // Any other coding was not asked for: the bytes would go on as if they were the content, and without "chunked" their end could not be told.
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return brokenProtocol(endpoint, `transfer-encoding ${coding.slice(0, 40)}`)
  if (endpoint.vet !== undefined || call.method === 'HEAD' || bodiless.has(statusCode)) return undefined
  const framed = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  return framed ? undefined : brokenProtocol(endpoint, 'an answer without length')
}

/** Names and values in turn. Framing and connection fields are ours alone: what a downstream sent about its own connection ends here. */
function headOf(call: HttpCall, handshake: Handshake | undefined): string[] {
  const head = ['host', call.authority, ...(handshake?.fields ?? [])]
  eachEndToEnd(call.headers, (name, value) => {
    if (name !== 'host' && name !== 'content-length' && name !== 'expect') head.push(name, value)
  })
  if (call.body === undefined) {
    // RFC 9110 section 8.6: a method that usually has a body says that there is none.
    if (call.method === 'POST' || call.method === 'PUT' || call.method === 'PATCH') head.push('content-length', '0')
  } else if (call.body.length !== undefined) head.push('content-length', `${call.body.length}`)
  else head.push('transfer-encoding', 'chunked')
  return head
}

function faultOf(error: Error, endpoint: Endpoint): Fault {
  if (error instanceof Fault) return error
  const reason = reasonOf(error)
  return reason.startsWith('HPE_') ? brokenProtocol(endpoint, reason, error) : brokenOff(endpoint, reason, error)
}
