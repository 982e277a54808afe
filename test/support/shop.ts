import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { vi } from 'vitest'
import { type Issuer, startIssuer } from '../../src/node/demo/issuer.ts'
import { type Orders, type SeenCall, startOrders } from '../../src/node/demo/mesh/orders.ts'
import type { Keep } from './keep.ts'

/** The descriptor set that is pinned beside the shop's policies. */
export const shopDescriptors = readFileSync(new URL('../../policies/descriptors/shop.binpb', import.meta.url))

/** The Orders service, with every call it saw. */
export interface WatchedOrders extends Orders {
  readonly calls: readonly SeenCall[]
  /** The call after the first `count`, when it has come. */
  call(count: number): Promise<SeenCall>
}

export async function openOrders(keep: Keep, version = 'orders'): Promise<WatchedOrders> {
  const calls: SeenCall[] = []
  const orders = await startOrders({ port: 0, version, descriptors: shopDescriptors, onCall: (call) => calls.push(call) })
  keep(() => orders.close())
  const call = (count: number) =>
    vi.waitFor(
      () => {
        const seen = calls[count]
        if (seen === undefined) throw new Error(`call ${count} has not come`)
        return seen
      },
      { timeout: 10_000, interval: 2 },
    )
  return { ...orders, calls, call }
}

export async function openIssuer(keep: Keep): Promise<Issuer> {
  const issuer = await startIssuer(0)
  keep(() => issuer.close())
  return issuer
}

/** An HTTP service on loopback. Returns its port. */
export async function openHttp(keep: Keep, handle: RequestListener): Promise<number> {
  const server = createServer((request, response) => {
    response.on('error', () => {})
    handle(request, response)
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  keep(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

/** What every policies folder of these tests starts with: environments, and listeners on free ports. */
export const house = `sallyport: v1
environments:
  dev: { class: nonprod }
  test: { class: nonprod }
  prod: { class: prod }
listeners:
  public: { address: "127.0.0.1:0" }
  egress: { address: "127.0.0.1:0" }
  admin: { address: "127.0.0.1:0" }
`

/** The issuer of the shop, as policies name it. */
export const issuerSection = (issuer: Issuer): string => `issuers:
  shop: { issuer: "${issuer.url}", audiences: [https://api.shop.example], algorithms: [ES256], tokenTypes: [at+jwt] }
`
