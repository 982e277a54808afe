import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { WebSocket } from 'ws'

/** A reader of an endless stream. */
export interface Reader {
  /** Bytes that it has taken. */
  readonly taken: () => number
  /** Why it has nothing more to read; undefined while it has. */
  readonly ended: () => string | undefined
  close(): void
}

/** What a reader is made of: something that gives bytes and can be told to wait. */
interface Flow {
  pause(): void
  resume(): void
}

/** Opens the stream at this path and takes about `rate` bytes of it per second. */
export type OpenReader = (port: number, path: string, rate: number) => Reader

const overHttp1 =
  (accept: string): OpenReader =>
  (port, path, rate) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.1\r\nhost: bench.example\r\naccept: ${accept}\r\n\r\n`))
    const { meter, reader } = slowly(socket, rate, () => socket.destroy())
    socket.on('data', meter.data)
    socket.on('error', ({ message }) => meter.end(message))
    socket.on('close', () => meter.end('closed'))
    return reader
  }

const overHttp2: OpenReader = (port, path, rate) => {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  const stream = session.request({ ':path': path, accept: 'application/x-ndjson' })
  const { meter, reader } = slowly(stream, rate, () => session.destroy())
  session.on('error', ({ message }) => meter.end(message))
  stream.on('data', meter.data)
  stream.on('error', ({ message }) => meter.end(message))
  stream.on('close', () => meter.end(`closed with ${stream.rstCode}`))
  return reader
}

const overWebSocket: OpenReader = (port, path, rate) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false })
  const { meter, reader } = slowly(socket, rate, () => socket.terminate())
  socket.on('message', meter.data)
  socket.on('error', ({ message }) => meter.end(message))
  socket.on('close', (code) => meter.end(`closed with ${code}`))
  return reader
}

/** The forms of a server stream that the gateway gives to those who do not speak gRPC. */
export const readers: readonly (readonly [name: string, open: OpenReader])[] = [
  ['NDJSON, HTTP/1.1', overHttp1('application/x-ndjson')],
  ['NDJSON, h2', overHttp2],
  ['SSE, HTTP/1.1', overHttp1('text/event-stream')],
  ['WebSocket', overWebSocket],
]

/** After every piece the flow rests for as long as the piece should have taken. */
function slowly(flow: Flow, rate: number, close: () => void) {
  let taken = 0
  let why: string | undefined
  let freeAt = 0
  let resting = false
  const rest = () => {
    if (resting) return
    resting = true
    flow.pause()
    setTimeout(
      () => {
        resting = false
        if (why === undefined) flow.resume()
      },
      Math.max(0, freeAt - performance.now()),
    )
  }
  const meter = {
    data: (piece: { readonly length: number }) => {
      taken += piece.length
      freeAt = Math.max(freeAt, performance.now()) + (piece.length / rate) * 1000
      rest()
    },
    end: (reason: string) => {
      why ??= reason
    },
  }
  return { meter, reader: { taken: () => taken, ended: () => why, close } satisfies Reader }
}
