import { describe, expect, it } from 'vitest'
import { loadCase, marked, shopDescriptors } from '../support/load.ts'

// « marks the place that each diagnostic must point at.
const gateway = marked(`sallyport: v1
environments:
  dev: { class: nonprod }
  prod: { class: prod }
listeners:
  public: { address: 127.0.0.1:8080 }
  egress: { address: 127.0.0.1:9100 }
issuers:
  main:
    issuer: https://idp.example.com
    audiences: [https://api.example.com]
    algorithms: [RS256, «HS256]
limits:
  per-client: { rate: «100 per minute, key: [issuer, subject] }
`)

const orders = marked(`sallyport: v1
clusters:
  orders:
    sidecar: «envoi
    protocol: grpc
    address: 127.0.0.1:15001
    authority: orders.shop.svc.cluster.local
    descriptors: shop.binpb
access:
  orders:
    authenticate: { jwt: main }
    rules:
      - id: read
        allow: { methods: [GET], «scops: [orders:read] }
routes:
  orders:
    match: { grpc: «shop.v1.Order }
    access: orders
    limits: [per-client]
    timeout: «5
    to: orders
`)

const catalog = marked(`sallyport: v1
clusters:
  catalog: { address: 127.0.0.1:8081, subsets: { v1: { authority: a.b }, v2: { authority: c.d } } }
access:
  public:
    rules:
      - { id: everybody, allow: { anonymous: true } }
routes:
  item:
    match: { path: «/items/{id}, methods: [GET] }
    access: public
    to: catalog
  catalog:
    match: { path: "/catalog/{**}" }
    access: «pubilc
    «to:
      - { cluster: catalog, subset: v1, weight: 80 }
      - { cluster: catalog, subset: v2, weight: 10 }
`)

const payments = marked(`sallyport: v1
callers:
  checkout: { listener: egress }
egress:
  payments:
    listen: 127.0.0.1:9101
    callers: [checkout]
    environments:
      dev: { target: https://sandbox.pay.example, inject: { header: authorization, format: "Bearer {secret}", secret: «sk_live_4242 } }
`)

const files = { 'gateway.yaml': gateway.text, 'orders.yaml': orders.text, 'catalog.yaml': catalog.text, 'payments.yaml': payments.text }

describe('a folder with ten different mistakes', () => {
  it('gives ten diagnostics in one run, each at its place, each saying what to do', async () => {
    const { diagnostics } = await loadCase({ files, assets: { 'shop.binpb': shopDescriptors } })
    const found = diagnostics.map(({ file, line, column, code, hint }) => ({ at: `${file}:${line}:${column}`, code, hint }))
    expect(found).toEqual([
      { at: `catalog.yaml:${catalog.marks[0]}`, code: 'path_unquoted', hint: 'Quote it: "/items/{id}", or write /items/:id.' },
      { at: `catalog.yaml:${catalog.marks[1]}`, code: 'name_unknown', hint: 'Did you mean "public"?' },
      { at: `catalog.yaml:${catalog.marks[2]}`, code: 'weights_sum', hint: expect.stringContaining('Give every destination a weight') },
      { at: `gateway.yaml:${gateway.marks[0]}`, code: 'algorithm_unsafe', hint: 'Use an asymmetric algorithm, such as RS256 or ES256.' },
      { at: `gateway.yaml:${gateway.marks[1]}`, code: 'value_invalid', hint: 'Write it like 100/1m, 20/1s.' },
      { at: `orders.yaml:${orders.marks[0]}`, code: 'value_invalid', hint: expect.stringContaining('envoy') },
      { at: `orders.yaml:${orders.marks[1]}`, code: 'key_unknown', hint: 'Did you mean "scopes"?' },
      { at: `orders.yaml:${orders.marks[2]}`, code: 'service_unknown', hint: 'Did you mean "shop.v1.Orders"?' },
      { at: `orders.yaml:${orders.marks[3]}`, code: 'type_wrong', hint: 'Write it like 250ms, 2s, 1h30m.' },
      {
        at: `payments.yaml:${payments.marks[0]}`,
        code: 'secret_literal',
        hint: 'Write a reference: env:PAY_KEY or file:/run/secrets/pay or vault:kv/pay#key.',
      },
    ])
    expect(diagnostics.every(({ severity, message }) => severity === 'error' && message.endsWith('.'))).toBe(true)
  })

  it('never shows the secret that was written down', async () => {
    const loaded = await loadCase({ files, assets: { 'shop.binpb': shopDescriptors } })
    expect(JSON.stringify(loaded)).not.toContain('4242')
  })

  it('still builds a policy in which what they touch is quarantined', async () => {
    const { policy } = await loadCase({ files, assets: { 'shop.binpb': shopDescriptors } })
    expect(policy?.issuers['main']?.quarantined).toContain('gateway.yaml:12:25')
    expect(policy?.clusters['orders']?.quarantined).toContain('envoi')
    expect(policy?.clusters['catalog']?.quarantined).toBeUndefined()
    expect(policy?.access['orders']?.quarantined).toContain('scops')
    expect(policy?.egress['payments']?.service.quarantined).toBeDefined()
    expect(policy?.egress['payments']?.targets).toEqual({})
    expect(policy?.routes.map(({ name, quarantined }) => [name, quarantined !== undefined])).toEqual([
      ['item', true],
      ['catalog', true],
      ['orders', true],
    ])
  })
})
