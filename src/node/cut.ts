import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/** Cuts a connection with a reset where there is one: what was cut must not look like what came to its end. */
export function cutShort(socket: Duplex): void {
  // While its own end is on the way a reset fails, and Node never says that such a socket is closed.
  const isEnding = socket.writableEnded && !socket.writableFinished
  if (socket instanceof Socket && !(socket instanceof TLSSocket) && !isEnding) socket.resetAndDestroy()
  else socket.destroy()
}
