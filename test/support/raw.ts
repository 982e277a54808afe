import { request as requestHttp1 } from 'node:http'
import { connect } from 'node:http2'

/** One request in bytes. */
export interface RawRequest {
  readonly method?: string
  readonly path: string
  /** Host or `:authority`; the gateway's own address otherwise. */
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

/** The whole answer, its body in bytes. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

type RawClient = (port: number, request: RawRequest) => Promise<RawAnswer>

/** Both protocols of the clear-text listeners, for bodies that are no text. */
export const rawClients: Readonly<Record<'HTTP/1.1' | 'h2c', RawClient>> = { 'HTTP/1.1': overHttp1, h2c: overHttp2 }

function overHttp1(port: number, { method = 'POST', path, host, headers = {}, body }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const fields = { ...headers, ...(host === undefined ? {} : { host }), ...(body === undefined ? {} : { 'content-length': `${body.length}` }) }
    const request = requestHttp1({ host: '127.0.0.1', port, method, path, headers: fields, agent: false, timeout: 10_000 }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: textOf(response.headers), body: Buffer.concat(parts) }))
    })
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')))
    request.on('error', reject)
    request.end(body)
  })
}

function overHttp2(port: number, { method = 'POST', path, host, headers = {}, body }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    // Node ends GET, HEAD and DELETE at once unless told that more comes.
    const more = body === undefined ? {} : { endStream: false }
    const stream = session.request({ ':method': method, ':path': path, ...(host === undefined ? {} : { ':authority': host }), ...headers }, more)
    stream.setTimeout(10_000, () => stream.destroy(new Error('no answer within 10 s')))
    const parts: Buffer[] = []
    let answer: Readonly<Record<string, unknown>> = {}
    stream.on('response', (head) => {
      answer = head
    })
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('error', reject)
    stream.on('close', () => {
      session.close()
      resolve({ status: Number(answer[':status']), headers: textOf(answer), body: Buffer.concat(parts) })
    })
    stream.end(body)
  })
}

function textOf(headers: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]))
}

/** One length-prefixed message of gRPC-Web or Connect. */
export function envelope(payload: Uint8Array | string, flags = 0): Buffer {
  const bytes = Buffer.from(payload)
  const head = Buffer.alloc(5)
  head[0] = flags
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** The frames of a body. @throws Error when it ends inside one */
export function envelopes(body: Buffer): readonly { readonly flags: number; readonly payload: Buffer }[] {
  const frames: { flags: number; payload: Buffer }[] = []
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1)
    if (end > body.length) throw new Error('the body ends inside a frame')
    frames.push({ flags: body.readUInt8(at), payload: body.subarray(at + 5, end) })
    at = end
  }
  return frames
}

/** Base64 in segments that are padded each by itself. */
export function unpadded(text: string): Buffer {
  return Buffer.concat((text.match(/[^=]+={0,2}/g) ?? []).map((segment) => Buffer.from(segment, 'base64')))
}
