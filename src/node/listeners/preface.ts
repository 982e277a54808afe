import type { Socket } from 'node:net'
import type { Clock } from '../../core/ports.ts'

/** What an HTTP/2 client with prior knowledge says first (RFC 9113 section 3.4). No HTTP/1 request can begin with it. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Who takes a connection, by what it speaks; `silent` holds those that have not said anything yet. */
export interface Spoken {
  readonly http1: (socket: Socket) => void
  readonly h2: (socket: Socket) => void
  readonly silent: Set<Socket>
}

/**
 * Looks at the first bytes of a connection, puts them back, and hands the socket to who understands them. A connection that says nothing
 * for `limitMs` is closed.
 */
export function sortByPreface(socket: Socket, to: Spoken, clock: Clock): void {
  let seen: Buffer = Buffer.alloc(0)
  const timer = clock.after(limitMs, () => socket.destroy())
  to.silent.add(socket)
  const done = () => {
    timer.cancel()
    to.silent.delete(socket)
    socket.off('readable', look)
    socket.off('close', done)
    socket.off('end', ended)
  }
  const ended = () => {
    done()
    socket.destroy()
  }
  const look = () => {
    for (;;) {
      const chunk = socket.read() as Buffer | null // no encoding is set
      if (chunk === null) return
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
      const compared = Math.min(seen.length, preface.length)
      const fits = seen.subarray(0, compared).equals(preface.subarray(0, compared))
      if (fits && compared < preface.length) continue
      done()
      socket.unshift(seen)
      if (fits) to.h2(socket)
      else to.http1(socket)
      return
    }
  }
  socket.on('readable', look)
  socket.once('close', done)
  socket.once('end', ended)
}

/** Like the time for headers: a silent connection is a slow one. */
const limitMs = 10_000
