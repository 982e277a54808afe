import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpCall, HttpReply } from '../../core/model/call.ts'
import { Fault } from '../../core/model/fault.ts'
import { FieldList } from '../../core/model/fields.ts'
import { endToEnd } from '../../core/model/hop-by-hop.ts'
import type { Passage, Upgrade } from '../../core/model/wire.ts'
import type { CallOptions, Endpoint } from '../../core/ports.ts'
import { cutShort } from '../cut.ts'
import { drained, endless, pull } from '../pull.ts'
import { acceptOf, freshKey } from '../web-socket-key.ts'
import { type DialPorts, reasonOf } from './dial.ts'
import { brokenOff, stalledFault } from './wire.ts'

/** A handshake with an upstream: its fields, and what is wrong with the 101 that it got. */
export interface Handshake {
  readonly fields: readonly string[]
  problemOf(response: IncomingMessage): string | undefined
}

/** Asks for the protocol of a call, with a key of our own: what the downstream knows proves nothing about the upstream. */
export function shakeHands(upgrade: Upgrade): Handshake {
  const { protocol, subprotocols = [], extensions } = upgrade
  const fields = ['connection', 'Upgrade', 'upgrade', protocol]
  if (protocol.toLowerCase() !== 'websocket') return { fields, problemOf: (response) => switchProblem(response, protocol) }
  const key = freshKey()
  fields.push('sec-websocket-version', '13', 'sec-websocket-key', key)
  if (subprotocols.length > 0) fields.push('sec-websocket-protocol', subprotocols.join(', '))
  if (extensions.length > 0) fields.push('sec-websocket-extensions', extensions.join(', '))
  return { fields, problemOf: (response) => switchProblem(response, protocol) ?? webSocketProblem(response, key, upgrade) }
}

function switchProblem({ headers }: IncomingMessage, protocol: string): string | undefined {
  return headers.upgrade?.toLowerCase() === protocol.toLowerCase() ? undefined : 'switched to another protocol'
}

/** RFC 6455 section 4.1, what a client must verify. Duplicates come joined, and so fit nothing. */
function webSocketProblem({ headers }: IncomingMessage, key: string, { subprotocols = [], extensions }: Upgrade): string | undefined {
  if (headers['sec-websocket-accept'] !== acceptOf(key)) return 'its sec-websocket-accept does not fit the key'
  const chosen = headers['sec-websocket-protocol']
  if (chosen !== undefined && !subprotocols.includes(chosen)) return 'it chose a subprotocol that was not offered'
  const offered = new Set(extensions.map(nameOfExtension))
  const taken = headers['sec-websocket-extensions']?.split(',').map(nameOfExtension) ?? []
  return taken.every((name) => offered.has(name)) ? undefined : 'it chose an extension that was not offered'
}

function nameOfExtension(extension: string): string {
  return (extension.split(';')[0] ?? '').trim().toLowerCase()
}

export interface Changed {
  readonly socket: Duplex
  /** What the upstream said right behind its 101. */
  readonly head: Buffer
  readonly endpoint: Endpoint
  readonly options: CallOptions
  readonly ports: DialPorts
  /** Runs once, when nothing of the connection is left. */
  readonly over: () => void
}

/**
 * The reply of an upstream that has changed its protocol. Its body is what the upstream says; what the downstream says goes out at the pace of the
 * upstream. Each side may end before the other; a side that breaks ends both. Silence is not watched over here: it takes both directions to tell.
 */
export function changedReply(response: IncomingMessage, passage: Passage, { socket, head, endpoint, options, ports, over }: Changed): HttpReply {
  // Without it an upstream that has no more to say could not be talked to any more.
  socket.allowHalfOpen = true
  if (head.length > 0) socket.unshift(head)
  const reading = pull(socket, {
    clock: ports.clock,
    idleMs: endless,
    stalled: () => stalledFault(endpoint, endless),
    broken: (error) => brokenOff(endpoint, error === undefined ? 'closed' : reasonOf(error), error),
    short: () => undefined,
    over: () => {},
  })
  let isOver = false
  const finish = () => {
    if (isOver) return
    isOver = true
    forget()
    over()
  }
  const cut = (why: Fault) => {
    if (isOver) return
    finish()
    reading.fail(why)
    cutShort(socket)
  }
  const forget = options.lifeline.onEnd(cut)
  const told = tell(socket, passage).catch((error: unknown) => cut(options.lifeline.ended ?? Fault.from(error)))
  const body: AsyncIterableIterator<Uint8Array> = {
    async next() {
      const step = await reading.next()
      if (step.done !== true) return step
      if (!isOver) {
        passage.heard()
        await told
      }
      if (options.lifeline.ended !== undefined) throw options.lifeline.ended
      finish()
      return step
    },
    async return() {
      cut(new Fault('client_closed', 'the downstream went away'))
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => body,
  }
  const headers = endToEnd(FieldList.fromRaw(response.rawHeaders)).without((name) => name === 'sec-websocket-accept')
  return { kind: 'http', status: 101, headers, body }
}

/** Passes on what the downstream says, and its end. @throws what the passage throws */
async function tell(socket: Duplex, passage: Passage): Promise<void> {
  for await (const chunk of passage.said()) {
    if (socket.destroyed) return
    if (!socket.write(chunk)) await drained(socket)
    if (socket.destroyed) return
  }
  await new Promise<void>((resolve) => {
    socket.on('close', resolve)
    socket.end(() => resolve())
  })
}

/** A call that needs HTTP/1.1, where that is not spoken. */
export function refuseUpgrade(call: HttpCall): void {
  if (call.upgrade !== undefined) throw new Fault('not_implemented', 'this upstream cannot change the protocol')
}
