import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'

/** An order in ProtoJSON. */
export type OrderJson = JsonObject

/**
 * The orders one instance knows. Not shared between versions: it is a sample, not a database. `asking` is the tenant that the
 * gateway vouches for: it sees and changes its own orders only. Empty inside the mesh, where nobody is asked.
 */
export class OrderBook {
  readonly #orders = new Map<string, OrderJson>()
  readonly #version: string
  #next = 100

  constructor(version: string) {
    this.#version = version
    for (const [id, tenant, total] of [
      ['7', 'red', '4990'],
      ['8', 'blue', '1250'],
    ] as const) {
      this.#orders.set(id, {
        id,
        tenant,
        status: 'ORDER_STATUS_OPEN',
        currency: 'EUR',
        total,
        items: [{ sku: 'b-1', quantity: 1, unitPrice: total }],
        createdAt: '2026-01-02T03:04:05Z',
      })
    }
  }

  /** @throws gRPC NOT_FOUND. */
  get(asking: string, id: string, tenant = ''): OrderJson {
    const order = this.#find(asking, id)
    if (tenant !== '' && order['tenant'] !== tenant) throw notFound(id)
    return this.#signed(order)
  }

  list(asking: string, filter: JsonObject): JsonObject {
    const wanted = Array.isArray(filter['status']) ? filter['status'] : []
    const size = Number(filter['pageSize'] ?? 0) || 50
    const own = [...this.#orders.values()].filter((order) => asking === '' || order['tenant'] === asking)
    const found = own.filter((order) => wanted.length === 0 || wanted.includes(order['status'] as string))
    return { orders: found.slice(0, size).map((order) => this.#signed(order)) }
  }

  /** @throws gRPC INVALID_ARGUMENT when there is nothing in it. */
  create(asking: string, order: OrderJson): OrderJson {
    if (!Array.isArray(order['items']) || order['items'].length === 0) throw fail(status.INVALID_ARGUMENT, 'order.items: at least one item')
    const id = String(this.#next++)
    const made = { ...order, id, ...(asking === '' ? {} : { tenant: asking }), status: 'ORDER_STATUS_OPEN', createdAt: new Date().toISOString() }
    this.#orders.set(id, made)
    return this.#signed(made)
  }

  /** Changes the top-level fields that `mask` names (FieldMask in JSON: camelCase, comma separated). */
  update(asking: string, order: OrderJson, mask: string): OrderJson {
    const id = textOf(order['id'])
    const old = this.#find(asking, id)
    const fields = mask === '' ? Object.keys(order) : mask.split(',').map((path) => path.split('.')[0] as string)
    const changed: OrderJson = { ...old }
    for (const field of fields) {
      const value = order[field]
      if (value === undefined) delete changed[field]
      else changed[field] = value
    }
    Object.assign(changed, { id, tenant: old['tenant'] })
    this.#orders.set(id, changed)
    return this.#signed(changed)
  }

  cancel(asking: string, id: string): OrderJson {
    const order = this.#find(asking, id)
    const cancelled = { ...order, status: 'ORDER_STATUS_CANCELLED' }
    this.#orders.set(id, cancelled)
    return this.#signed(cancelled)
  }

  #find(asking: string, id: string): OrderJson {
    const order = this.#orders.get(id)
    if (order === undefined || (asking !== '' && order['tenant'] !== asking)) throw notFound(id)
    return order
  }

  #signed(order: OrderJson): OrderJson {
    return { ...order, servedBy: this.#version }
  }
}

/** A string member of ProtoJSON; empty when it is left out. */
export function textOf(member: JsonValue | undefined): string {
  return typeof member === 'string' ? member : ''
}

function notFound(id: string): Error {
  return fail(status.NOT_FOUND, `no order ${id}`)
}

function fail(code: status, details: string): Error {
  return Object.assign(new Error(details), { code, details })
}
