import { once } from 'node:events'
import { createServer as createHttp1 } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2'
import { type AddressInfo, connect, type Socket, type Server as TcpServer } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { type Keep, untilTheEnd } from '../support/keep.ts'
import { house } from '../support/shop.ts'
import { settled } from '../support/sockets.ts'

/** What both have, in one form. */
interface Answer extends NodeJS.EventEmitter {
  readonly destroyed: boolean
  readonly writableEnded: boolean
  writeHead(status: number, headers: Readonly<Record<string, string>>): unknown
  write(chunk: string | Buffer): boolean
}

/** A service whose answers the test writes, one after the other. */
interface Source {
  readonly port: number
  next(): Promise<Answer>
}

async function openSource(keep: Keep, protocol: 'http' | 'h2'): Promise<Source> {
  let waiting: ((answer: Answer) => void)[] = []
  const handle = (_request: unknown, response: Answer) => {
    response.on('error', () => {})
    const all = waiting
    waiting = []
    for (const one of all) one(response)
  }
  const server: TcpServer = protocol === 'h2' ? createHttp2(handle) : createHttp1(handle)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  keep(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, next: () => new Promise((resolve) => waiting.push(resolve)) }
}

/** A reader of a stream, by either protocol. */
interface Reader {
  readonly heard: () => string
  pause(): void
  resume(): void
  close(): void
}

const readers: readonly (readonly [name: string, open: (port: number, path: string, keep: Keep) => Reader])[] = [
  [
    'HTTP/1.1',
    (port, path, keep) => {
      const socket = connect({ port, host: '127.0.0.1' })
      keep(() => void socket.destroy())
      let heard = ''
      socket.on('error', () => {})
      socket.on('data', (data) => {
        heard = (heard + data.toString('latin1')).slice(-4096)
      })
      socket.write(`GET ${path} HTTP/1.1\r\nhost: a.example\r\naccept: text/event-stream\r\n\r\n`)
      return { heard: () => heard, pause: () => socket.pause(), resume: () => socket.resume(), close: () => void socket.destroy() }
    },
  ],
  [
    'HTTP/2',
    (port, path, keep) => {
      const session = connectHttp2(`http://127.0.0.1:${port}`)
      session.on('error', () => {})
      keep(() => session.destroy())
      const stream = session.request({ ':path': path, accept: 'text/event-stream' })
      let heard = ''
      stream.on('error', () => {})
      stream.on('data', (data: Buffer) => {
        heard = (heard + data.toString('latin1')).slice(-4096)
      })
      return { heard: () => heard, pause: () => stream.pause(), resume: () => stream.resume(), close: () => session.destroy() }
    },
  ],
]

describe.each(['http', 'h2'] as const)('a stream of a service that speaks %s', (protocol) => {
  const keep = untilTheEnd()
  let source: Source
  let gateway: Gateway

  beforeAll(async () => {
    source = await openSource(keep, protocol)
    gateway = await openGateway(keep, {
      'house.yaml': house,
      'web.yaml': `sallyport: v1
clusters: { web: { address: "127.0.0.1:${source.port}", protocol: ${protocol} } }
routes: { web: { match: { path: "/{**}" }, timeout: 10s, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: web } }
`,
    })
  })

  describe.each(readers)('over %s', (_name, open) => {
    const start = async () => {
      const coming = source.next()
      const reader = open(gateway.port('public'), '/events', keep)
      return { reader, answer: await coming }
    }

    it('arrives event by event: each is there before the next is sent', async () => {
      const { reader, answer } = await start()
      answer.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const number of [1, 2, 3]) {
        answer.write(`data: ${number}\n\n`)
        await expect.poll(reader.heard, { timeout: 5000, interval: 2 }).toContain(`data: ${number}\n\n`)
      }
      const closed = once(answer, 'close')
      reader.close()
      await closed
    })

    it('of a long download holds no more than the buffers on the way', async () => {
      const { reader, answer } = await start()
      answer.writeHead(200, { 'content-type': 'application/octet-stream' })
      reader.pause()
      let poured = 0
      const chunk = Buffer.alloc(64 * 1024, 'x')
      const pour = () => {
        while (!answer.destroyed && !answer.writableEnded) {
          poured += chunk.length
          if (answer.write(chunk)) continue
          answer.once('drain', pour)
          return
        }
      }
      pour()
      const stopped = await settled(() => poured)
      expect(stopped).toBeLessThan(48 * 1024 * 1024)
      reader.resume()
      await expect.poll(() => poured, { timeout: 5000, interval: 5 }).toBeGreaterThan(stopped)
      const closed = once(answer, 'close')
      reader.close()
      await closed
      await expect.poll(() => gateway.running.live.inFlight, { timeout: 5000, interval: 5 }).toBe(0)
    })
  })
})
