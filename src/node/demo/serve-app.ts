import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'

/** A small server of the demo, listening on loopback. */
export interface Served {
  readonly port: number
  close(): Promise<void>
}

/** Serves a Hono app on 127.0.0.1. Port 0 takes a free one. @throws when the port is taken. */
export async function serveApp(app: Hono, port: number, tls?: { readonly key: string; readonly cert: string }): Promise<Served> {
  const listener = getRequestListener(app.fetch) as RequestListener
  return await listen(tls === undefined ? createServer(listener) : createTlsServer(tls, listener), port)
}

async function listen(server: Server, port: number): Promise<Served> {
  await new Promise<void>((ready, fail) => {
    server.once('error', fail)
    server.listen(port, '127.0.0.1', ready)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}
