import { request } from 'node:http'
import { connect } from 'node:http2'
import type { Socket } from 'node:net'
import type { Place } from '../../core/upstream.ts'
import type { Trouble } from './trouble.ts'

/** What came back: status, fields by lower-case name, and the beginning of the body. */
export interface Told {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

/** As much of a body as a proxy's own words need. */
const longest = 2_048

/**
 * Asks for the options of `/` (RFC 9110 section 9.3.7: safe) under the authority of the place: a sidecar that listens may still have no route
 * for it, or nobody behind it. Undefined when whatever is there answered. Never rejects.
 */
export async function askThrough(socket: Socket, place: Place, ms: number): Promise<Trouble | undefined> {
  const told = await new Promise<Told | undefined>((resolve) => {
    const timer = setTimeout(() => over(undefined), ms)
    const over = (answer: Told | undefined) => {
      clearTimeout(timer)
      resolve(answer)
    }
    if (place.endpoint.protocol === 'http1') overHttp1(socket, place, over)
    else overHttp2(socket, place, over)
  })
  socket.destroy()
  return told === undefined ? silent(ms) : sidecarTrouble(told, place)
}

/** What the proxy says itself, in place of the service; undefined for the service's own words. */
export function sidecarTrouble({ status, headers, text }: Told, { authority }: Pick<Place, 'authority'>): Trouble | undefined {
  const said = headers['l5d-proxy-error']
  if (typeof said === 'string') return { problem: `the sidecar says: ${shortened(said)}`, hint }
  const ownAnswer = /envoy/.test(String(headers['server'])) && headers['x-envoy-upstream-service-time'] === undefined
  if (ownAnswer && (status === 404 || headers['grpc-status'] === unimplemented)) return { problem: `the sidecar has no route for ${authority}`, hint }
  if (status >= 500 && (ownAnswer || ownWords.test(text))) {
    const why = withFailure(text, headers)
    return { problem: `the sidecar does not get an answer from the service: ${shortened(why) || `status ${status}`}`, hint: hintFor(why) }
  }
  return undefined
}

/** Envoy's words and, where it is configured to say it (deploy/envoy), what the other side's TLS was refused for. */
export function withFailure(text: string, headers: Readonly<Record<string, unknown>>): string {
  const failure = headers['x-envoy-upstream-failure']
  return typeof failure === 'string' ? `${text.trim()} (${failure})` : text
}

/** gRPC's code for what a proxy without a route answers. */
const unimplemented = '12'

const ownWords = /^(?:upstream connect error|no healthy upstream|upstream request timeout)/
const hint = 'Look at the authority, and at what the control plane knows under it.'

/** What to do about what Envoy says of the service behind it. */
export function hintFor(text: string): string {
  if (/CERTIFICATE_VERIFY_FAILED|SAN matcher|verify cert failed/.test(text))
    return 'Look at whose certificate the service presents, and at the names that the sidecar expects.'
  if (/TLS_error|CERTIFICATE_REQUIRED|ALERT_/.test(text)) return 'Look at the certificates and versions that both proxies use.'
  return 'Look at the service, and at the log of the sidecar: %UPSTREAM_TRANSPORT_FAILURE_REASON% says what TLS failed for.'
}

function silent(ms: number): Trouble {
  return { problem: `the sidecar takes a request and does not answer it within ${ms} ms`, hint: 'Look at the service, and at the log of the sidecar.' }
}

function overHttp1(socket: Socket, { authority, fields }: Place, over: (told: Told | undefined) => void): void {
  const headers = { host: authority, connection: 'close', ...Object.fromEntries(fields.entries()) }
  const asking = request({ createConnection: () => socket, method: 'OPTIONS', path: '/', headers }, (response) => {
    let text = ''
    const done = () => over({ status: response.statusCode ?? 0, headers: response.headers, text })
    response.on('data', (data: Buffer) => {
      text = (text + data.toString()).slice(0, longest)
    })
    response.on('end', done)
    response.on('error', done)
  })
  asking.on('error', () => over(undefined))
  asking.end()
}

function overHttp2(socket: Socket, { authority, fields, endpoint }: Place, over: (told: Told | undefined) => void): void {
  const session = connect(`${endpoint.tls === undefined ? 'http' : 'https'}://${authority}`, { createConnection: () => socket })
  session.on('error', () => over(undefined))
  const stream = session.request({ ':method': 'OPTIONS', ':path': '/', ':authority': authority, ...Object.fromEntries(fields.entries()) })
  let head: Readonly<Record<string, unknown>> = {}
  let text = ''
  stream.on('response', (headers) => {
    head = headers
  })
  stream.on('data', (data: Buffer) => {
    text = (text + data.toString()).slice(0, longest)
  })
  stream.on('error', () => over(undefined))
  stream.on('close', () => over(head[':status'] === undefined ? undefined : { status: Number(head[':status']), headers: head, text }))
  stream.end()
}

function shortened(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]+/g, ' ').trim()
  return plain.length > 300 ? `${plain.slice(0, 300)}…` : plain
}
