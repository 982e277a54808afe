import { request as requestHttp1 } from 'node:http'
import { connect } from 'node:http2'
import type { RawAnswer, RawRequest } from '../../support/raw.ts'

/** An answer as far as it came. */
export interface Heard extends RawAnswer {
  readonly trailers: Readonly<Record<string, string>>
  /** It broke off: the connection or the stream was reset after the header. */
  readonly cut: boolean
}

type Ask = (port: number, request: RawRequest) => Promise<Heard>

/** Both protocols of the clear-text listeners, with trailers, and without an error for answers that break off. */
export const askers: Readonly<Record<'HTTP/1.1' | 'h2c', Ask>> = { 'HTTP/1.1': overHttp1, h2c: overHttp2 }

function overHttp1(port: number, { method = 'POST', path, host, headers = {}, body }: RawRequest): Promise<Heard> {
  return new Promise((resolve, reject) => {
    let answered = false
    const fields = { ...headers, ...(host === undefined ? {} : { host }), ...(body === undefined ? {} : { 'content-length': `${body.length}` }) }
    const request = requestHttp1({ host: '127.0.0.1', port, method, path, headers: fields, agent: false, timeout: 10_000 }, (response) => {
      answered = true
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', () => {})
      response.on('close', () => {
        const { statusCode = 0, headers: head, trailers, complete } = response
        resolve({ status: statusCode, headers: textOf(head), trailers: textOf(trailers), body: Buffer.concat(parts), cut: !complete })
      })
    })
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')))
    request.on('error', (error) => {
      if (!answered) reject(error)
    })
    request.end(body)
  })
}

function overHttp2(port: number, { method = 'POST', path, host, headers = {}, body }: RawRequest): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    // Node ends GET, HEAD and DELETE at once unless told that more comes.
    const more = body === undefined ? {} : { endStream: false }
    const stream = session.request({ ':method': method, ':path': path, ...(host === undefined ? {} : { ':authority': host }), ...headers }, more)
    stream.setTimeout(10_000, () => stream.destroy(new Error('no answer within 10 s')))
    const parts: Buffer[] = []
    let head: Readonly<Record<string, unknown>> | undefined
    let trailers: Readonly<Record<string, unknown>> = {}
    stream.on('response', (fields) => {
      head = fields
    })
    stream.on('trailers', (fields) => {
      trailers = fields
    })
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('error', (error) => {
      if (head === undefined) reject(error)
    })
    stream.on('close', () => {
      session.close()
      if (head === undefined) return reject(new Error('the stream closed without an answer'))
      const cut = stream.rstCode !== 0
      resolve({ status: Number(head[':status']), headers: textOf(head), trailers: textOf(trailers), body: Buffer.concat(parts), cut })
    })
    stream.end(body)
  })
}

function textOf(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value].flat().join(', ')]))
}
