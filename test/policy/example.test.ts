import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { clean, loadCase, shopDescriptors } from '../support/load.ts'

// The example of the format's reference, without what this version does not have.
const example = `# yaml-language-server: $schema=../schema/sallyport.v1.json
sallyport: v1

environments:
  dev: { class: nonprod }
  staging: { class: nonprod }
  prod: { class: prod }

listeners:
  public:
    address: 0.0.0.0:8443
    protocols: [http/1.1, h2]
    tls: { certificate: file:/run/tls/tls.crt, key: file:/run/tls/tls.key, clientAuth: optional, clientCa: file:/run/tls/clients.pem }
    trustedProxies: [10.0.0.0/8]
    limits: { headers: 16KiB, body: 1MiB, requests: 30s, idle: 60s }
  egress: { address: 127.0.0.1:9100 }
  admin:  { address: 127.0.0.1:9901 }

store: { redis: env:REDIS_URL }

issuers:
  main:
    issuer: https://idp.example.com
    audiences: [https://api.example.com]
    algorithms: [RS256, ES256]
    tokenTypes: [at+jwt, JWT]
    maxLifetime: 24h
    clockSkew: 30s
    staleKeysFor: 24h

clusters:
  orders:
    sidecar: envoy
    protocol: grpc
    address: 127.0.0.1:15001
    authority: orders.shop.svc.cluster.local
    descriptors: descriptors/shop.binpb
    subsets: { v1: { authority: orders-v1.shop.svc.cluster.local }, v2: { authority: orders-v2.shop.svc.cluster.local } }
  catalog:
    protocol: http
    endpoints: { dns: catalog.shop.svc.cluster.local, port: 8080 }
    balance: peak_ewma

limits:
  per-client: { rate: 100/1m, burst: 20, key: [issuer, subject], onStoreFailure: local }

access:
  orders:
    authenticate: { anyOf: [ { jwt: main } ] }
    rules:
      - id: read
        allow: { methods: [GET], grpc: ["shop.v1.Orders/GetOrder", "shop.v1.Orders/ListOrders"], scopes: [orders:read] }
      - id: own-tenant-only
        deny: { paths: ["/v1/tenants/{tenant}/**"] }
        when: claims.tenant != request.params.tenant
        reason: A tenant may use its own orders only.

routes:
  orders:
    match: { hosts: [api.example.com], grpc: shop.v1.Orders }
    access: orders
    limits: [per-client]
    timeout: 2s
    retry: { attempts: 2, on: [connect, unavailable], budget: 20% }
    sticky: claim.sub
    to:
      - { cluster: orders, subset: v1, weight: 90 }
      - { cluster: orders, subset: v2, weight: 10 }
  catalog:
    match: { hosts: [api.example.com], path: "/catalog/{**}", methods: [GET] }
    access: { rules: [ { id: public, allow: { anonymous: true } } ] }
    to: catalog

callers:
  checkout: { listener: egress }

egress:
  payments:
    listen: 127.0.0.1:9101
    callers: [checkout]
    environments:
      dev:  { mode: mock, mock: mocks/payments.yaml }
      prod: { target: https://api.pay.example, inject: { header: authorization, format: "Bearer {secret}", secret: "env:PAY_KEY" } }
`
const files = {
  'gateway.yaml': example,
  'mocks/payments.yaml': '- match: { method: POST, path: /v1/charges }\n  status: 201\n  json: { id: "ch_{{body.amount}}" }\n',
}
const assets = { 'descriptors/shop.binpb': shopDescriptors }

describe('the example of the format', () => {
  it('loads clean in every environment', async () => {
    for (const environment of ['dev', 'staging', 'prod']) expect((await loadCase({ files, assets, environment })).diagnostics).toEqual([])
  })

  it('is linked to what the rooms work on', async () => {
    const policy = clean(await loadCase({ files, assets }))
    expect(policy).toMatchObject({
      environment: 'dev',
      environmentClass: 'nonprod',
      environments: ['dev', 'staging'],
      store: { redis: 'env:REDIS_URL' },
      listeners: {
        public: {
          address: { host: '0.0.0.0', port: 8443 },
          tls: { clientAuth: 'optional' },
          limits: { headerBytes: 16_384, headerCount: 100, bodyBytes: 1_048_576, requestMs: 30_000, idleMs: 60_000 },
        },
      },
      issuers: { main: { tokenTypes: ['at+jwt', 'jwt'], maxLifetimeMs: 86_400_000, clockSkewMs: 30_000, scopeClaims: ['scope', 'scp'] } },
      clusters: {
        orders: {
          sidecar: 'envoy',
          endpoints: { kind: 'static', addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 15_001, weight: 1 }] },
          connectTimeoutMs: 1000,
          caps: { requests: 1024 },
        },
        catalog: { sidecar: 'none', endpoints: { kind: 'dns', name: 'catalog.shop.svc.cluster.local', port: 8080 }, balance: 'peak_ewma' },
      },
      limits: { 'per-client': { points: 100, windowMs: 60_000, burst: 20, key: [{ kind: 'issuer' }, { kind: 'subject' }] } },
      access: { orders: { authenticate: { kind: 'anyOf', of: [{ kind: 'jwt', name: 'main' }] } }, catalog: { authenticate: { kind: 'none' } } },
    })
    expect(policy.routes.map(({ name }) => name)).toEqual(['orders', 'catalog'])
    const [orders, catalog] = policy.routes
    expect(orders?.match.grpc?.rpcs.map((rpc) => rpc.method)).toContain('GetOrder')
    expect(orders).toMatchObject({
      sticky: { kind: 'claim', path: 'sub' },
      timeoutMs: 2000,
      retry: { attempts: 2, on: ['connect', 'unavailable'], budget: 0.2, methods: ['GET', 'HEAD'], maxRetryAfterMs: 10_000 },
    })
    expect(catalog).toMatchObject({ timeoutMs: 15_000, retry: undefined, access: ['catalog'], split: [{ cluster: 'catalog', weight: 100 }] })
    expect(Object.keys(policy.descriptors)).toEqual(['descriptors/shop.binpb'])
  })

  it('holds in nonprod no target and no secret reference of prod, only the host to deny', async () => {
    const loaded = await loadCase({ files, assets })
    const policy = clean(loaded)
    expect(Object.keys(policy.egress['payments']?.targets ?? {})).toEqual(['dev'])
    expect(policy.guards).toEqual([{ host: 'api.pay.example', port: 443, service: 'payments' }])
    expect(JSON.stringify(loaded)).not.toContain('PAY_KEY')
    const prod = clean(await loadCase({ files, assets, environment: 'prod' }))
    expect(Object.keys(prod.egress['payments']?.targets ?? {})).toEqual(['prod'])
    expect(prod.guards).toEqual([])
  })

  it('is plain data: a structured clone is the same', async () => {
    const policy = clean(await loadCase({ files, assets }))
    expect(structuredClone(policy)).toEqual(policy)
  })

  it('has one revision for the same files, another for any change, and does not depend on the order of files', async () => {
    const revision = async (some: Readonly<Record<string, string>>, descriptors = shopDescriptors) =>
      clean(await loadCase({ files: some, assets: { 'descriptors/shop.binpb': descriptors } })).revision
    const first = await revision(files)
    expect(first).toMatch(/^[0-9a-f]{16}$/)
    expect(await revision(Object.fromEntries(Object.entries(files).toReversed()))).toBe(first)
    expect(await revision({ ...files, 'gateway.yaml': `# a comment\n${example}` })).toBe(first)
    expect(await revision({ ...files, 'gateway.yaml': example.replace('timeout: 2s', 'timeout: 3s') })).not.toBe(first)
    // An unknown field at the end of a protobuf message changes bytes and nothing else.
    expect(await revision(files, Uint8Array.of(...shopDescriptors, 0xf8, 0x7f, 0x01))).not.toBe(first)
  })
})

describe('the policies of the demo', () => {
  const folder = new URL('../../policies/', import.meta.url)
  const shop = Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.yaml') && !path.endsWith('.test.yaml'))
      .map((path) => [path, readFileSync(new URL(path, folder), 'utf8')]),
  )

  it.each(['dev', 'test', 'prod'])('load clean in %s', async (environment) => {
    expect(clean(await loadCase({ files: shop, assets, environment })).routes.map(({ name }) => name)).toEqual(['catalog', 'orders'])
  })
})
