import { request as requestHttp1 } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { buildIngress } from '../../../src/core/ingress.ts'
import type { GrpcReply } from '../../../src/core/model/call.ts'
import { Fault } from '../../../src/core/model/fault.ts'
import { FieldList } from '../../../src/core/model/fields.ts'
import { buildUpstream } from '../../../src/core/upstream.ts'
import { arrival } from '../../support/arrival.ts'
import { openGateway } from '../../support/gateway.ts'
import type { Keep } from '../../support/keep.ts'
import { loadCase } from '../../support/load.ts'
import { fakeChannels, fakePorts } from '../../support/ports.ts'
import { house } from '../../support/shop.ts'

/** A request in the bytes that a client of any manners would send. */
export interface Asked {
  readonly method: string
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Sizes of the pieces that the body comes in; the rest follows. */
  readonly cuts?: readonly number[]
}

/** What came of it: the answer, and the calls that the service saw, each with its messages. */
export interface Came {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly calls: readonly { readonly path: string; readonly messages: readonly Uint8Array[]; readonly whole: boolean }[]
}

export interface Door {
  ask(asked: Asked): Promise<Came>
}

const policies = (port: number, services: readonly string[]) => `sallyport: v1
clusters:
  back: { sidecar: none, address: "127.0.0.1:${port}", protocol: grpc, descriptors: test.binpb }
routes:
${services.map((service, i) => `  r${i}: { match: { grpc: ${service} }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, timeout: 5s, to: back }`).join('\n')}
`

type Seen = { path: string; messages: Uint8Array[]; whole: boolean }

/** The whole ingress walk in this process; the service is a double that takes every message and answers one empty one. */
export async function walkDoor(descriptors: Uint8Array, services: readonly string[]): Promise<Door> {
  const loaded = await loadCase({ files: { 'house.yaml': house, 'routes.yaml': policies(1, services) }, assets: { 'test.binpb': descriptors } })
  if (loaded.policy === undefined) throw new Error(JSON.stringify(loaded.diagnostics))
  const { policy } = loaded
  let seen: Seen[] = []
  const channels = fakeChannels({
    async grpc(call) {
      const one: Seen = { path: call.path, messages: [], whole: false }
      seen.push(one)
      if (call.messages instanceof Uint8Array) one.messages.push(call.messages)
      else for await (const message of call.messages) one.messages.push(message.slice())
      one.whole = true
      return emptyReply()
    },
  })
  const ports = fakePorts({ channels })
  const ingress = buildIngress(policy, buildUpstream(policy, ports), ports)
  return {
    async ask({ method, target, headers = {}, body, cuts = [] }) {
      seen = []
      const given = body === undefined ? {} : { body: inPieces(body, cuts) }
      const out = await ingress(arrival(method, target, headers, { httpVersion: '2', ...given }))
      const parts: Uint8Array[] = []
      if (out.body instanceof Uint8Array) parts.push(out.body)
      else if (out.body !== undefined) for await (const part of out.body) parts.push(part)
      const fields = [...out.headers.entries(), ...(out.trailers?.().entries() ?? [])]
      return { status: out.status, headers: Object.fromEntries(fields), body: Buffer.concat(parts), calls: seen }
    },
  }
}

function emptyReply(): GrpcReply {
  async function* one() {
    yield new Uint8Array()
  }
  return {
    kind: 'grpc',
    metadata: new FieldList(),
    messages: one(),
    status: () => ({ code: 0, message: '', details: undefined, trailers: new FieldList() }),
  }
}

function inPieces(bytes: Uint8Array, cuts: readonly number[]) {
  async function* chunks() {
    let at = 0
    for (const size of [...cuts, bytes.length]) {
      if (at < bytes.length) yield bytes.subarray(at, at + size)
      at += size
    }
  }
  return {
    length: undefined,
    bytes(limit: number) {
      if (bytes.length > limit) throw new Fault('body_too_large', 'too large')
      return bytes
    },
    chunks,
  }
}

/** A gateway of this process on loopback in front of a recording gRPC server. HTTP/1.1 byte by byte, or HTTP/2. */
export async function socketDoors(keep: Keep, descriptors: Uint8Array, services: Readonly<Record<string, readonly string[]>>): Promise<readonly Door[]> {
  // A call that is broken off may be seen late, when the next request is under way: each request brings its number.
  let run = 0
  let seen: Seen[] = []
  const port = await recordingServer(keep, services, (one, of) => {
    if (of === run) seen.push(one)
  })
  const files = { 'house.yaml': house, 'routes.yaml': policies(port, Object.keys(services)), 'test.binpb': descriptors }
  const gateway = await openGateway(keep, files)
  const door = (send: Send): Door => ({
    async ask(asked) {
      run++
      seen = []
      const number = { 'x-run': `${run}`, 'grpc-metadata-x-run': `${run}` }
      const answer = await send(gateway.port('public'), { ...asked, headers: { ...asked.headers, ...number } })
      return { ...answer, calls: seen }
    },
  })
  return [door(overTcp), door(overHttp2)]
}

async function recordingServer(keep: Keep, services: Readonly<Record<string, readonly string[]>>, saw: (one: Seen, run: number) => void): Promise<number> {
  const server = new Server()
  const whole = (bytes: Buffer) => bytes
  for (const [service, methods] of Object.entries(services)) {
    for (const method of methods) {
      const path = `/${service}/${method}`
      // A stream both ways takes any kind of call.
      const handle = (call: ServerDuplexStream<Buffer, Buffer>) => {
        const one: Seen = { path, messages: [], whole: false }
        saw(one, Number(call.metadata.get('x-run')[0]))
        call.on('data', (message: Buffer) => one.messages.push(message))
        call.on('error', () => {}) // cancelled: what it took is seen
        // A call that is broken off ends too; that it was cancelled is known a turn later.
        call.on('end', () =>
          setImmediate(() => {
            if (call.cancelled) return
            one.whole = true
            call.write(Buffer.alloc(0))
            call.end()
          }),
        )
      }
      server.register(path, handle, whole, whole, 'bidi')
    }
  }
  keep(() => server.forceShutdown())
  return new Promise((bound, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => (error === null ? bound(at) : fail(error)))
  })
}

type Send = (port: number, asked: Asked) => Promise<Omit<Came, 'calls'>>

/** Over a bare socket, where the target needs it: a client library would repair or refuse it. */
const overTcp: Send = (port, { method, target, headers = {}, body }) =>
  new Promise((resolve, reject) => {
    const request = requestHttp1(
      {
        createConnection: () => connect(port, '127.0.0.1'),
        method,
        path: '/',
        headers: {
          host: `127.0.0.1:${port}`,
          connection: 'close, te',
          te: 'trailers',
          ...headers,
          ...(body === undefined ? {} : { 'content-length': `${body.length}` }),
        },
        timeout: 10_000,
      },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const headers = textOf({ ...response.headers, ...response.trailers })
          resolve({ status: response.statusCode ?? 0, headers, body: Buffer.concat(parts) })
        })
      },
    )
    // Node checks the path of its options; what stands here it writes as it is.
    request.path = target
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')))
    request.on('error', reject)
    request.end(body)
  })

const overHttp2: Send = (port, { method, target, headers = {}, body, cuts = [] }) =>
  new Promise((resolve, reject) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    const stream = session.request({ ':method': method, ':path': target, ...headers }, { endStream: body === undefined })
    stream.setTimeout(10_000, () => stream.destroy(new Error('no answer within 10 s')))
    const parts: Buffer[] = []
    let fields: Readonly<Record<string, unknown>> = {}
    stream.on('response', (head) => {
      fields = { ...fields, ...head }
    })
    stream.on('trailers', (head) => {
      fields = { ...fields, ...head }
    })
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('error', () => {}) // a reset after the answer: the gateway had heard enough
    stream.on('close', () => {
      session.close()
      resolve({ status: Number(fields[':status'] ?? 0), headers: textOf(fields), body: Buffer.concat(parts) })
    })
    if (body === undefined) return
    let at = 0
    for (const size of cuts) {
      if (at >= body.length) break
      stream.write(body.subarray(at, at + size))
      at += size
    }
    stream.end(body.subarray(Math.min(at, body.length)))
  })

function textOf(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value].flat().join(', ')]))
}
