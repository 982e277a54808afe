import type { Suite, SuiteName } from './model.ts'

const order = {
  tenant: 'red',
  items: [
    { sku: 'b-1', quantity: 2, unitPrice: '1990' },
    { sku: 'b-3', quantity: 1, unitPrice: '1010' },
  ],
  total: '4990',
  currency: 'EUR',
  labels: { channel: 'web' },
  note: 'leave it at the gate',
}

const book = {
  sku: 'b-1',
  title: 'The Art of the Gate',
  price: '19.90',
  authors: ['A. Warden', 'B. Porter'],
  publisher: 'Castle and Keep',
  pages: 312,
  inStock: true,
  tags: ['gates', 'locks'],
}

const all: Readonly<Record<SuiteName, Suite>> = {
  proxy: {
    name: 'proxy',
    title: 'HTTP → HTTP: GET, 165 B of JSON back',
    request: { method: 'GET', path: '/catalog/books/b-1', headers: { accept: 'application/json' }, body: '' },
    backend: { program: 'http-backend.ts', protocol: 'http', args: [] },
    answer: book,
    reference: 'nginx',
  },
  transcode: {
    name: 'transcode',
    title: 'JSON → gRPC: POST of an order, 215 B of JSON in and 260 B back, behind it a lean shop.v1.Orders',
    request: {
      method: 'POST',
      path: '/v1/orders',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ order, requestId: 'r-1' }),
    },
    backend: { program: 'grpc-backend.ts', protocol: 'grpc', args: [] },
    answer: { ...order, id: '100', status: 'ORDER_STATUS_OPEN', servedBy: 'bench' },
    reference: 'grpc-js',
  },
  shop: {
    name: 'shop',
    title: "JSON → gRPC: GET of an order from the demo's own Orders service (grpc-js)",
    request: { method: 'GET', path: '/v1/orders/7', headers: { accept: 'application/json' }, body: '' },
    backend: { program: 'shop-backend.ts', protocol: 'grpc', args: ['descriptors'] },
    answer: {
      id: '7',
      tenant: 'red',
      status: 'ORDER_STATUS_OPEN',
      currency: 'EUR',
      total: '4990',
      items: [{ sku: 'b-1', quantity: 1, unitPrice: '4990' }],
      createdAt: '2026-01-02T03:04:05Z',
      servedBy: 'orders-v1',
    },
    reference: 'grpc-js',
  },
}

/** Every suite, by name. */
export const suites = all

/** What runs when nothing is said, and with `--full`. */
export const usualSuites: readonly SuiteName[] = ['proxy', 'transcode']
export const fullSuites: readonly SuiteName[] = ['proxy', 'transcode', 'shop']
