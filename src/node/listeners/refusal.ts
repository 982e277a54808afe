import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Fault } from '../../core/model/fault.ts'
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
  const { status, headers, body } = refuseHere(fault, counting)
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, 'connection: close', `date: ${new Date().toUTCString()}`]
  for (const [name, value] of headers.entries()) lines.push(`${name}: ${value}`)
  socket.on('error', () => {}) // the peer may be gone already
  socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  socket.end(body)
}
