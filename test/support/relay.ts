import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Keep } from './keep.ts'

/** A wire to a port of this machine that counts what passes. */
export interface Relay {
  readonly port: number
  /** Bytes so far, from the client and to it. */
  readonly passed: { readonly up: number; readonly down: number }
}

export async function openRelay(keep: Keep, to: number): Promise<Relay> {
  const passed = { up: 0, down: 0 }
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const service = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true })
    for (const [from, into, way] of [[client, service, 'up'] as const, [service, client, 'down'] as const]) {
      sockets.add(from)
      from.on('data', (bytes) => {
        passed[way] += bytes.length
      })
      from.on('error', () => into.destroy())
      from.on('close', () => into.destroy())
      from.pipe(into)
    }
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  keep(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, passed }
}
