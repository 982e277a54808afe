import { readFile } from 'node:fs/promises'
import type { Served } from '../serve-app.ts'
import { startCatalog } from './catalog.ts'
import { type Orders, type SeenCall, startOrders } from './orders.ts'
import type { Sidecar } from './outbound.ts'
import { startSidecar } from './sidecar.ts'

/** The sample mesh: two versions of Orders, a Catalog, and the sidecar in front of them. */
export interface Shop {
  readonly sidecar: Sidecar
  readonly orders: { readonly v1: Orders; readonly v2: Orders }
  readonly catalog: Served
  close(): Promise<void>
}

export interface ShopOptions {
  readonly sidecarPort: number
  /** File of the serialized FileDescriptorSet. */
  readonly descriptors: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly onCall?: (call: SeenCall) => void
}

/** Starts the whole mesh on free loopback ports; only the sidecar's is given. */
export async function startShop(options: ShopOptions): Promise<Shop> {
  const descriptors = await readFile(options.descriptors)
  const watched = options.onCall === undefined ? {} : { onCall: options.onCall }
  const v1 = await startOrders({ port: 0, version: 'orders-v1', descriptors, ...watched })
  const v2 = await startOrders({ port: 0, version: 'orders-v2', descriptors, ...watched })
  const catalog = await startCatalog(0)
  const domain = 'shop.svc.cluster.local'
  const sidecar = await startSidecar(
    options.sidecarPort,
    {
      orders: { authority: `orders.${domain}`, port: v1.port, protocol: 'grpc' },
      'orders-v1': { authority: `orders-v1.${domain}`, port: v1.port, protocol: 'grpc' },
      'orders-v2': { authority: `orders-v2.${domain}`, port: v2.port, protocol: 'grpc' },
      catalog: { authority: `catalog.${domain}`, port: catalog.port, protocol: 'http' },
    },
    options.env,
  )
  return {
    sidecar,
    orders: { v1, v2 },
    catalog,
    close: async () => {
      await sidecar.close()
      await Promise.all([v1.close(), v2.close(), catalog.close()])
    },
  }
}
