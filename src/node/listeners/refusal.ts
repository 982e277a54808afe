import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Fault } from '../../core/model/fault.ts'
import { isHopByHop } from '../../core/model/hop-by-hop.ts'
import { problemAnswer } from '../../core/model/problem.ts'
import type { Outbound } from '../../core/model/wire.ts'
import type { ListenerOptions } from './options.ts'

type Counting = Pick<ListenerOptions, 'meter' | 'purpose'>

/** The answer to what never reaches the walk, under an id of its own. It is counted: no walk will write a record about it. */
export function refuseHere(fault: Fault, { meter, purpose }: Counting): Outbound {
  meter.count('sallyport_refusals_total', { wing: purpose === 'public' ? 'ingress' : 'egress', code: fault.code })
  return problemAnswer(fault, { id: randomUUID(), showRule: false, head: false })
}

/** Answers on the bare connection, where there is no parsed request to answer, and closes it. */
export function refuseRaw(socket: Duplex, fault: Fault, counting: Counting): void {
  writeRaw(socket, refuseHere(fault, counting))
}

/** Writes an answer in one piece on the bare connection and ends it. `written` runs when it is handed over whole. */
export function writeRaw(socket: Duplex, { status, headers, body }: Outbound, written: () => void = () => {}): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  const whole = body instanceof Uint8Array ? body : new Uint8Array()
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, 'connection: close', `date: ${new Date().toUTCString()}`]
  for (const [name, value] of headers.entries()) if (!isHopByHop(name)) lines.push(`${name}: ${value}`)
  if (!headers.has('content-length')) lines.push(`content-length: ${whole.byteLength}`)
  socket.on('error', () => {}) // the peer may be gone already
  socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  socket.end(whole, written)
}
