import { type ClientSessionOptions, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

/** One request, byte for byte as a client of any manners would send it. */
export interface Sent {
  readonly method?: string
  readonly path: string
  /** Names and values as given, repetitions too. `host` is added where it is not there. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: string | undefined
}

export interface Answer {
  readonly status: number
  /** Lower-case names; repeated fields joined with ", ". */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

export type Client = (port: number, sent: Sent) => Promise<Answer>

/** Both protocols of the clear-text listeners, by name. */
export const clients: Readonly<Record<'HTTP/1.1' | 'h2c', Client>> = { 'HTTP/1.1': http1, h2c }

/** Over a connection of its own that is closed after it. */
export function http1(port: number, { method, path, headers = [], body }: Sent): Promise<Answer> {
  const named = new Set(headers.map(([name]) => name.toLowerCase()))
  const lines = [`${method ?? (body === undefined ? 'GET' : 'POST')} ${path} HTTP/1.1`]
  if (!named.has('host')) lines.push(`host: 127.0.0.1:${port}`)
  if (!named.has('connection')) lines.push('connection: close')
  if (body !== undefined && !named.has('content-length') && !named.has('transfer-encoding')) lines.push(`content-length: ${Buffer.byteLength(body)}`)
  for (const [name, value] of headers) lines.push(`${name}: ${value}`)
  return bytes(port, `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`)
}

/** Bare bytes to a port, and the one answer that comes before the connection ends. @throws Error when there is none within 10 s. */
export function bytes(port: number, text: string): Promise<Answer> {
  return answerTo(connect(port, '127.0.0.1'), text)
}

/** The same over TLS. */
export function tlsBytes(port: number, text: string, options: ConnectionOptions): Promise<Answer> {
  return answerTo(connectTls({ host: '127.0.0.1', port, ...options }), text)
}

function answerTo(socket: Socket, text: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // What is written before the connection stands is sent when it does.
    socket.write(text, 'latin1')
    const parts: Buffer[] = []
    const settle = () => {
      const answer = parseAnswer(Buffer.concat(parts))
      if (answer === undefined) return false
      socket.destroy()
      resolve(answer)
      return true
    }
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')))
    socket.on('data', (part) => {
      parts.push(part)
      settle()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      if (!settle()) reject(new Error(`no whole answer: ${Buffer.concat(parts).toString('latin1').slice(0, 200)}`))
    })
  })
}

/** The first answer in `data` that is whole; undefined until then. Bodies have a length or are chunked, as ours are. */
function parseAnswer(data: Buffer): Answer | undefined {
  const end = data.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line = '', ...fields] = data.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(line.split(' ')[1])
  const rest = data.subarray(end + 4)
  if (status === 100) return parseAnswer(rest)
  const headers: Record<string, string> = {}
  for (const field of fields) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon).toLowerCase()
    const value = field.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  const body = headers['transfer-encoding'] === 'chunked' ? unchunk(rest) : wholeBody(rest, Number(headers['content-length'] ?? 0))
  return body === undefined ? undefined : { status, headers, text: body.toString() }
}

function wholeBody(rest: Buffer, length: number): Buffer | undefined {
  return rest.length < length ? undefined : rest.subarray(0, length)
}

function unchunk(rest: Buffer): Buffer | undefined {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = rest.indexOf('\r\n', at)
    if (end < 0) return undefined
    const size = Number.parseInt(rest.subarray(at, end).toString('latin1'), 16)
    if (rest.length < end + 2 + size + 2) return undefined
    if (size === 0) return Buffer.concat(parts)
    parts.push(rest.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

// Node takes the option for clients too; its types name it for servers only.
const badManners: ClientSessionOptions & { readonly strictSingleValueFields: boolean } = { strictSingleValueFields: false }

/** HTTP/2 in clear text with prior knowledge. `host` becomes `:authority`; a field is sent as often as it is given. */
export function h2c(port: number, { method, path, headers = [], body }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // A client of bad manners may say anything twice.
    const session = connectHttp2(`http://127.0.0.1:${port}`, badManners)
    session.on('error', reject)
    const fields: Record<string, string | string[]> = { ':method': method ?? (body === undefined ? 'GET' : 'POST'), ':path': path }
    for (const [name, value] of headers) {
      const key = name.toLowerCase() === 'host' ? ':authority' : name
      const before = fields[key]
      fields[key] = before === undefined ? value : [before, value].flat()
    }
    const stream = session.request(fields, { endStream: body === undefined })
    const parts: Buffer[] = []
    let answer: IncomingHttpHeaders = {}
    stream.setTimeout(10_000, () => stream.destroy(new Error('no answer within 10 s')))
    stream.on('response', (head) => {
      answer = head
    })
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('error', (error) => {
      session.destroy()
      reject(error)
    })
    stream.on('close', () => {
      session.close()
      const entries = Object.entries(answer).filter(([name]) => !name.startsWith(':'))
      const headers = Object.fromEntries(entries.map(([name, value]) => [name, [value ?? ''].flat().join(', ')]))
      if (answer[':status'] === undefined) reject(new Error(`the stream was closed with ${stream.rstCode}`))
      else resolve({ status: Number(answer[':status']), headers, text: Buffer.concat(parts).toString() })
    })
    if (body !== undefined) stream.end(body)
  })
}
