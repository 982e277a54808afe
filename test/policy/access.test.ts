import { describe, expect, it } from 'vitest'
import { clean, loadBeside, marked } from '../support/load.ts'

const one = 'issuers: { main: { issuer: "https://idp.example.com", audiences: [a] } }\n'
const two = 'issuers: { main: { issuer: "https://a.example.com", audiences: [a] }, other: { issuer: "https://b.example.com", audiences: [a] } }\n'
const around = 'clusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: "/t/{tenant}/{**}" }, access: p, to: a } }\n'
const withRules = (issuers: string, rules: string, authenticate = '') => `${issuers}${around}access:\n  p:\n${authenticate}    rules:\n${rules}`
const codes = async (text: string) => (await loadBeside(text)).diagnostics.map(({ severity, code }) => `${severity} ${code}`)

describe('what is said of authentication', () => {
  it.each([
    ['{ jwt: main }', { kind: 'jwt', name: 'main' }],
    [
      '{ anyOf: [{ jwt: main }, { jwt: other }] }',
      {
        kind: 'anyOf',
        of: [
          { kind: 'jwt', name: 'main' },
          { kind: 'jwt', name: 'other' },
        ],
      },
    ],
    [
      '{ optional: { anyOf: [{ jwt: main }, { jwt: other }] } }',
      {
        kind: 'optional',
        of: {
          kind: 'anyOf',
          of: [
            { kind: 'jwt', name: 'main' },
            { kind: 'jwt', name: 'other' },
          ],
        },
      },
    ],
  ])('%s is kept', async (said, requirement) => {
    const { policy } = await loadBeside(withRules(two, '      - { id: read, allow: { scopes: [a] } }', `    authenticate: ${said}\n`))
    expect(policy?.access['p']).toMatchObject({ quarantined: undefined, authenticate: requirement })
  })

  it('nothing, and a rule that needs a principal, is the only issuer', async () => {
    expect(clean(await loadBeside(withRules(one, '      - { id: read, allow: { scopes: [a] } }'))).access['p']?.authenticate).toEqual({
      kind: 'jwt',
      name: 'main',
    })
  })

  it('nothing, with rules for principals and for anybody, is the only issuer as an option', async () => {
    const rules = '      - { id: read, allow: { anonymous: true, methods: [GET] } }\n      - { id: write, allow: { scopes: [w] } }'
    expect(clean(await loadBeside(withRules(one, rules))).access['p']?.authenticate).toEqual({ kind: 'optional', of: { kind: 'jwt', name: 'main' } })
  })

  it('nothing, and only anonymous rules, is none', async () => {
    const { policy } = await loadBeside(withRules(one, '      - { id: all, allow: { anonymous: true } }\n      - { id: net, deny: { cidrs: [10.0.0.0/8] } }'))
    expect(policy?.access['p']?.authenticate).toEqual({ kind: 'none' })
  })

  it('nothing, and a `when` that reads claims, asks for a principal', async () => {
    const rules = '      - { id: all, allow: { anonymous: true } }\n      - { id: own, deny: {}, when: claims.tenant != request.params.tenant }'
    expect((await loadBeside(withRules(one, rules))).policy?.access['p']?.authenticate).toEqual({ kind: 'optional', of: { kind: 'jwt', name: 'main' } })
  })

  it('nothing, with two issuers or none to choose from, is an error that says so', async () => {
    const rule = '      - { id: read, allow: { scopes: [a] } }'
    for (const [issuers, hint] of [
      [two, 'Add authenticate: { jwt: … } with one of main, other.'],
      ['', 'Add an issuer under "issuers:", and authenticate: { jwt: … } here.'],
    ] as const) {
      const { diagnostics, policy } = await loadBeside(withRules(issuers, rule))
      expect(diagnostics[0]).toMatchObject({ code: 'authenticate_missing', hint, object: 'access.p' })
      expect(policy?.routes[0]?.quarantined).toBeDefined()
    }
  })

  it.each([
    ['{}', 'value_out_of_range'],
    ['{ jwt: main, optional: { jwt: main } }', 'requirement_shape'],
    ['{ jwt: mian }', 'name_unknown'],
    ['{ apiKey: partners }', 'name_unknown'],
    ['nobody', 'value_invalid'],
    ['[main]', 'type_wrong'],
    ['{ anyOf: [] }', 'value_out_of_range'],
    ['{ anyOf: [{ jwt: main }, { mtls: true }] }', 'type_wrong'],
    ['{ anyOf: [{ jwt: main }, { mtls: mesh }] }', 'name_unknown'],
    ['{ introspection: main }', 'introspection_missing'],
    ['{ anyOf: [{ session: web }, { jwt: main }] }', 'not_available'],
  ])('%s is refused', async (said, code) => {
    const found = await codes(withRules(one, '      - { id: read, allow: { scopes: [a] } }', `    authenticate: ${said}\n`))
    expect(found.filter((each) => each.startsWith('error'))).toEqual([`error ${code === 'value_out_of_range' && said === '{}' ? 'requirement_shape' : code}`])
  })
})

describe('a matcher', () => {
  it('is linked in full', async () => {
    const rules = `      - id: all
        allow:
          methods: [GET]
          paths: ["/t/{tenant}/a"]
          hosts: ["*.example.com"]
          issuers: [main]
          scopes: { all: [a], any: [b, c] }
          roles: { any: [admin], claim: realm_access.roles }
          acr: { atLeast: silver, order: [bronze, silver, gold] }
          amr: [otp]
          listener: [public]
          claims: { tenant: { equals: path.tenant }, org.id: 7, plan: [free, pro], email: { present: true } }
          clients: [web]
          cidrs: [10.0.0.0/8]
          headers: { x-a: v, x-b: { prefix: p, pattern: "p.*" } }
          times: [{ from: "22:00", to: "06:00", zone: UTC }, { days: [sun, mon], from: "00:00", to: "24:00", zone: Europe/Berlin }]
        when: client.address != ""
        reason: Because.
        mode: audit
      - { id: rest, allow: { scopes: [x] } }
`
    const [rule] = clean(await loadBeside(withRules(one, rules))).access['p']?.rules ?? []
    expect(rule).toEqual({
      id: 'all',
      effect: 'allow',
      mode: 'audit',
      when: 'client.address != ""',
      reason: 'Because.',
      matcher: {
        anonymous: false,
        methods: ['GET'],
        paths: ['/t/{tenant}/a'],
        grpc: undefined,
        hosts: ['*.example.com'],
        issuers: ['main'],
        scopes: { all: ['a'], any: ['b', 'c'] },
        claims: [
          { path: 'tenant', kind: 'equals', attribute: 'path.tenant' },
          { path: 'org.id', kind: 'in', values: [7] },
          { path: 'plan', kind: 'in', values: ['free', 'pro'] },
          { path: 'email', kind: 'present' },
        ],
        roles: { claim: 'realm_access.roles', all: [], any: ['admin'] },
        acr: ['silver', 'gold'],
        amr: { all: ['otp'], any: [] },
        listeners: ['public'],
        clients: ['web'],
        cidrs: ['10.0.0.0/8'],
        headers: [
          { name: 'x-a', exact: 'v' },
          { name: 'x-b', prefix: 'p', pattern: 'p.*' },
        ],
        times: [
          { days: [1, 2, 3, 4, 5, 6, 7], from: 1320, to: 360, zone: 'UTC' },
          { days: [1, 7], from: 0, to: 1440, zone: 'Europe/Berlin' },
        ],
      },
    })
  })

  it.each([
    ['allow: «{}', 'allow_empty', false],
    ['«allow: { anonymous: true }, deny: {}', 'effect_count', false],
    ['«mode: audit', 'effect_count', false],
    ['allow: { methods: [«get] }', 'value_invalid', true],
    ['allow: { paths: [«orders] }', 'value_invalid', true],
    ['allow: { paths: [«/a/%41] }', 'value_invalid', true],
    ['allow: { cidrs: [«10.0.0.1/8] }', 'value_invalid', true],
    ['allow: { headers: { x-a: { pattern: «"(?=x)" } } }', 'value_invalid', true],
    ['allow: { headers: { «X-A: a } }', 'key_invalid', true],
    ['allow: { headers: { x-version: «1.10 } }', 'type_wrong', true],
    ['allow: { claims: { a: { equals: «tenant } } }', 'value_invalid', true],
    ['allow: { claims: { «a: { equals: host, present: true } } }', 'claim_shape', true],
    ['allow: { issuers: [«mian] }', 'name_unknown', true],
    ['allow: { times: [{ from: "8:00", to: "18:00", zone: UTC }] }', 'value_invalid', false],
    ['allow: { times: [{ from: "08:00", to: «"08:00", zone: UTC }] }', 'time_empty', true],
    ['allow: { times: [{ from: "08:00", to: "18:00", zone: «Europe/Berln }] }', 'zone_unknown', true],
    ['allow: { acr: «high }', 'type_wrong', true],
    ['allow: { acr: { atLeast: «gold, order: [low, high] } }', 'acr_order', true],
    ['allow: { acr: { atLeast: low, order: [low, high, «low] } }', 'acr_order', true],
    ['allow: { «roles: { claim: groups } }', 'roles_empty', true],
    ['allow: { roles: [«5] }', 'type_wrong', true],
    ['allow: { amr: «{} }', 'value_invalid', true],
    ['allow: { listener: [«admin] }', 'value_invalid', true],
    ['allow: { scopes: [a] }, when: «"claims.a ="', 'value_invalid', true],
    ['allow: { scopes: [a] }, when: «\'request.path.matches("a")\'', 'value_invalid', true],
    ['allow: { scopes: [a] }, when: «request.path', 'value_invalid', true],
    ['allow: { scopes: [a] }, «widen: true', 'no_effect', true],
    ['allow: { scopes: [a] }, «ask: { url: x }', 'not_available', true],
  ])('that says %s is refused', async (said, code, exact) => {
    const text = marked(withRules(one, `      - { id: read, ${said} }`))
    const { diagnostics, policy } = await loadBeside(text.text)
    const errors = diagnostics.filter(({ severity }) => severity === 'error')
    expect(errors.map((each) => each.code)).toEqual([code])
    expect(exact ? `${(errors[0]?.line ?? 0) - 1}:${errors[0]?.column}` : undefined).toBe(exact ? text.marks[0] : undefined)
    expect(errors[0]?.hint).toBeDefined()
    expect(policy?.access['p']).toMatchObject({ rules: [], quarantined: expect.any(String) })
    expect(policy?.routes[0]).toMatchObject({ split: [], access: [], quarantined: expect.any(String) })
  })

  it('that contradicts itself, or the authentication around it, is a warning', async () => {
    expect(await codes(withRules(one, '      - { id: read, allow: { anonymous: true, scopes: [a] } }'))).toEqual(['warning rule_contradicts'])
    expect(await codes(withRules('', '      - { id: read, allow: { methods: [GET] } }', '    authenticate: none\n'))).toEqual(['warning rule_never'])
    expect(await codes(withRules(two, '      - { id: read, allow: { issuers: [other] } }', '    authenticate: { jwt: main }\n'))).toContain(
      'warning rule_never',
    )
  })

  it('about any credential of several is held against it, and is no mistake', async () => {
    const keys = `${one}apiKeys: { shops: { store: "file:/run/shops.json" } }\n`
    const rules = '      - { id: read, allow: { scopes: [a] } }\n      - { id: no, deny: { issuers: [shops] } }'
    expect(await codes(withRules(keys, rules, '    authenticate: { allOf: [{ jwt: main }, { apiKey: shops }] }\n'))).toEqual([])
  })
})

describe('a route', () => {
  const load = (route: string) => loadBeside(`${one}clusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { ${route} } }\n`)

  it('without access does not load', async () => {
    const { diagnostics, policy } = await load('match: { path: / }, to: a')
    expect(diagnostics).toMatchObject([{ code: 'key_missing', line: 4, column: 11, message: '"access" is missing.', object: 'routes.r' }])
    expect(policy?.routes).toMatchObject([{ name: 'r', quarantined: expect.stringContaining('access') }])
  })

  it('whose match cannot be read is quarantined, and takes what can be seen of it', async () => {
    const { diagnostics, policy } = await load('match: { path: /a, headers: { x: 5 } }, to: a, access: { rules: [{ id: all, allow: { anonymous: true } }] }')
    expect(diagnostics.map(({ code }) => code)).toEqual(['type_wrong'])
    expect(policy?.routes).toMatchObject([{ name: 'r', quarantined: expect.stringContaining('a.yaml:4:'), match: { seen: { paths: ['/a'], sure: true } } }])
  })

  it('may carry its access policy, which takes its name', async () => {
    const policy = clean(await load('match: { path: / }, to: a, access: { rules: [{ id: read, allow: { scopes: [a] } }] }'))
    expect(policy.routes[0]?.access).toEqual(['r'])
    expect(policy.access['r']).toMatchObject({ authenticate: { kind: 'jwt', name: 'main' }, rules: [{ id: 'read' }] })
  })

  it('with a broken policy inside is quarantined with it', async () => {
    const { policy } = await load('match: { path: / }, to: a, access: { rules: [{ id: all, allow: { anonymous: true } }, { id: no, deny: { cidrs: [x] } }] }')
    expect(policy?.routes[0]?.quarantined).toContain('"x" is not an IPv4 or IPv6 address')
    expect(policy?.access['r']).toMatchObject({ rules: [], quarantined: expect.any(String) })
  })

  it.each([
    ['path: /a, grpc: s.S', 'match_shape'],
    ['methods: [GET]', 'match_shape'],
    ['path: /a, host: a, hosts: [b]', 'hosts_twice'],
    ['path: /a, claims: { a: b }', 'not_available'],
    ['path: /a, host: A.example.com', 'value_invalid'],
    ['path: /a, host: "*"', 'value_invalid'],
    ['path: /a/../b', 'value_invalid'],
    ['path: "/a/{**}/b"', 'value_invalid'],
    ['path: "/a/{id}/{id}"', 'value_invalid'],
  ])('with match { %s } is refused', async (match, code) => {
    const { diagnostics } = await load(`match: { ${match} }, to: a, access: { rules: [{ id: all, allow: { anonymous: true } }] }`)
    expect(diagnostics.filter(({ severity }) => severity === 'error').map((each) => each.code)).toEqual([code])
  })

  it.each([
    ['to: [{ cluster: a, weight: 50 }, { cluster: a, weight: 40 }]', 'weights_sum'],
    ['to: { cluster: a, weight: 101 }', 'value_out_of_range'],
    ['to: { cluster: a, subset: v1 }', 'name_unknown'],
    ['to: []', 'value_out_of_range'],
    ['to: a, timeout: 0s', 'value_invalid'],
    ['to: a, timeout: 5 s', 'value_invalid'],
    ['to: a, retry: { on: [700] }', 'value_out_of_range'],
    ['to: a, retry: { on: [conect] }', 'value_invalid'],
    ['to: a, retry: { budget: 120% }', 'value_invalid'],
    ['to: a, sticky: sub', 'value_invalid'],
    ['to: a, handOn: { claims: { authorization: sub } }', 'header_refused'],
    ['to: a, translate: { emitDefaults: true }', 'no_effect'],
    ['to: a, bindings: [{ rpc: Get, method: GET, path: /a }]', 'no_effect'],
    ['to: a, bodyLimit: 1MB', 'value_invalid'],
    ['to: a, limits: [gone]', 'name_unknown'],
    ['to: a, mirror: a', 'type_wrong'],
    ['to: a, hedge: { after: p200 }', 'value_invalid'],
    ['to: a, cache: 5s', 'not_available'],
    ['to: a, cors: {}', 'key_missing'],
  ])('with %s is refused', async (said, code) => {
    const { diagnostics, policy } = await load(`match: { path: / }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, ${said}`)
    expect(diagnostics.filter(({ severity }) => severity === 'error').map((each) => each.code)).toEqual([code])
    expect(policy?.routes[0]?.quarantined).toBeDefined()
  })

  it('takes bindings in place of the annotations of an RPC', async () => {
    const policy = clean(
      await loadBeside(`
clusters: { g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }
routes:
  r:
    match: { grpc: shop.v1.Orders }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    to: g
    bindings: [{ rpc: GetOrder, method: GET, path: "/o/{id}" }, { rpc: GetOrder, method: POST, path: /o, body: "*" }]
`),
    )
    const rpc = policy.routes[0]?.match.grpc?.rpcs.find(({ method }) => method === 'GetOrder')
    expect(rpc?.bindings.map(({ method, template, body }) => `${method} ${template} ${body}`)).toEqual([
      'GET /o/{id} ',
      'POST /o *',
      'POST /shop.v1.Orders/GetOrder *',
    ])
  })

  it('refuses a binding whose variable or body is no field', async () => {
    const text = marked(`
clusters: { g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }
routes:
  r:
    match: { grpc: shop.v1.Orders }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    to: g
    bindings: [«{ rpc: GetOrder, method: GET, path: "/o/{key}" }, { rpc: «GetOrdr, method: GET, path: /p }, «{ rpc: GetOrder, method: POST, path: /o, body: nothing }]
`)
    const { diagnostics } = await loadBeside(text.text)
    expect(diagnostics.map(({ code, line, column }) => `${code} ${line - 1}:${column}`)).toEqual([
      `http_rule ${text.marks[0]}`,
      `rpc_unknown ${text.marks[1]}`,
      `http_rule ${text.marks[2]}`,
    ])
  })

  it('refuses a binding that takes the requests of another rule, and names both RPCs', async () => {
    const text = marked(`
clusters: { g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }
routes:
  r:
    match: { grpc: shop.v1.Orders }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    to: g
    bindings:
      - { rpc: GetOrder, method: GET, path: "/o/{id}" }
      - «{ rpc: CancelOrder, method: GET, path: "/o/{id}" }
      - { rpc: CancelOrder, method: POST, path: "/o/{id}" }
      - «{ rpc: CancelOrder, method: POST, path: "/o/{id=*}" }
      - { rpc: CancelOrder, method: POST, path: /shop.v1.Orders/CancelOrder, body: "*" }
      - «{ rpc: CancelOrder, method: POST, path: /shop.v1.Orders/GetOrder, body: "*" }
`)
    const { diagnostics } = await loadBeside(text.text)
    expect(diagnostics.map(({ code, line, column }) => `${code} ${line - 1}:${column}`)).toEqual(text.marks.map((mark) => `http_rule ${mark}`))
    expect(diagnostics[0]?.message).toContain('GET /o/{id}: shop.v1.Orders/GetOrder and shop.v1.Orders/CancelOrder take the same requests (GET /o/*).')
  })

  it.each([
    ['protocol: http, descriptors: shop.binpb', 'protocol_differs'],
    ['protocol: grpc', 'descriptors_missing'],
    ['protocol: grpc, descriptors: gone.binpb', 'descriptors_unreadable'],
    ['protocol: grpc, descriptors: bad.binpb', 'descriptors_unreadable'],
  ])('to a gRPC service needs a cluster that is not { %s }', async (cluster, code) => {
    const text = `clusters: { g: { ${cluster}, address: "127.0.0.1:2" } }\nroutes: { r: { match: { grpc: shop.v1.Orders }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: g } }`
    const { shopDescriptors } = await import('../support/load.ts')
    const { diagnostics, policy } = await loadBeside(text, { assets: { 'shop.binpb': shopDescriptors, 'bad.binpb': new TextEncoder().encode('not protobuf') } })
    expect(diagnostics.filter(({ severity }) => severity === 'error').map((each) => each.code)).toEqual([code])
    expect(policy?.routes[0]?.quarantined).toBeDefined()
  })
})

describe('what tests nothing', () => {
  const matcher = (text: string) =>
    loadBeside(
      `issuers: { m: { issuer: "https://i.example", audiences: [a] } }\nclusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: /a }, to: a, access: { rules: [{ id: all, allow: { ${text} } }] } } }\n`,
    )
  it.each([
    'methods: []',
    'paths: []',
    'grpc: []',
    'hosts: []',
    'issuers: []',
    'scopes: []',
    'scopes: { any: [] }',
    'roles: []',
    'claims: { a: [] }',
    'clients: []',
    'cidrs: []',
    'times: []',
  ])('an empty list is refused: %s', async (text) => {
    const { diagnostics, policy } = await matcher(text)
    expect(diagnostics).toMatchObject([{ severity: 'error', message: 'This list is empty: an empty list matches nothing.', object: 'routes.r' }])
    expect(policy?.routes[0]?.quarantined).toBeDefined()
  })

  it.each(['scopes: {}', 'claims: {}', 'headers: {}', 'headers: { x-a: {} }'])('an empty mapping is refused, for it would fit everybody: %s', async (text) => {
    const { diagnostics } = await matcher(text)
    expect(diagnostics.map(({ severity, code }) => [severity, code])).toEqual([['error', 'value_invalid']])
  })

  it.each(['pin: {}', 'pin: { headers: {} }', 'pin: { claims: {} }'])('an empty pin is refused, for everybody would go there: %s', async (pin) => {
    const { diagnostics } = await loadBeside(
      `clusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: /a }, to: { cluster: a, ${pin} }, access: { rules: [{ id: all, allow: { anonymous: true } }] } } }\n`,
    )
    expect(diagnostics.map(({ severity, code }) => [severity, code])).toEqual([['error', 'value_invalid']])
  })

  it.each([
    ['pth.tenant', 'Did you mean "path.tenant"?'],
    ['claims.org', 'Did you mean "claim.org"?'],
    ['headers.x-tenant', 'Did you mean "header.x-tenant"?'],
    ['header.X-Tenant', 'Did you mean "header.x-tenant"?'],
    ['request.params.tenant', 'Did you mean "path.tenant"?'],
    ['hots', 'Did you mean "host"?'],
    ['tenant', 'Write it like path.tenant, header.x-tenant, query.tenant, claim.org, host.'],
  ])('equals: %s is no attribute', async (attribute, hint) => {
    const { diagnostics } = await matcher(`claims: { a: { equals: ${attribute} } }`)
    expect(diagnostics).toMatchObject([{ code: 'value_invalid', message: `"${attribute}" is not an attribute of a request.`, hint }])
  })
})
