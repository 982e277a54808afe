import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'

/** How a WebSocket ended. */
export interface Closed {
  readonly code: number
  readonly reason: string
}

/** A WebSocket of a test. What it hears is kept. */
export interface Socket {
  /** Resolves when it is open; rejects with the answer that came in place of it. */
  readonly open: Promise<{ readonly protocol: string; readonly headers: Readonly<Record<string, string>> }>
  readonly closed: Promise<Closed>
  readonly heard: readonly string[]
  say(message: string): void
  /** The messages heard once there are `count`, or once it is closed. */
  hear(count: number): Promise<readonly string[]>
  close(code?: number): void
}

/** What came in place of a WebSocket. */
export interface Refused {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

export interface Opening {
  readonly protocols?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}

/** The subprotocols that carry a token, as a page offers them. */
export const withToken = (token: string): readonly string[] => ['sallyport.json', `base64url.bearer.authorization.${Buffer.from(token).toString('base64url')}`]

/** With the `ws` client. */
export function openSocket(port: number, path: string, { protocols = [], headers = {} }: Opening = {}): Socket & { readonly raw: WebSocket } {
  const raw = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols], { headers, handshakeTimeout: 10_000, perMessageDeflate: true })
  const book = hearing()
  let head: IncomingMessage['headers'] = {}
  raw.on('upgrade', (response) => {
    head = response.headers
  })
  const open = new Promise<Awaited<Socket['open']>>((resolve, reject) => {
    raw.on('open', () => resolve({ protocol: raw.protocol, headers: textOf(head) }))
    raw.on('unexpected-response', (_request, response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('close', () => reject({ status: response.statusCode ?? 0, headers: textOf(response.headers), text: Buffer.concat(parts).toString() }))
    })
    raw.on('error', reject)
  })
  open.catch(() => {}) // who cares asks
  raw.on('error', () => {})
  raw.on('message', (data: Buffer, isBinary) => book.add(isBinary ? `binary ${data.length}` : data.toString()))
  raw.on('close', (code, reason) => book.end({ code, reason: reason.toString() }))
  return { raw, open, closed: book.closed, heard: book.heard, say: (message) => raw.send(message), hear: book.hear, close: (code) => raw.close(code) }
}

/** With the WebSocket that browsers have, and Node. */
export function openBrowserSocket(port: number, path: string, { protocols = [] }: Opening = {}): Socket {
  const raw = new globalThis.WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols])
  const book = hearing()
  const open = new Promise<Awaited<Socket['open']>>((resolve, reject) => {
    raw.addEventListener('open', () => resolve({ protocol: raw.protocol, headers: {} }))
    raw.addEventListener('error', () => reject(new Error('not opened')))
  })
  open.catch(() => {}) // who cares asks
  raw.addEventListener('message', ({ data }) => book.add(String(data)))
  raw.addEventListener('close', ({ code, reason }) => book.end({ code, reason }))
  return { open, closed: book.closed, heard: book.heard, say: (message) => raw.send(message), hear: book.hear, close: (code) => raw.close(code) }
}

function hearing() {
  const heard: string[] = []
  let waiting: (() => void)[] = []
  const state = { over: false }
  const wake = () => {
    const all = waiting
    waiting = []
    for (const one of all) one()
  }
  const { promise: closed, resolve } = Promise.withResolvers<Closed>()
  return {
    heard,
    closed,
    add(message: string) {
      heard.push(message)
      wake()
    },
    end(how: Closed) {
      state.over = true
      resolve(how)
      wake()
    },
    async hear(count: number): Promise<readonly string[]> {
      while (heard.length < count && !state.over) await new Promise<void>((go) => waiting.push(go))
      return heard
    },
  }
}

function textOf(headers: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
