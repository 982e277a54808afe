import { describe, expect, it } from 'vitest'
import { base, brief, clean, loadCase, marked } from '../support/load.ts'

const policy = `sallyport: v1
issuers:
  main: { issuer: https://idp.example.com, audiences: [a] }
clusters:
  catalog:
    address: 127.0.0.1:15001
    authority: catalog.shop
    subsets: { blue: { authority: blue.shop }, green: { authority: green.shop } }
limits:
  per-client: { rate: 10/1m, key: [subject] }
access:
  catalog:
    rules:
      - { id: read, allow: { scopes: [read] } }
routes:
  catalog:
    match: { path: "/catalog/{**}" }
    access: catalog
    limits: [per-client]
    timeout: 2s
    retry: { attempts: 1 }
    to:
      - { cluster: catalog, subset: blue, weight: 90 }
      - { cluster: catalog, subset: green, weight: 10, pin: { headers: { x-version: green } } }
callers:
  checkout: {}
egress:
  payments:
    listen: 127.0.0.1:9101
    callers: [checkout]
    environments:
      dev: { target: https://sandbox.pay.example }
      prod: { target: https://api.pay.example }
`
const load = (overlay: string, { environment = 'prod', of = 'prod', variables = {} } = {}) =>
  loadCase({ files: { 'base.yaml': base, 'a.yaml': policy, [`environments/${of}.yaml`]: `sallyport: v1\n${overlay}` }, environment, variables })

describe('an overlay', () => {
  it('changes addresses, authorities, weights, rates, timeouts and attempts in its environment alone', async () => {
    const overlay = `
listeners: { public: { address: 0.0.0.0:80, limits: { idle: 5s } } }
clusters:
  catalog:
    endpoints: { static: [10.0.0.1:80, { address: 10.0.0.2:80, weight: 3 }] }
    authority: catalog.prod
    connectTimeout: 250ms
    subsets: { green: { authority: green.prod } }
limits: { per-client: { rate: 1000/1m, burst: 50 } }
routes:
  catalog:
    timeout: 1s
    retry: { attempts: 3 }
    to: [{ cluster: catalog, subset: green, weight: 50 }, { cluster: catalog, subset: blue, weight: 50 }]
egress: { payments: { listen: 127.0.0.1:9999, timeout: { total: 3s } } }
`
    const prod = clean(await load(overlay))
    expect(prod).toMatchObject({
      listeners: { public: { address: { host: '0.0.0.0', port: 80 }, limits: { idleMs: 5000, requestMs: 30_000 } } },
      clusters: {
        catalog: {
          authority: 'catalog.prod',
          connectTimeoutMs: 250,
          endpoints: {
            kind: 'static',
            addresses: [
              { host: '10.0.0.1', weight: 1 },
              { host: '10.0.0.2', weight: 3 },
            ],
          },
          subsets: { blue: { authority: 'blue.shop' }, green: { authority: 'green.prod' } },
        },
      },
      limits: { 'per-client': { points: 1000, burst: 50 } },
      egress: { payments: { service: { listen: '127.0.0.1:9999', timeoutMs: 3000, connectTimeoutMs: 3000 } } },
    })
    expect(prod.routes[0]).toMatchObject({
      timeoutMs: 1000,
      retry: { attempts: 3 },
      split: [
        { subset: 'blue', weight: 50 },
        { subset: 'green', weight: 50, pin: { headers: [{ name: 'x-version', exact: 'green' }] } },
      ],
    })
    const dev = clean(await load(overlay, { environment: 'dev' }))
    expect(dev).toMatchObject({
      clusters: { catalog: { authority: 'catalog.shop', endpoints: { addresses: [{ host: '127.0.0.1' }] } } },
      limits: { 'per-client': { points: 10 } },
    })
  })

  it('adds rules that deny and audit', async () => {
    const prod = clean(await load('access: { catalog: { rules: [{ id: freeze, deny: { methods: [POST] } }, { id: seen, audit: {} }] } }'))
    expect(prod.access['catalog']?.rules.map(({ id, effect }) => `${effect} ${id}`)).toEqual(['allow read', 'deny freeze', 'audit seen'])
  })

  it('adds an allow rule only when it says that it widens, and that is a warning', async () => {
    const refused = await load('access: { catalog: { rules: [{ id: all, allow: { anonymous: true } }] } }')
    expect(brief(refused.diagnostics)).toEqual(['error overlay_widens environments/prod.yaml:2:41'])
    expect(refused.policy?.routes[0]?.quarantined).toBeDefined()
    const widened = await load('access: { catalog: { rules: [{ id: all, allow: { anonymous: true }, widen: true }] } }')
    // What everybody may, readers need not be allowed.
    expect(brief(widened.diagnostics)).toEqual(['warning rule_shadowed a.yaml:14:21', 'warning overlay_widens environments/prod.yaml:2:41'])
    expect(widened.policy?.access['catalog']?.rules.map(({ id }) => id)).toEqual(['read', 'all'])
  })

  it.each([
    ['a route', 'routes:\n  «new: { match: { path: /x }, access: catalog, to: catalog }', 'overlay_adds'],
    ['a cluster', 'clusters:\n  «catalgo: { address: 127.0.0.1:1 }', 'overlay_adds'],
    ['a match', 'routes:\n  catalog:\n    match: { «path: / }', 'overlay_fixed'],
    ['an access policy', 'routes:\n  catalog: { «access: other }', 'overlay_fixed'],
    ['authentication', 'access:\n  catalog: { «authenticate: none }', 'overlay_fixed'],
    ['audiences', 'issuers:\n  main: { «audiences: [b] }', 'overlay_fixed'],
    ['an egress target', 'egress:\n  payments:\n    environments:\n      prod: { «target: https://other.example }', 'overlay_fixed'],
    ['the class of an environment', 'environments:\n  prod: { «class: nonprod }', 'overlay_fixed'],
    ['a destination', 'routes:\n  catalog:\n    to:\n      - «{ cluster: other, weight: 100 }', 'overlay_fixed'],
    ['a pin', 'routes:\n  catalog:\n    to:\n      - «{ cluster: catalog, subset: blue, weight: 90, pin: { headers: { a: b } } }', 'overlay_fixed'],
    ['a key that does not exist', 'limits:\n  per-client: { «rat: 1/1m }', 'key_unknown'],
    ['a section that does not exist', '«limit:\n  per-client: { rate: 1/1m }', 'key_unknown'],
    ['weights that do not add up', 'routes:\n  catalog:\n    «to:\n      - { cluster: catalog, subset: blue, weight: 50 }', 'weights_sum'],
    ['a rate that is none', 'limits:\n  per-client: { rate: «fast }', 'value_invalid'],
  ])('cannot change %s', async (_, text, code) => {
    const overlay = marked(`sallyport: v1\n${text}`)
    for (const environment of ['prod', 'dev']) {
      const { diagnostics } = await loadCase({ files: { 'base.yaml': base, 'a.yaml': policy, 'environments/prod.yaml': overlay.text }, environment })
      const found = diagnostics.filter(({ severity }) => severity === 'error')
      expect(found.map((each) => `${each.code} ${each.file}:${each.line}:${each.column}`)).toEqual([`${code} environments/prod.yaml:${overlay.marks[0]}`])
    }
  })

  it('must be for a declared environment', async () => {
    const { diagnostics } = await load('', { of: 'prd', environment: 'dev' })
    expect(diagnostics.find(({ code }) => code === 'environment_unknown')).toMatchObject({
      file: 'environments/prd.yaml',
      line: 1,
      column: 1,
      hint: 'Did you mean "prod"?',
    })
  })

  it('of another environment may use variables that are not set here', async () => {
    const overlay = 'clusters: { catalog: { authority: "${PROD_AUTHORITY}" } }'
    clean(await load(overlay, { environment: 'dev' }))
    expect(brief((await load(overlay)).diagnostics)).toEqual(['error variable_missing environments/prod.yaml:2:35'])
    expect(clean(await load(overlay, { variables: { PROD_AUTHORITY: 'p.shop' } })).clusters['catalog']?.authority).toBe('p.shop')
  })
})

describe('origins', () => {
  it('name the file, the overlay, or the default with what stands around it', async () => {
    const { origins } = await load('routes: { catalog: { timeout: 1s } }')
    expect(origins['routes.catalog.timeout']).toEqual({ file: 'environments/prod.yaml', line: 2, column: 31, kind: 'overlay', value: '"1s"' })
    expect(origins['routes.catalog.retry.attempts']).toEqual({ file: 'a.yaml', line: 21, column: 24, kind: 'file', value: '1' })
    expect(origins['routes.catalog.retry.budget']).toEqual({ file: 'a.yaml', line: 21, column: 5, kind: 'default', value: '"20%"' })
    expect(origins['routes.catalog.to.0.weight']).toMatchObject({ kind: 'file', value: '90' })
    expect(origins['limits.per-client.onStoreFailure']).toMatchObject({ file: 'a.yaml', line: 10, kind: 'default', value: '"local"' })
  })

  it('hold nothing of the other class', async () => {
    const { origins } = await load('', { environment: 'dev' })
    expect(origins['egress.payments.environments.dev.target']).toBeDefined()
    expect(Object.keys(origins).filter((path) => path.includes('environments.prod.target'))).toEqual([])
  })
})

describe('the environment', () => {
  it('must be declared; otherwise there is no policy', async () => {
    const { policy: none, diagnostics } = await loadCase({ files: { 'base.yaml': base }, environment: 'prdo' })
    expect(none).toBeUndefined()
    expect(diagnostics).toEqual([
      {
        severity: 'error',
        code: 'environment_unknown',
        file: 'SALLYPORT_ENV',
        line: 1,
        column: 1,
        message: '"prdo" is not a declared environment.',
        hint: 'Did you mean "prod"?',
        object: undefined,
      },
    ])
  })

  it('cannot be chosen among none', async () => {
    const { policy: none, diagnostics } = await loadCase({ files: { 'a.yaml': 'sallyport: v1\n' } })
    expect([none, diagnostics.map(({ code }) => code)]).toEqual([undefined, ['environments_missing']])
    expect((await loadCase({ files: {} })).diagnostics.map(({ code }) => code)).toEqual(['policies_missing'])
  })
})
