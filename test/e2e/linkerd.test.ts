import { createServer as createHttp } from 'node:http'
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Answer, clients } from '../support/clients.ts'
import { sallyport } from '../support/command.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, shopDescriptors } from '../support/shop.ts'
import { tempFolder } from '../support/temp-folder.ts'

/*
 * Not a real linkerd2-proxy, which is not to be had as a package: two servers that hold what they get to its documentation of ingress mode.
 * Every request says where it goes, in `l5d-dst-override` with a port, or fails; nothing else of `l5d-*` steers but the time.
 */

interface Seen {
  readonly destination: string
  readonly fields: Readonly<Record<string, unknown>>
}

const keep = untilTheEnd()
const seen: Seen[] = []
const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
let gateway: Gateway
let text: string

/** Whether the proxy would send this on: one destination, with a port, of a service that it knows. */
function takes(headers: IncomingHttpHeaders | Readonly<Record<string, unknown>>): boolean {
  const destination = headers['l5d-dst-override']
  const good = typeof destination === 'string' && /^(?:web|orders)\.shop\.svc\.cluster\.local:8080$/.test(destination)
  const controls = Object.keys(headers).filter((name) => name.startsWith('l5d-'))
  seen.push({ destination: String(destination), fields: Object.fromEntries(controls.map((name) => [name, headers[name]])) })
  return good
}

beforeAll(async () => {
  const plain = createHttp((request, response) => {
    if (takes(request.headers)) response.end('ok')
    else response.writeHead(502, { 'l5d-proxy-error': 'no destination' }).end()
  })
  const sessions = new Set<ServerHttp2Session>()
  const grpc = createServer()
  grpc.on('session', (session) => sessions.add(session))
  grpc.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    stream.resume()
    const head = { ':status': 200, 'content-type': 'application/grpc' }
    if (!takes(headers)) return stream.respond({ ...head, 'grpc-status': '14', 'l5d-proxy-error': 'no destination' }, { endStream: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.respond(head, { waitForTrailers: true })
    stream.end(Buffer.alloc(5))
  })
  const ports: number[] = []
  for (const server of [plain, grpc]) {
    await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
    keep(() => void server.close())
    ports.push((server.address() as AddressInfo).port)
  }
  keep(() => {
    plain.closeAllConnections()
    for (const session of sessions) session.destroy()
  })
  text = `sallyport: v1
clusters:
  web: { sidecar: linkerd, address: "127.0.0.1:${ports[0]}", authority: "web.shop.svc.cluster.local:8080" }
  orders: { sidecar: linkerd, protocol: grpc, address: "127.0.0.1:${ports[1]}", authority: "orders.shop.svc.cluster.local:8080", descriptors: shop.binpb }
routes:
  web: { match: { path: "/web/{**}" }, ${anyone}, timeout: 3s, to: web }
  orders: { match: { grpc: shop.v1.Orders }, ${anyone}, timeout: 3s, to: orders }
`
  gateway = await openGateway(keep, { 'house.yaml': house, 'shop.yaml': text, 'shop.binpb': shopDescriptors })
})

const hostile: readonly (readonly [string, string])[] = [
  ['l5d-dst-override', 'admin.internal:80'],
  ['L5D-Dst-Override', 'admin.internal:81'],
  ['l5d-request-timeout', '1h'],
  ['l5d-retry-http', '5xx'],
  ['l5d-retry-limit', '99'],
  ['l5d-client-id', 'root.serviceaccount'],
  ['grpc-metadata-l5d-dst-override', 'admin.internal:82'],
]

async function ask(path: string, headers: readonly (readonly [string, string])[], body?: string): Promise<Answer> {
  return clients['HTTP/1.1'](gateway.port('public'), { method: body === undefined ? 'GET' : 'POST', path, headers, ...(body !== undefined && { body }) })
}

describe('to what speaks as a Linkerd proxy in ingress mode', () => {
  it.each([
    ['HTTP', () => ask('/web/a', [...hostile, ['x-server-timeout', '2']]), 'web'],
    ['gRPC', () => ask('/v1/orders/o-1', [...hostile, ['x-server-timeout', '2']]), 'orders'],
  ] as const)('every %s request says where it goes and how long it may take, and nothing that a client said', async (_, call, service) => {
    const before = seen.length
    expect((await call()).status).toBe(200)
    expect(seen.slice(before)).toHaveLength(1)
    const { destination, fields } = seen[before] as Seen // there is one
    expect(destination).toBe(`${service}.shop.svc.cluster.local:8080`)
    expect(Object.keys(fields).sort()).toEqual(['l5d-dst-override', 'l5d-request-timeout'])
    const left = Number(/^(\d+)ms$/.exec(String(fields['l5d-request-timeout']))?.[1])
    expect(left).toBeGreaterThan(1_000)
    expect(left).toBeLessThanOrEqual(2_000)
  })

  it('probes say so too, and name a destination that the proxy does not take', { timeout: 30_000 }, async () => {
    const check = async (policies: string) => {
      const folder = await tempFolder({ 'house.yaml': house, 'shop.yaml': policies, 'shop.binpb': shopDescriptors })
      const { out } = await sallyport(['check', '--env', 'dev', '--policies', folder.path, '--probe', '--json'])
      const { diagnostics } = JSON.parse(out) as { readonly diagnostics: readonly { readonly code: string; readonly message: string }[] }
      return diagnostics.filter(({ code }) => code === 'endpoint_unusable').map(({ message }) => message)
    }
    expect(await check(text)).toEqual([])
    const problem = expect.stringContaining('the sidecar says: no destination')
    expect(await check(text.replaceAll('.shop.svc.', '.shopp.svc.'))).toEqual([problem, problem])
  })
})
