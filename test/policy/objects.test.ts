import { describe, expect, it } from 'vitest'
import { base, brief, clean, loadBeside, loadCase } from '../support/load.ts'

const errors = async (text: string) => (await loadBeside(text)).diagnostics.filter(({ severity }) => severity === 'error')

describe('an issuer', () => {
  const issuer = (said: string) => `issuers: { main: { ${said} } }`
  it.each([
    ['issuer: "https://a.example"', 'key_missing'],
    ['issuer: "https://a.example", audiences: []', 'value_out_of_range'],
    ['issuer: "http://a.example", audiences: [a]', 'value_invalid'],
    ['issuer: "https://a.example", jwks: "http://a.example/keys", audiences: [a]', 'value_invalid'],
    ['issuer: "https://a.example", audiences: [a], algorithms: [HS512]', 'algorithm_unsafe'],
    ['issuer: "https://a.example", audiences: [a], algorithms: [none]', 'algorithm_unsafe'],
    ['issuer: "https://a.example", audiences: [a], algorithms: [RS2556]', 'value_invalid'],
    ['issuer: "https://a.example", audiences: [a], clockSkew: 61s', 'value_invalid'],
    ['issuer: "https://a.example", audiences: [a], introspection: x', 'type_wrong'],
    ['issuer: "https://a.example", audiences: [a], introspection: { clientId: g }', 'client_credential'],
    ['issuer: "https://a.example", audiences: [a], introspection: { clientId: g, clientSecret: env:A, key: env:B }', 'client_credential'],
    ['issuer: "https://a.example", audiences: [a], introspection: { clientId: g, clientSecret: env:A, auth: private_key_jwt }', 'client_credential'],
    ['issuer: "https://a.example", audiences: [a], introspection: { clientId: g, key: env:A, auth: client_secret_post }', 'client_credential'],
    ['issuer: "https://a.example", audiences: [a], introspection: { clientId: g, clientSecret: words }', 'secret_literal'],
    ['issuer: "https://a.example", audiences: [a], introspection: { clientId: g, clientSecret: env:A, cache: 31s }', 'value_invalid'],
    ['issuer: "https://a.example", audiences: [a], introspection: { clientId: g, clientSecret: env:A, url: "http://a.example/i" }', 'value_invalid'],
  ])('that says %s is refused and quarantined', async (said, code) => {
    const { diagnostics, policy } = await loadBeside(issuer(said))
    expect(diagnostics.filter(({ severity }) => severity === 'error').map((each) => each.code)).toEqual([code])
    expect(policy?.issuers['main']?.quarantined).toBeDefined()
  })

  it('may be http on a loopback address', async () => {
    expect(await errors(issuer('issuer: "http://127.0.0.1:8181", jwks: "http://localhost/k", audiences: [a]'))).toEqual([])
  })

  it('cannot share its URL with another', async () => {
    const [error] = await errors('issuers: { a: { issuer: "https://x.example", audiences: [a] }, b: { issuer: "https://x.example", audiences: [b] } }')
    expect(error).toMatchObject({ code: 'issuer_repeated', object: 'issuers.b', message: expect.stringContaining('a.yaml:2:25') })
  })
})

describe('a cluster', () => {
  it.each([
    ['', 'endpoints_missing'],
    ['address: "127.0.0.1"', 'value_invalid'],
    ['address: "127.0.0.1:99999"', 'value_invalid'],
    ['address: "127.0.0.1:0"', 'value_invalid'],
    ['address: "unix:relative"', 'value_invalid'],
    ['address: "a:1", endpoints: { dns: a, port: 1 }', 'endpoints_twice'],
    ['endpoints: { dns: a }', 'endpoints_shape'],
    ['endpoints: { static: ["a:1"], dns: a, port: 1 }', 'endpoints_shape'],
    ['endpoints: { xds: a }', 'not_available'],
    ['endpoints: { shrink: 10% }', 'endpoints_shape'],
    ['endpoints: { srv: _a._tcp.b, file: /run/a.yaml }', 'endpoints_shape'],
    ['endpoints: { file: a.yaml }', 'value_invalid'],
    ['endpoints: { srv: _a._tcp.b, confirm: 2h }', 'value_invalid'],
    ['endpoints: { consul: { service: a, token: words } }', 'secret_literal'],
    ['endpoints: { kubernetes: { service: a, namespace: b } }', 'key_missing'],
    ['endpoints: { kubernetes: { service: a, namespace: b, port: http, apiServer: "http://10.0.0.1" } }', 'value_invalid'],
    ['endpoints: { dns: a, port: 1 }, subsets: { v2: { labels: { version: v2 } } }', 'subset_labels'],
    ['endpoints: { static: [{ address: "a:1", labels: { version: v1 } }] }, subsets: { v2: { labels: { version: v2 } } }', 'subset_labels'],
    ['address: "a:1", sidecar: kuma', 'value_invalid'],
    ['address: "a:1", subsets: { v1: {} }', 'subset_empty'],
    ['address: "a:1", subsets: { V1: { authority: a } }', 'key_invalid'],
    ['address: "a:1", tls: { certificate: env:A }', 'tls_pair'],
    ['address: "a:1", tls: { ca: "-----BEGIN" }', 'secret_literal'],
    ['address: "a:1", health: {}', 'health_shape'],
    ['address: "a:1", health: { path: /h, tcp: true }', 'health_shape'],
    ['address: "a:1", health: { path: h }', 'value_invalid'],
    ['address: "a:1", health: { path: /h, statuses: [200-99] }', 'value_invalid'],
    ['address: "a:1", health: { grpc: "" }', 'health_protocol'],
    ['address: "a:1", protocol: grpc, health: { path: /h }', 'health_protocol'],
    ['address: "a:1", balance: maglev', 'hash_key_missing'],
    ['address: "a:1", balance: { policy: ring_hash }', 'hash_key_missing'],
    ['address: "a:1", balance: { policy: ring_hash, key: sub }', 'value_invalid'],
    ['address: "a:1", balance: { key: client }', 'key_missing'],
    ['address: "a:1", balance: fastest', 'value_invalid'],
    ['address: "a:1", outlier: { ejectFor: 0s }', 'value_invalid'],
  ])('that says { %s } is refused and quarantined', async (said, code) => {
    const { diagnostics, policy } = await loadBeside(`clusters: { c: { ${said} } }`)
    expect(diagnostics.filter(({ severity }) => severity === 'error').map((each) => each.code)).toEqual([code])
    expect(policy?.clusters['c']).toMatchObject({ quarantined: expect.any(String), endpoints: { kind: 'static', addresses: [] } })
  })

  it('may be a unix socket, several endpoints with weights, or IPv6', async () => {
    const { policy } = await loadBeside('clusters: { c: { endpoints: { static: ["unix:/run/c.sock", { address: "[::1]:80", weight: 2 }] } } }')
    expect(policy?.clusters['c']?.endpoints).toEqual({
      kind: 'static',
      addresses: [
        { kind: 'unix', path: '/run/c.sock', weight: 1 },
        { kind: 'tcp', host: '::1', port: 80, weight: 2 },
      ],
    })
  })

  it('behind a sidecar without an authority is a warning', async () => {
    expect((await loadBeside('clusters: { c: { sidecar: linkerd, address: "a:1" } }')).diagnostics.map(({ code }) => code)).toContain('authority_missing')
  })
})

describe('a limit', () => {
  it.each([
    ['rate: 100/500ms, key: [route]', 'window_short'],
    ['rate: 0/1m, key: [route]', 'rate_zero'],
    ['rate: 100/1m, key: []', 'value_out_of_range'],
    ['rate: 100/1m, key: [subjet]', 'value_invalid'],
    ['rate: 100/1m, key: [header.authorization]', 'key_secret'],
    ['rate: 100/1m, key: [route, header.Authorization]', 'key_secret'],
    ['rate: 100/1m, key: [header.cookie]', 'key_secret'],
    ['rate: 100/1m, key: [header.x-api-key]', 'key_secret'],
    ['rate: 100/1m, key: [header.PROXY-AUTHORIZATION]', 'key_secret'],
    ['rate: { claim: plan }, key: [route]', 'key_missing'],
    ['rate: { claim: plan, default: 5/1m }, key: [route]', 'limit_claim'],
    ['rate: { claim: plan, map: { a: 5/1m }, ceiling: 9/1m, default: 5/1m }, key: [route]', 'limit_claim'],
    ['rate: { claim: plan, map: {}, default: 5/1m }, key: [route]', 'value_invalid'],
    ['rate: { claim: plan, map: { a: 5/1h }, default: 5/1m }, key: [route]', 'limit_claim'],
    ['rate: { claim: plan, map: { a: 0/1m }, default: 5/1m }, key: [route]', 'rate_zero'],
    ['rate: { claim: plan, map: { a: 5/month }, default: 5/1m }, key: [route]', 'value_invalid'],
    ['rate: { claim: rpm, ceiling: 4/1m, default: 5/1m }, key: [route]', 'limit_claim'],
    ['rate: { claim: rpm, ceiling: 9/1m, default: 5/1m }, algorithm: gcra, burst: 2, key: [route]', 'limit_algorithm'],
    ['quota: { claim: plan, map: { a: 5/day }, default: 5/month }, key: [route]', 'limit_claim'],
    ['rate: 5/1m, key: [route, subject], when: before_authentication', 'limit_early'],
    ['rate: 5/1m, key: [claim.a], when: before_authentication', 'limit_early'],
    ['rate: { claim: plan, map: { a: 5/1m }, default: 5/1m }, key: [route], when: before_authentication', 'limit_early'],
    ['rate: 5/1m, key: [route], when: sometime', 'value_invalid'],
    ['rate: 5/1m, key: [subject], counts: failures', 'limit_early'],
    ['concurrent: 5, key: [route], counts: failures', 'limit_failures'],
    ['rate: 5/1m, key: [route], counts: failures, when: after_access', 'limit_no_effect'],
    ['rate: 100/1m, key: [route], burst: -1', 'value_out_of_range'],
    ['rate: 100/1m, key: [route], burst: 1.5', 'value_invalid'],
    ['rate: 100/1m, key: [route], algorithm: gcra', 'burst_missing'],
    ['rate: 100/1m, key: [route], algorithm: gcra, burst: 101', 'burst_large'],
    ['rate: 10000001/1m, key: [route], algorithm: gcra, burst: 1', 'rate_large'],
    ['rate: 100/1m, key: [route], algorithm: calendar', 'limit_algorithm'],
    ['rate: 100/1m, key: [route], algorithm: fixed', 'value_invalid'],
    ['rate: 100/1m, key: [route], zone: Europe/Berlin', 'limit_no_effect'],
    ['rate: 100/1m, quota: 10/day, key: [route]', 'limit_measure'],
    ['key: [route]', 'limit_measure'],
    ['quota: 10/year, key: [route]', 'value_invalid'],
    ['quota: 0/month, key: [route]', 'rate_zero'],
    ['quota: 10/month, key: [route], zone: Europe/Berln', 'zone_unknown'],
    ['quota: 10/month, key: [route], burst: 1', 'limit_no_effect'],
    ['quota: 10/month, key: [route], algorithm: gcra', 'limit_algorithm'],
    ['concurrent: 0, key: [route]', 'value_out_of_range'],
    ['concurrent: 5, key: [route], algorithm: sliding', 'limit_algorithm'],
  ])('that says %s is refused and left out', async (said, code) => {
    const { diagnostics, policy } = await loadBeside(`limits: { l: { ${said} } }`)
    expect(diagnostics.filter(({ severity }) => severity === 'error').map((each) => each.code)).toEqual([code])
    expect(policy?.limits).toEqual({})
  })

  it('reads a claim for its numbers, with a default for everybody else', async () => {
    const limits = [
      'a: { rate: { claim: plan, map: { free: 60/1m, pro: 600/1m }, default: 60/1m }, key: [subject] }',
      'b: { quota: { claim: org.calls, ceiling: 9000/month, default: 100/month }, key: [subject] }',
    ]
    const { policy } = await loadBeside(`limits: { ${limits.join(', ')} }`)
    const values = [
      { value: 'free', points: 60 },
      { value: 'pro', points: 600 },
    ]
    expect(policy?.limits).toMatchObject({
      a: { algorithm: { kind: 'sliding' }, points: 60, windowMs: 60_000, claimed: { kind: 'map', claim: 'plan', values } },
      b: { algorithm: { kind: 'calendar', per: 'month' }, points: 100, claimed: { kind: 'number', claim: 'org.calls', ceiling: 9000 } },
    })
  })

  it('says its algorithm by what it measures', async () => {
    const limits = [
      'a: { rate: 100/1m, burst: 5, key: [route] }',
      'b: { rate: 100/1m, algorithm: gcra, burst: 5, key: [route] }',
      'c: { quota: 10000/month, zone: Europe/Berlin, key: [route] }',
      'd: { concurrent: 20, key: [route] }',
    ]
    const { policy } = await loadBeside(`limits: { ${limits.join(', ')} }`)
    expect(policy?.limits).toMatchObject({
      a: { algorithm: { kind: 'sliding' }, points: 100, windowMs: 60_000, burst: 5 },
      b: { algorithm: { kind: 'gcra' }, points: 100, windowMs: 60_000, burst: 5 },
      c: { algorithm: { kind: 'calendar', per: 'month', zone: 'Europe/Berlin' }, points: 10_000, windowMs: 31 * 86_400_000, burst: 0 },
      d: { algorithm: { kind: 'concurrency' }, points: 20, windowMs: 0, burst: 0 },
    })
  })

  it.each(['rate: 100/30d', 'quota: 100/month', 'quota: 5/hour'])('that says %s is warned that memory forgets, and a store keeps it', async (said) => {
    const codes = async (store: string) => (await loadBeside(`${store}limits: { l: { ${said}, key: [route] } }`)).diagnostics.map(({ code }) => code)
    expect(await codes('')).toContain('limit_forgotten')
    expect(await codes('store: { redis: env:REDIS_URL }\n')).not.toContain('limit_forgotten')
  })

  it('that refuses when the store fails is a warning', async () => {
    expect((await loadBeside('limits: { l: { rate: 1/1s, key: [route], onStoreFailure: deny } }')).diagnostics.map(({ code }) => code)).toContain(
      'limit_denies',
    )
  })

  it('counts by claims, headers and facts', async () => {
    const { policy } = await loadBeside('limits: { l: { rate: 1/1s, key: [claim.org.id, header.x-a, client.network], missing: skip, mode: audit } }')
    expect(policy?.limits['l']).toMatchObject({
      key: [{ kind: 'claim', path: 'org.id' }, { kind: 'header', name: 'x-a' }, { kind: 'client.network' }],
      missing: 'skip',
      mode: 'audit',
    })
  })
})

describe('a route with limits', () => {
  const cost = async (limit: string, said: string) =>
    (
      await errors(
        `limits: { l: { key: [route], ${limit} } }\nclusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: / }, to: a, limits: [${said}], access: { rules: [{ id: all, allow: { anonymous: true } }] } } }`,
      )
    ).map(({ code }) => code)

  it.each([
    ['{ name: l, methods: { GET: 1, POST: 5 } }', []],
    ['{ name: l, methods: { POST: 16 } }', ['cost_too_large']],
    ['{ name: l, methods: { POST: 0 } }', ['value_out_of_range']],
    ['{ name: l, methods: { POST: -1 } }', ['value_out_of_range']],
    ['{ name: l, methods: { POST: 1.5 } }', ['value_invalid']],
    ['{ name: l, methods: { post: 1 } }', ['key_invalid']],
    ['{ name: l, methods: {} }', ['value_invalid']],
    ['{ name: l, methods: { PUT: 2 } }', ['cost_no_effect']],
    ['{ name: l, rpcs: { Search: 2 } }', ['cost_no_effect']],
    ['{ name: l, response: { most: 1000 } }', []],
    ['{ name: l, cost: 4, methods: { POST: 2 }, response: { most: 3 } }', []],
    ['{ name: l, cost: 4, methods: { POST: 2 }, response: { most: 2 } }', ['cost_no_effect']],
  ])('that says %s has the findings %j', async (said, codes) => {
    const text = `limits: { l: { rate: 10/1m, burst: 5, key: [route] } }\nclusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: /, methods: [GET, POST] }, to: a, limits: [${said}], access: { rules: [{ id: all, allow: { anonymous: true } }] } } }`
    expect((await errors(text)).map(({ code }) => code)).toEqual(codes)
  })

  it('whose cost no window can hold is refused at the cost', async () => {
    const { diagnostics, policy } = await loadBeside(
      'limits: { l: { rate: 10/1m, burst: 5, key: [route] } }\nclusters: { a: { address: "127.0.0.1:1" } }\nroutes:\n  r:\n    match: { path: / }\n    to: a\n    access: { rules: [{ id: all, allow: { anonymous: true } }] }\n    limits: [{ name: l, cost: 16 }]\n',
    )
    expect(diagnostics).toMatchObject([{ code: 'cost_too_large', line: 9, column: 31, object: 'routes.r' }])
    expect(policy?.routes[0]?.quarantined).toContain('15')
  })

  it('may cost all that a window holds, and any amount where nothing is refused', async () => {
    expect(await cost('rate: 10/1m, burst: 5', '{ name: l, cost: 15 }')).toEqual([])
    expect(await cost('rate: 10/1m, mode: audit', '{ name: l, cost: 11 }')).toEqual([])
    expect(await cost('rate: 10/1m', '{ name: l, cost: 11 }')).toEqual(['cost_too_large'])
    expect(await cost('rate: 10/1m, algorithm: gcra, burst: 5', '{ name: l, cost: 5 }')).toEqual([])
    expect(await cost('rate: 10/1m, algorithm: gcra, burst: 5', '{ name: l, cost: 6 }')).toEqual(['cost_too_large'])
    expect(await cost('concurrent: 2', '{ name: l, cost: 3 }')).toEqual(['cost_too_large'])
    expect(await cost('rate: 0/1m', 'l')).toEqual(['rate_zero'])
  })

  it.each(['concurrent: 20', 'rate: 10/1m, counts: failures'])('of which no answer can be charged (%s) may not say that one is', async (kind) => {
    const text = `limits: { l: { ${kind}, key: [client.network] } }\nclusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: / }, to: a, limits: [{ name: l, response: { most: 5 } }], access: { rules: [{ id: all, allow: { anonymous: true } }] } } }`
    expect((await errors(text)).map(({ code }) => code)).toEqual(['cost_no_effect'])
  })

  it('is warned of headers that have no limit to tell', async () => {
    const text = (limits: string) =>
      `limits: { l: { rate: 10/1m, key: [route] } }\nclusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: / }, to: a, limits: ${limits}, legacyHeaders: epoch, access: { rules: [{ id: all, allow: { anonymous: true } }] } } }`
    const codes = async (limits: string) => (await loadBeside(text(limits))).diagnostics.map(({ code }) => code)
    expect(await codes('[]')).toContain('no_effect')
    expect(await codes('[l]')).not.toContain('no_effect')
  })

  it('that an overlay made too small for its cost is refused there', async () => {
    const text =
      'limits: { l: { rate: 10/1m, key: [route] } }\nclusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: / }, to: a, limits: [{ name: l, cost: 10 }], access: { rules: [{ id: all, allow: { anonymous: true } }] } } }'
    const files = { 'environments/prod.yaml': 'sallyport: v1\nlimits: { l: { rate: 5/1m } }\n' }
    expect((await loadBeside(text, { files, environment: 'prod' })).diagnostics.map(({ code }) => code)).toEqual(['cost_too_large'])
    expect((await loadBeside(text, { files })).policy?.routes[0]?.quarantined).toBeUndefined()
  })
})

describe('listeners and environments', () => {
  it.each([
    ['listeners: { public: { adress: "127.0.0.1:1" } }', 'key_unknown'],
    ['listeners: { publc: { address: "127.0.0.1:1" } }', 'key_unknown'],
    ['listeners: { public: { address: "127.0.0.1:1" }, admin: { address: "127.0.0.1:1" } }', 'address_repeated'],
    ['listeners: { public: { address: "127.0.0.1:1", tls: { certificate: env:A, key: env:B, clientAuth: required } } }', 'client_ca_missing'],
    ['listeners: { public: { address: "127.0.0.1:1", limits: { body: huge } } }', 'value_invalid'],
  ])('%s is refused', async (text, code) => {
    const { policy, diagnostics } = await loadCase({ files: { 'a.yaml': `sallyport: v1\nenvironments: { dev: { class: nonprod } }\n${text}` } })
    expect(diagnostics.map((each) => each.code)).toEqual([code])
    // A name that is no listener leaves the others as they are; a broken one leaves nothing to serve on.
    expect(policy === undefined).toBe(!text.includes('publc'))
  })

  it('that are broken leave no policy; everything else does', async () => {
    expect((await loadCase({ files: { 'a.yaml': 'sallyport: v1\nenvironments: { dev: { class: test } }' } })).policy).toBeUndefined()
    expect((await loadCase({ files: { 'a.yaml': 'sallyport: v1\nenvironments: { dev: { class: nonprod }' } })).policy?.environment).not.toBe('prod')
  })

  it('are files of the format: version, sections, names', async () => {
    const found = async (text: string) => brief((await loadCase({ files: { 'base.yaml': base, 'b.yaml': text } })).diagnostics)
    expect(await found('clusters: {}\n')).toEqual(['error version_missing b.yaml:1:1'])
    expect(await found('sallyport: v2\n')).toEqual(['error version_unknown b.yaml:1:12'])
    expect(await found('sallyport: 1\n')).toEqual(['error version_unknown b.yaml:1:12'])
    expect(await found('- a\n')).toEqual(['error file_shape b.yaml:1:1'])
    expect(await found('')).toEqual(['warning file_empty b.yaml:1:1'])
    expect(await found('sallyport: v1\ncluster: {}\n')).toEqual(['error key_unknown b.yaml:2:1'])
    expect(await found('sallyport: v1\nclusters:\n')).toEqual(['error value_missing b.yaml:2:1'])
    expect(await found('sallyport: v1\nclusters: [a]\n')).toEqual(['error type_wrong b.yaml:2:11'])
    expect(await found('sallyport: v1\nclusters: { Orders: { address: "a:1" } }\n')).toEqual(['error key_invalid b.yaml:2:13'])
    expect(await found('sallyport: v1\nlimits: { a: 5 }\n')).toEqual(['error type_wrong b.yaml:2:14', 'warning name_unused b.yaml:2:11'])
    expect(await found('sallyport: v1\nquotas: { a: {} }\n')).toEqual(['error not_available b.yaml:2:1'])
  })
})

describe('a clean load', () => {
  it('of environments and listeners alone is a policy that serves nothing', async () => {
    expect(clean(await loadCase({ files: { 'base.yaml': base } }))).toMatchObject({ routes: [], egress: {}, environments: ['dev', 'staging'] })
  })
})
