import { connect } from 'node:http2'
import type { Socket } from 'node:net'
import type { Place } from '../../core/upstream.ts'
import { type DialPorts, dial } from '../channels/dial.ts'
import { greet } from './greet.ts'
import { askThrough, hintFor, sidecarTrouble, withFailure } from './through-sidecar.ts'
import { type Trouble, troubleOf } from './trouble.ts'

/** How long something that accepted a connection may take to speak, milliseconds. */
const patienceMs = 3_000

/**
 * Tries one endpoint as requests would use it: connects, does TLS, and speaks the protocol, down to a gRPC answer for a gRPC cluster.
 * Undefined when all of it works. Takes a few seconds at most; never rejects.
 */
export async function probeEndpoint(place: Place, ports: DialPorts): Promise<Trouble | undefined> {
  const { endpoint, authority } = place
  const protocol = endpoint.protocol === 'http1' ? 'http1' : 'h2'
  try {
    const trouble = await greet(await connected(place, ports), protocol, authority, patienceMs)
    if (trouble !== undefined) return trouble
    if (endpoint.protocol === 'grpc') return await callOver(await connected(place, ports), place)
    return place.sidecar === 'none' ? undefined : await askThrough(await connected(place, ports), place, patienceMs)
  } catch (error) {
    return troubleOf(error, endpoint.tls !== undefined)
  }
}

function connected({ endpoint }: Place, ports: DialPorts): Promise<Socket> {
  return dial(endpoint, [endpoint.protocol === 'http1' ? 'http/1.1' : 'h2'], ports)
}

/** gRPC's code for "try elsewhere": what a sidecar says that has nowhere to go. */
const unavailable = '14'

/** Asks for the health of the service; any gRPC status is an answer, but one that says that nobody is there. */
function callOver(socket: Socket, place: Place): Promise<Trouble | undefined> {
  const { endpoint, authority, fields, sidecar } = place
  const own = (headers: Readonly<Record<string, unknown>>) => (sidecar === 'none' ? undefined : sidecarTrouble({ status: 200, headers, text: '' }, place))
  return new Promise((resolve) => {
    const session = connect(`${endpoint.tls === undefined ? 'http' : 'https'}://${authority}`, { createConnection: () => socket })
    const over = (trouble: Trouble | undefined) => {
      clearTimeout(timer)
      session.destroy()
      resolve(trouble)
    }
    const silent: Trouble = { problem: `it speaks HTTP/2 and does not answer a gRPC call within ${patienceMs} ms`, hint: 'Look at the log of the service.' }
    const timer = setTimeout(() => over(silent), patienceMs)
    const broken = (error: Error) => over({ problem: `it breaks off a gRPC call (${error.message})`, hint: 'Look at the log of the service.' })
    session.on('error', broken)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      ':authority': authority,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...Object.fromEntries(fields.entries()),
    })
    stream.on('error', broken)
    stream.on('response', (headers) => {
      const type = headers['content-type'] ?? ''
      if (!/^application\/grpc(?![^+;])/.test(type))
        return over({
          problem: `it speaks HTTP/2 and not gRPC: it answered ${headers[':status']}${type === '' ? '' : ` ${type}`}`,
          hint: 'Correct the address or the authority, or write protocol: h2.',
        })
      if (headers['grpc-status'] !== undefined) over(own(headers) ?? statusTrouble(headers))
    })
    stream.on('trailers', (trailers) => over(statusTrouble(trailers)))
    stream.on('end', () => over(undefined))
    stream.resume()
    // An empty message: the health of the server as a whole.
    stream.end(Buffer.alloc(5))
  })
}

function statusTrouble(headers: Readonly<Record<string, unknown>>): Trouble | undefined {
  if (headers['grpc-status'] !== unavailable) return undefined
  const said = headers['grpc-message']
  const message = withFailure(typeof said === 'string' ? unescaped(said) : '', headers)
  return {
    problem: `who answers there says UNAVAILABLE${message === '' ? '' : `: ${message}`}`,
    hint: /TLS_error/.test(message) ? hintFor(message) : 'Look at the service behind it; with a sidecar, at the authority.',
  }
}

/** gRPC over HTTP/2, "Responses": percent-encoded UTF-8. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
