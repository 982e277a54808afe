import { describe, expect, it } from 'vitest'
import { checkWorkerGround, limitBinding } from '../../src/core/edge.ts'
import { loadFolder } from '../../src/node/policy-source/load-folder.ts'
import { bundleForWorker } from '../../src/node/worker-bundle.ts'
import { shopDescriptors } from '../support/shop.ts'
import { tempFolder } from '../support/temp-folder.ts'

const house = `sallyport: v1
environments: { dev: { class: nonprod } }
clusters:
  orders: { sidecar: none, protocol: grpc, address: "127.0.0.1:15001", descriptors: shop.binpb }
  plain: { sidecar: none, protocol: http, address: "127.0.0.1:15001" }
`

async function load(text: string) {
  const folder = await tempFolder({ 'a.yaml': house + text, 'shop.binpb': shopDescriptors })
  return loadFolder({ folder: folder.path, environment: 'dev', variables: {}, known: undefined })
}

const open = 'access: { rules: [{ id: everyone, allow: { anonymous: true } }] }'
const bothClusters = `  orders: { match: { grpc: shop.v1.Orders }, ${open}, to: orders }\n  plain: { match: { path: /plain }, ${open}, to: plain }\n`

describe('the check for the Worker ground', () => {
  it('finds what a Worker cannot do, at its place', async () => {
    const loaded = await load(`limits:
  per-hour: { rate: 10/1h, key: [client.network] }
  a-b: { rate: 20/10s, key: [route] }
  a_b: { rate: 10/1m, key: [route] }
routes:
  alive: { match: { path: /livez }, ${open}, to: plain }
  dear: { match: { path: /dear }, ${open}, to: plain, limits: [per-hour, { name: a-b, cost: 11 }, a_b] }
${bothClusters}`)
    expect(loaded.diagnostics.filter((one) => one.severity === 'error')).toEqual([])
    if (loaded.policy === undefined) throw new Error('no policy')
    const found = checkWorkerGround(loaded.policy, loaded.origins)
    expect(found.map(({ severity, code, line, object }) => [severity, code, line, object])).toEqual([
      ['error', 'worker_limit_window', 7, 'limits.per-hour'],
      ['error', 'worker_binding_clash', 9, 'limits.a_b'],
      ['error', 'worker_limit_cost', 12, 'routes.dear'],
      ['error', 'worker_path_taken', 11, 'routes.alive'],
      ['warning', 'worker_native_grpc', 13, 'routes.orders'],
    ])
    expect(found.every(({ file }) => file === 'a.yaml')).toBe(true)
    expect(bundleForWorker(loaded).json).toBeUndefined()
  })

  it('counts requests per window and by no other algorithm', async () => {
    const limits = '{ g: { rate: 10/1m, algorithm: gcra, burst: 1, key: [route] }, c: { quota: 9/month, key: [route] }, p: { concurrent: 5, key: [route] } }'
    const loaded = await load(`limits: ${limits}\nroutes:\n  dear: { match: { path: /dear }, ${open}, to: plain, limits: [g, c, p] }\n${bothClusters}`)
    const found = bundleForWorker(loaded).diagnostics.filter(({ code }) => code === 'worker_limit_algorithm')
    expect(found.map(({ object }) => object)).toEqual(['limits.g', 'limits.c', 'limits.p'])
    expect(found[0]?.message).toBe('A Worker counts requests per 10 or 60 seconds and nothing else: it cannot keep the limit "g", which is gcra.')
  })

  it('passes no changed protocols on', async () => {
    const loaded = await load(`routes:\n  chat: { match: { path: /chat }, ${open}, to: plain, upgrade: [websocket] }\n${bothClusters}`)
    const { json, diagnostics } = bundleForWorker(loaded)
    const found = diagnostics.filter(({ severity }) => severity === 'error')
    expect([json, found.map(({ code, object, line }) => [code, object, line])]).toEqual([undefined, [['worker_upgrade', 'routes.chat', 7]]])
  })

  it('is not told what an upstream says of costs', async () => {
    const limits = '{ a: { rate: 10/1m, key: [client.network] } }'
    const route = `{ match: { path: /dear }, ${open}, to: plain, limits: [{ name: a, response: { most: 5 } }] }`
    const loaded = await load(`limits: ${limits}\nroutes:\n  dear: ${route}\n${bothClusters}`)
    const found = bundleForWorker(loaded).diagnostics.filter(({ severity }) => severity === 'error')
    expect(found.map(({ code, object }) => [code, object])).toContainEqual(['worker_limit_cost', 'routes.dear'])
  })

  it('reads no numbers from claims', async () => {
    const limits = '{ a: { rate: { claim: plan, map: { pro: 10/1m }, default: 5/1m }, key: [subject] } }'
    const loaded = await load(`limits: ${limits}\nroutes:\n  dear: { match: { path: /dear }, ${open}, to: plain, limits: [a] }\n${bothClusters}`)
    const found = bundleForWorker(loaded).diagnostics.filter(({ severity }) => severity === 'error')
    expect(found.map(({ code, object }) => [code, object])).toContainEqual(['worker_limit_claim', 'limits.a'])
  })

  it('counts no failures', async () => {
    const limits = '{ a: { rate: 5/1m, key: [client.network], counts: failures } }'
    const loaded = await load(`limits: ${limits}\nroutes:\n  dear: { match: { path: /dear }, ${open}, to: plain, limits: [a] }\n${bothClusters}`)
    const found = bundleForWorker(loaded).diagnostics.filter(({ severity }) => severity === 'error')
    expect(found.map(({ code, object }) => [code, object])).toContainEqual(['worker_limit_failures', 'limits.a'])
  })

  it('wants no client certificates', async () => {
    const tls = 'tls: { certificate: file:/c, key: file:/k, clientAuth: required, clientCa: file:/ca }'
    const loaded = await load(`listeners: { public: { address: "127.0.0.1:0", ${tls} } }\nroutes:\n${bothClusters}`)
    expect(bundleForWorker(loaded).diagnostics.map(({ code }) => code)).toContain('worker_client_certificate')
  })

  it('wants neither API keys nor revocation lists', async () => {
    const issuer = 'issuers: { main: { issuer: "https://idp.example.com", audiences: [api], revocation: {} } }'
    const loaded = await load(`store: { redis: env:REDIS_URL }\n${issuer}\napiKeys: { partners: { store: redis } }\nroutes:\n${bothClusters}`)
    const found = bundleForWorker(loaded).diagnostics.filter(({ severity }) => severity === 'error')
    expect(found.map(({ code, object, line }) => [code, object, line > 1])).toEqual([
      ['worker_api_keys', 'apiKeys.partners', true],
      ['worker_revocation', 'issuers.main', true],
    ])
  })

  it.each([
    ['{ mtls: mesh }', '{ scopes: [a] }', 'worker_client_certificate access.p'],
    ['{ anyOf: [{ jwt: asked }, { mtls: mesh }] }', '{ scopes: [a] }', 'worker_client_certificate access.p'],
    ['{ jwt: asked }', '{ tls: { dns: [a.test] } }', 'worker_client_certificate access.p'],
    ['{ introspection: asked }', '{ scopes: [a] }', 'worker_secret_file issuers.asked'],
    ['{ jwt: asked }', '{ scopes: [a] }', undefined],
    ['{ jwt: bound }', '{ scopes: [a] }', 'worker_secret_file issuers.bound'],
  ])('says of %s with a rule that allows %s: %s', async (authenticate, allow, expected) => {
    const loaded = await load(`listeners: { public: { address: "127.0.0.1:0" } }
issuers:
  asked: { issuer: "https://i.example.com", audiences: [a], introspection: { clientId: g, clientSecret: file:/s } }
  bound: { issuer: "https://b.example.com", audiences: [a], proof: { required: dpop, nonceKey: file:/n } }
certificates: { mesh: { subject: dns-san } }
access: { p: { authenticate: ${authenticate}, rules: [{ id: a, allow: ${allow} }] } }
routes:
  x: { match: { path: /x }, access: p, to: plain }
${bothClusters}`)
    if (loaded.policy === undefined) throw new Error('no policy')
    const found = checkWorkerGround(loaded.policy, loaded.origins).filter(({ severity }) => severity === 'error')
    expect(found.map(({ code, object }) => `${code} ${object}`)).toEqual(expected === undefined ? [] : [expected])
  })

  it('names a binding after its limit', () => {
    expect(limitBinding('per-client')).toBe('LIMIT_PER_CLIENT')
  })
})

describe('the bundle of a Worker', () => {
  it('carries nothing of the mesh, the way out, or secrets', async () => {
    const loaded = await load(`listeners: { public: { address: "127.0.0.1:0", tls: { certificate: file:/secret.crt, key: file:/secret.key } } }
routes:
${bothClusters}callers: { checkout: { listener: egress } }
egress:
  pay:
    host: pay.internal
    callers: [checkout]
    environments: { dev: { target: "https://vendor.example", inject: { header: authorization, format: "Bearer {secret}", secret: env:PAY_KEY } } }
`)
    const { json, diagnostics } = bundleForWorker(loaded)
    expect(diagnostics.filter((one) => one.severity === 'error')).toEqual([])
    expect(json).toMatch(/"revision"/)
    expect(json).not.toMatch(/15001|secret|vendor|PAY_KEY|pay\.internal|checkout/)
  })

  it('is not made of policies with errors', async () => {
    const { json, diagnostics } = bundleForWorker(await load(`routes:\n  odd: { match: { path: /odd }, to: nowhere }\n${bothClusters}`))
    expect(json).toBeUndefined()
    expect(diagnostics.some((one) => one.severity === 'error')).toBe(true)
  })
})
