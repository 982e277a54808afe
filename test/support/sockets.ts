import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A server on loopback that the test's end closes, connections included. */
export interface Running {
  readonly port: number
  /** Every connection it ever took. */
  readonly sockets: Socket[]
  close(): Promise<void>
}

/** Listens on 127.0.0.1 with a port of the system's choice. */
export async function running(server: Server): Promise<Running> {
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {})
    sockets.push(socket)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy()
      server.close(() => resolve())
    })
  onTestFinished(close)
  return { port: (server.address() as AddressInfo).port, sockets, close }
}

/** An HTTP/1.1 server. */
export function httpServer(handle: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<Running> {
  const server: HttpServer = createHttpServer({ keepAliveTimeout: 60_000 }, (request: IncomingMessage, response: ServerResponse) => {
    response.on('error', () => {})
    void handle(request, response)
  })
  return running(server)
}

/** A server of bare bytes: `talk` gets each connection. */
export function rawServer(talk: (socket: Socket) => unknown): Promise<Running> {
  return running(createTcpServer({ allowHalfOpen: true }, (socket) => void talk(socket)))
}

/** A promise to settle from outside. */
export function gate<T = void>(): PromiseWithResolvers<T> {
  return Promise.withResolvers<T>()
}

/** Everything an iterable yields, as text. */
export async function textOf(body: Uint8Array | AsyncIterable<Uint8Array> | undefined): Promise<string> {
  if (body === undefined) return ''
  if (body instanceof Uint8Array) return Buffer.from(body).toString()
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return Buffer.concat(parts).toString()
}

/** Settles with the figure once it has stopped growing: kernel buffers are full, and nothing moves any more. */
export async function settled(figure: () => number): Promise<number> {
  for (let before = -1; ; ) {
    const now = figure()
    if (now === before && now > 0) return now
    before = now
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
