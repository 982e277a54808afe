import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Keep } from './keep.ts'

/** A port that counts every TCP connection it takes, whatever is said on it, and passes the bytes to a port of 127.0.0.1. */
export interface Turnstile {
  readonly port: number
  readonly connections: () => number
}

/** Listens on every address of the machine, IPv4 and IPv6. */
export async function openTurnstile(keep: Keep, behind: number): Promise<Turnstile> {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    connections += 1
    const onward = connect(behind, '127.0.0.1')
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.end()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((ready) => void server.listen(0, ready))
  keep(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}
