import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Keep } from './keep.ts'

/** One request as an HTTP/1.1 service got it: nothing is left out, repeated fields and trailers stand as they came. */
export interface Recorded {
  readonly method: string
  readonly target: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly trailers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

/** A service behind the gateway that keeps everything it gets. */
export interface Recorder {
  readonly port: number
  readonly requests: readonly Recorded[]
  /** Every byte that came over any connection, latin1, whatever a parser made of it. */
  bytes(): string
  /** How many they are. */
  size(): number
}

export async function openRecorder(keep: Keep): Promise<Recorder> {
  const requests: Recorded[] = []
  const heard: Buffer[] = []
  let size = 0
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts).toString('latin1')
      requests.push({
        method: request.method ?? '',
        target: request.url ?? '',
        fields: pairs(request.rawHeaders),
        trailers: pairs(request.rawTrailers),
        body,
      })
      response.writeHead(200, { 'content-type': 'text/plain' }).end('recorded\n')
    })
  })
  server.on('connection', (socket: Socket) =>
    socket.on('data', (part) => {
      heard.push(part)
      size += part.length
    }),
  )
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  keep(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, requests, bytes: () => Buffer.concat(heard).toString('latin1'), size: () => size }
}

function pairs(flat: readonly string[]): readonly (readonly [string, string])[] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), flat[i + 1] ?? ''] as const] : []))
}
