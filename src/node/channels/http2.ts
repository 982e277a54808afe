import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import type { HttpCall, HttpReply } from '../../core/model/call.ts'
import { Fault } from '../../core/model/fault.ts'
import { FieldList } from '../../core/model/fields.ts'
import { eachEndToEnd, endToEnd } from '../../core/model/hop-by-hop.ts'
import type { Fields } from '../../core/model/wire.ts'
import type { CallOptions, Endpoint } from '../../core/ports.ts'
import { type Pull, pull } from '../pull.ts'
import type { ConnectionCap, Holder } from './connection-cap.ts'
import { type DialPorts, dial, materialOf, nameOf, reasonOf } from './dial.ts'
import { pump } from './send-body.ts'
import { refuseUpgrade } from './upgrade.ts'
import { brokenOff, brokenProtocol, InFlight, stalledFault, type Wire, watchDeadline, wrongKind } from './wire.ts'

/** A connection, and how many of our streams it carries. */
interface Line {
  readonly session: ClientHttp2Session
  /** Of the TLS material at its beginning; 0 in clear text. */
  readonly generation: number
  active: number
}

/** How often a connection with streams on it is asked whether it lives, and how long it may take to say so. Milliseconds. */
const pingEveryMs = 10_000
const pingLimitMs = 3_000

/** HTTP/2 with prior knowledge, or by ALPN over TLS, as many connections as the upstream's stream limit makes necessary and the cap allows, but always one. */
export function openHttp2(endpoint: Endpoint, ports: DialPorts, cap?: ConnectionCap): Wire {
  const inFlight = new InFlight()
  const pool = openLines(endpoint, ports, cap)

  async function tryOnce(call: HttpCall, options: CallOptions): Promise<HttpReply> {
    options.lifeline.check()
    const leave = inFlight.enter()
    let line: Line | undefined
    const over = () => {
      if (line !== undefined) pool.leave(line)
      line = undefined
      leave()
    }
    try {
      line = await orEnd(pool.take(options), pool.leave, options, ports)
      options.lifeline.check()
      return await exchange(call, options, endpoint, line.session, ports, over)
    } catch (error) {
      over()
      throw error
    }
  }

  return {
    async http(call, options) {
      refuseUpgrade(call)
      try {
        return await tryOnce(call, options)
      } catch (error) {
        // A connection that is closing refuses what it has not looked at: that may go out once more, over another one.
        const again = error instanceof Fault && error.detail.cause === refused && call.body === undefined
        if (!again) throw error
      }
      return tryOnce(call, options)
    },
    grpc: () => wrongKind(endpoint),
    get connections() {
      return pool.open.size
    },
    close: () => inFlight.close(pool.close),
  }
}

/** The cause of a fault that stands for REFUSED_STREAM. */
const refused = new Error('REFUSED_STREAM')

interface Lines {
  /** A connection with room for one more stream, already counted. */
  take(options: CallOptions): Promise<Line>
  /** One stream less on it. */
  readonly leave: (line: Line) => void
  readonly close: () => void
  /** All that are open, those that take no more requests among them. */
  readonly open: ReadonlySet<unknown>
}

function openLines(endpoint: Endpoint, ports: DialPorts, cap: ConnectionCap | undefined): Lines {
  let lines: Line[] = []
  let opening: Promise<Line> | undefined
  const sessions = new Set<ClientHttp2Session>()
  const usable = ({ session, active }: Line) => active < (session.remoteSettings.maxConcurrentStreams ?? 100)
  /** Of the material; that of one that was never good fits no line, and dialling says why. */
  const generationOrNone = async () => {
    if (endpoint.tls === undefined) return 0
    try {
      return (await materialOf(endpoint.tls, ports)).generation
    } catch {
      return -1
    }
  }

  async function open(): Promise<Line> {
    const generation = await generationOrNone()
    const session = await openSession(endpoint, ports)
    const line: Line = { session, generation, active: 0 }
    lines.push(line)
    sessions.add(session)
    session.on('close', () => {
      sessions.delete(session)
      lines = lines.filter((other) => other !== line)
      cap?.changed()
    })
    session.setTimeout(endpoint.idleMs, () => {
      if (line.active === 0) session.close()
    })
    watchLife(line, ports)
    return line
  }

  /** Those who came together share the new connection, or open another when it is full. */
  const begin = () => {
    opening ??= open().finally(() => {
      opening = undefined
      cap?.changed()
    })
    // Whoever waits for it hears of a failure; nobody may.
    opening.catch(() => {})
  }
  /** Calls that were told of a line, or of one that is being opened, and have not taken it yet. */
  let promised = 0
  const idleLines = () => (promised > 0 ? [] : lines.filter(({ active }) => active === 0))
  const holder: Holder = {
    get count() {
      return lines.length + (opening === undefined ? 0 : 1)
    },
    get idle() {
      return idleLines().length
    },
    dropIdle() {
      const [idle] = idleLines()
      if (idle === undefined) return
      lines = lines.filter((other) => other !== idle)
      idle.session.close()
    },
  }
  cap?.join(holder)

  return {
    open: sessions,
    async take(options) {
      const word = { given: false }
      const promise = () => {
        word.given = true
        promised += 1
      }
      const settle = () => {
        if (!word.given) return
        word.given = false
        promised -= 1
        cap?.changed()
      }
      try {
        for (;;) {
          // Under other certificates than today's, what is under way ends and nothing begins: idle, they close by themselves.
          const generation = endpoint.tls === undefined ? 0 : await generationOrNone()
          const lasting = ({ session, generation: of }: Line) => of === generation && !session.closed && !session.destroyed
          const free = () => lines.find((line) => lasting(line) && usable(line))
          const line = free()
          if (line !== undefined) {
            line.active += 1
            return line
          }
          settle()
          const grab = () => {
            // One connection that takes requests may always be opened: those for this endpoint could wait for others, or for what only ends, for ever.
            if (opening === undefined && free() === undefined && (cap === undefined || !lines.some(lasting) || cap.makeRoom())) begin()
            if (opening === undefined && free() === undefined) return false
            promise()
            return true
          }
          if (opening !== undefined || !lines.some(lasting) || cap === undefined) grab()
          else await cap.wait(holder, grab, { options, clock: ports.clock, ms: endpoint.connectTimeoutMs })
          await opening
        }
      } finally {
        settle()
      }
    },
    leave(line) {
      line.active -= 1
      cap?.changed()
    },
    close() {
      for (const { session } of lines) session.close()
      cap?.leave(holder)
    },
  }
}

/** What may be said twice was decided by the front guard: a repeated field is sent as it came. (The types have this option for servers only.) */
const sessionOptions = { settings: { enablePush: false }, strictSingleValueFields: false }

/** Ready when the upstream's SETTINGS are here: only then is it known to speak HTTP/2, and how many streams it takes. */
async function openSession(endpoint: Endpoint, ports: DialPorts): Promise<ClientHttp2Session> {
  const socket = await dial(endpoint, ['h2'], ports)
  return new Promise((resolve, reject) => {
    const session = connect('http://upstream.invalid', { createConnection: () => socket, ...sessionOptions })
    const fail = (why: string) => {
      timer.cancel()
      reject(new Fault('upstream_unavailable', 'the upstream does not speak HTTP/2', { internal: `${nameOf(endpoint)}: ${why}` }))
      session.destroy()
    }
    const timer = ports.clock.after(endpoint.connectTimeoutMs, () => fail('no SETTINGS in time'))
    session.on('error', (error) => fail(reasonOf(error)))
    session.once('close', () => fail('closed'))
    session.once('remoteSettings', () => {
      timer.cancel()
      resolve(session)
    })
  })
}

function watchLife(line: Line, { clock }: Pick<DialPorts, 'clock'>): void {
  const { session } = line
  const ask = () => {
    if (session.destroyed) return
    if (line.active > 0) {
      const limit = clock.after(pingLimitMs, () => session.destroy())
      session.ping(() => limit.cancel())
    }
    timer = clock.after(pingEveryMs, ask)
  }
  let timer = clock.after(pingEveryMs, ask)
  session.on('close', () => timer.cancel())
}

/** The line, unless the request ends or its deadline passes before there is one; a line that comes too late is given back. */
function orEnd(line: Promise<Line>, leave: Lines['leave'], options: CallOptions, ports: DialPorts): Promise<Line> {
  return new Promise((resolve, reject) => {
    let waiting = true
    const settle = () => {
      waiting = false
      late()
      forget()
    }
    const giveUp = (fault: Fault) => {
      settle()
      reject(fault)
    }
    const late = watchDeadline(options, ports.clock, giveUp)
    const forget = options.lifeline.onEnd(giveUp)
    const wait = async () => {
      const taken = await line
      if (!waiting) leave(taken)
      settle()
      resolve(taken)
    }
    wait().catch((error: unknown) => giveUp(Fault.from(error)))
  })
}

function exchange(
  call: HttpCall,
  options: CallOptions,
  endpoint: Endpoint,
  session: ClientHttp2Session,
  ports: DialPorts,
  leave: () => void,
): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    // Without waiting for trailers, Node marks the last bytes of a stream that it resets as its end: half a body would look whole.
    const stream = session.request(headOf(call), { endStream: call.body === undefined, waitForTrailers: call.body !== undefined })
    stream.on('wantTrailers', () => {
      if (!cancelled) stream.sendTrailers({})
    })
    let cancelled = false
    const isWhole = watchEnd(stream)
    let reading: Pull | undefined
    let cause: Error | undefined
    let finished = false
    const finish = () => {
      if (finished) return false
      finished = true
      late()
      forget()
      leave()
      return true
    }
    const fail = (fault: Fault) => {
      if (!finish()) return
      cancelled = true
      stream.close(constants.NGHTTP2_CANCEL)
      reading?.fail(fault)
      reject(fault)
    }
    const late = watchDeadline(options, ports.clock, fail)
    const forget = options.lifeline.onEnd(fail)
    let trailers: Fields = new FieldList()

    stream.on('error', (error) => {
      cause = error
    })
    stream.on('close', () => {
      if (reading === undefined) fail(closedFault(stream, endpoint, cause))
    })
    stream.on('trailers', (fields) => {
      trailers = fieldsOf(fields)
    })
    stream.on('response', (fields) => {
      late()
      const over = (whole: boolean) => {
        if (!whole || !stream.writableEnded) {
          cancelled = true
          stream.close(constants.NGHTTP2_CANCEL)
        }
        finish()
      }
      const status = Number(fields[':status'])
      if (status < 200 || status > 599) return fail(brokenProtocol(endpoint, `status ${status}`))
      reading = readBody(stream, { endpoint, options, ports, cause: () => cause, isWhole, over })
      resolve({ kind: 'http', status, headers: endToEnd(fieldsOf(fields)), body: reading, trailers: () => trailers })
    })
    if (call.body !== undefined) pump(stream, call.body).catch((error: unknown) => fail(Fault.from(error)))
  })
}

interface Reading {
  readonly endpoint: Endpoint
  readonly options: CallOptions
  readonly ports: DialPorts
  readonly cause: () => Error | undefined
  readonly isWhole: () => boolean
  readonly over: (whole: boolean) => void
}

function readBody(stream: ClientHttp2Stream, { endpoint, options, ports, cause, isWhole, over }: Reading): Pull {
  const { idleMs } = options
  return pull(stream, {
    clock: ports.clock,
    idleMs,
    stalled: () => stalledFault(endpoint, idleMs),
    broken: (error) => closedFault(stream, endpoint, error ?? cause()),
    short: () => (isWhole() && stream.rstCode === constants.NGHTTP2_NO_ERROR && cause() === undefined ? undefined : closedFault(stream, endpoint, cause())),
    over,
  })
}

/**
 * Whether the upstream itself ended the stream. Node ends one that was reset, or whose connection died, like a complete one; the reset code
 * tells most of them apart, but not a reset without error, which is how Envoy cuts an answer. What tells: an END_STREAM comes while the
 * stream is open, the end that Node makes up comes when it is closed.
 */
function watchEnd(stream: ClientHttp2Stream): () => boolean {
  let ended = false
  const push = stream.push.bind(stream)
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null && !stream.closed) ended = true
    return push(chunk, encoding)
  }
  return () => ended
}

/** Why a stream is gone before its answer was complete. A refused stream was not worked on (RFC 9113 section 8.7). */
function closedFault(stream: ClientHttp2Stream, endpoint: Endpoint, cause: Error | undefined): Fault {
  const code = stream.rstCode
  const why = cause === undefined ? `stream closed with code ${code}` : reasonOf(cause)
  if (code === constants.NGHTTP2_REFUSED_STREAM) {
    return new Fault('upstream_unavailable', 'the upstream refused the request', { internal: `${nameOf(endpoint)}: ${why}`, cause: refused })
  }
  return code === constants.NGHTTP2_PROTOCOL_ERROR ? brokenProtocol(endpoint, why, cause) : brokenOff(endpoint, why, cause)
}

function headOf(call: HttpCall): OutgoingHttpHeaders {
  const head: Record<string, string | string[]> = Object.create(null)
  head[':method'] = call.method
  head[':scheme'] = call.scheme
  head[':authority'] = call.authority
  head[':path'] = call.target
  eachEndToEnd(call.headers, (name, value) => {
    if (name === 'host' || name === 'content-length' || name === 'expect' || name.startsWith(':')) return
    const before = head[name]
    head[name] = before === undefined ? value : typeof before === 'string' ? [before, value] : [...before, value]
  })
  if (call.body?.length !== undefined) head['content-length'] = `${call.body.length}`
  return head
}

function fieldsOf(headers: IncomingHttpHeaders): FieldList {
  const fields = new FieldList()
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue
    for (const one of typeof value === 'string' ? [value] : value) fields.append(name, one)
  }
  return fields
}
