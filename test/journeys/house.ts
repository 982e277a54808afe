import type { Policy } from '../../src/core/policy/policy.ts'
import { loadFolder } from '../../src/node/policy-source/load-folder.ts'
import { bundleForWorker } from '../../src/node/worker-bundle.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { type IssuerDouble, issuerDouble } from '../support/issuer.ts'
import type { Keep } from '../support/keep.ts'
import { openHttp, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'
import { openWorker, type RunningWorker } from '../support/worker.ts'
import { journeyPolicies } from './policies.ts'

/** A request as the service behind everything saw it. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Issuer, services and a Node gateway, and a Worker in front of that gateway: one house with two doors. */
export interface House {
  readonly issuer: IssuerDouble
  readonly stranger: IssuerDouble
  readonly seen: readonly Seen[]
  readonly orders: WatchedOrders
  readonly gateway: Gateway
  readonly worker: RunningWorker
  /** Port of the door by ground. */
  readonly doors: { readonly node: number; readonly worker: number }
}

export async function openHouse(keep: Keep): Promise<House> {
  const seen: Seen[] = []
  const echo = await openEcho(keep, seen)
  const issuer = await openIssuer(keep)
  const orders = await openOrders(keep)
  const variables = { ISSUER: issuer.url, ECHO_PORT: `${echo}`, ORDERS_PORT: `${orders.port}` }
  const gateway = await openGateway(keep, { 'gateway.yaml': journeyPolicies, 'shop.binpb': shopDescriptors }, { variables })
  const origin = `http://127.0.0.1:${gateway.port('public')}`
  const worker = await openWorker(keep, { policy: await edgePolicy(gateway, variables), vars: { ORIGIN: origin } })
  const stranger = await issuerDouble(() => Date.now(), issuer.url)
  return { issuer, stranger, seen, orders, gateway, worker, doors: { node: gateway.port('public'), worker: worker.port } }
}

async function openEcho(keep: Keep, seen: Seen[]): Promise<number> {
  return openHttp(keep, (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: Buffer.concat(parts).toString() })
      response.writeHead(200, { 'content-type': 'text/plain', server: 'echo/1.0', connection: 'x-of-this-hop', 'x-of-this-hop': '1', 'x-from': 'echo' })
      response.end('echo\n')
    })
  })
}

async function openIssuer(keep: Keep): Promise<IssuerDouble> {
  const served: { by: IssuerDouble | undefined } = { by: undefined }
  const port = await openHttp(keep, (request, response) => {
    response.writeHead(request.url === '/jwks' ? 200 : 404, { 'content-type': 'application/json' })
    response.end(served.by?.jwks())
  })
  served.by = await issuerDouble(() => Date.now(), `http://127.0.0.1:${port}`)
  return served.by
}

/** The same folder as the gateway's, bundled as for a deployment. */
async function edgePolicy(gateway: Gateway, variables: Readonly<Record<string, string>>): Promise<Policy> {
  const loaded = await loadFolder({ folder: gateway.policies.path, environment: 'dev', variables, known: undefined })
  const { json, diagnostics } = bundleForWorker(loaded)
  if (json === undefined) throw new Error(JSON.stringify(diagnostics))
  return JSON.parse(json) as Policy
}
