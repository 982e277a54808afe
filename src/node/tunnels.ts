import type { Socket } from 'node:net'
import type { TunnelPlace, TunnelRequest } from '../core/egress/tunnel.ts'
import type { Live } from '../core/live.ts'
import { Fault } from '../core/model/fault.ts'
import type { Outbound } from '../core/model/wire.ts'
import { normalizeAddress } from '../core/net.ts'
import type { TunnelAsk, Tunnels } from './listeners/options.ts'
import { writeRaw } from './listeners/refusal.ts'
import { StreamBook, type StreamEntry, type StreamPorts } from './streams/book.ts'
import { reset } from './streams/carry.ts'
import { awaitHello } from './tunnels/hello-gate.ts'

/** A refused client may still be sending: so long its bytes are thrown away, that the answer is not lost in a reset. Milliseconds. */
const lingerMs = 2_000

/** Opens the way for CONNECT on a listener of the forward proxy. Whether there are tunnels at all, the policies in force say. */
export function openTunnels({ name, live, ports }: { readonly name: string; readonly live: Live; readonly ports: StreamPorts }): Tunnels {
  const { clock, meter } = ports
  const book = new StreamBook<TunnelPlace>({ name, live, ports, placedNow: ({ question }) => live.current.tunnels.again(question) })

  async function take({ arrival, socket: near, head, serveClear }: TunnelAsk): Promise<void> {
    const entry = book.begin(normalizeAddress(arrival.peer.address), undefined)
    near.on('error', () => {}) // its close says all there is to know
    near.setTimeout(0)
    const request = await live.ask(({ tunnels }) => tunnels.open(arrival))
    entry.id = request.id
    entry.service = request.service
    entry.asked = { target: request.asked, caller: request.caller }
    const place = request.decided
    if (place instanceof Fault) return refuse(near, request, place, entry)
    // Deciding may wait, for the keys of an issuer or a switch that is under way: what has closed by now would be counted for good.
    if (near.destroyed) return book.write(entry, 'closed', undefined)
    if (place === 'clear') {
      near.write(headOf(request.accept()), 'latin1')
      if (head.length > 0) near.unshift(head)
      book.write(entry, 'clear', undefined)
      return serveClear()
    }
    entry.place = place
    if (book.enter(place.question.service, near) > place.settings.maxConnections) {
      return refuse(near, request, new Fault('overloaded', `${place.question.service} has no room for another tunnel`), entry, 'full')
    }
    const far = await book.dial(place).catch((error: unknown) => Fault.from(error))
    if (far instanceof Fault) return refuse(near, request, far, entry)
    if (near.destroyed) {
      far.destroy()
      return book.write(entry, 'closed', undefined)
    }
    near.write(headOf(request.accept()), 'latin1')
    if (head.length > 0) near.unshift(head)
    const heard = await awaitHello(near, far, place, clock)
    if (heard.kind === 'fits') return book.carry(near, far, place, entry)
    reset(far)
    if (heard.kind === 'clear') {
      book.write(entry, 'clear', undefined)
      return serveClear()
    }
    if (heard.kind === 'refused') shut(near, unrecognizedName)
    else reset(near)
    if (heard.kind === 'left') book.write(entry, 'closed', undefined)
    else if (heard.kind === 'lost') book.write(entry, 'broken', undefined)
    else book.write(entry, 'hello_refused', heard.kind === 'late' ? 'no whole ClientHello in time' : heard.problem)
  }

  function refuse(near: Socket, request: TunnelRequest, fault: Fault, entry: StreamEntry, outcome: string = fault.code): void {
    meter.count('sallyport_refusals_total', { wing: 'egress', code: fault.code })
    writeRaw(near, request.refuse(fault))
    linger(near)
    book.write(entry, outcome, fault.detail.internal ?? fault.message)
  }

  /** Nothing that a refused client says is ever read as a request (RFC 9931). */
  function linger(near: Socket): void {
    near.resume()
    const timer = clock.after(lingerMs, () => void near.destroy())
    near.once('close', () => timer.cancel())
  }

  function shut(near: Socket, last: Uint8Array): void {
    near.end(last)
    linger(near)
  }

  return {
    take(ask) {
      take(ask).catch((error: unknown) => {
        ask.socket.destroy()
        book.write(book.begin(normalizeAddress(ask.arrival.peer.address), undefined), 'internal', Fault.from(error).detail.internal)
      })
    },
    drain: (ms) => book.drain(ms),
  }
}

/** A fatal alert (RFC 8446 section 6, RFC 6066 section 3), so that the client's error says more than that the connection closed. */
const unrecognizedName = Uint8Array.of(21, 3, 3, 0, 2, 2, 112)

/** The head that opens a tunnel (RFC 9110 section 9.3.6): no length, for what follows is the tunnel. */
function headOf({ headers }: Outbound): string {
  const lines = Array.from(headers.entries(), ([name, value]) => `${name}: ${value}`)
  return `${['HTTP/1.1 200 Connection established', ...lines].join('\r\n')}\r\n\r\n`
}
