import { describe, expect, it } from 'vitest'
import { base, brief, clean, loadBeside, loadCase, marked } from '../support/load.ts'

const around = `
clusters: { a: { address: "127.0.0.1:1" }, g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }
access: { open: { rules: [{ id: all, allow: { anonymous: true } }] } }
`
/** Routes by their matches, in flow style, both clusters in use. */
function routes(...matches: readonly string[]): string {
  const lines = matches.map((match, i) => `  r${i}: { match: { ${match} }, access: open, to: ${match.includes('grpc:') ? 'g' : 'a'} }`)
  return `${around}routes:\n  grpc: { match: { host: grpc.example.com, grpc: shop.v1.Orders }, access: open, to: g }\n  x: { match: { host: x.example.com, path: / }, access: open, to: a }\n${lines.join('\n')}\n`
}

describe('two routes that take the same requests with equal specificity', () => {
  it.each([
    ['the same path', 'path: /a', 'path: /a'],
    ['variables of different names', 'path: /a/:id', 'path: /a/:name'],
    ['a named rest and an anonymous one', 'path: "/a/{x=**}"', 'path: "/a/{**}"'],
    ['a variable with a pattern', 'path: "/{x=a/*}"', 'path: /a/:y'],
    ['methods that share one', 'path: /a, methods: [GET, POST]', 'path: /a, methods: [POST, PUT]'],
    ['one host of several', 'path: /a, hosts: [b.example.com, a.example.com]', 'path: /a, hosts: [a.example.com, c.example.com]'],
    ['one header each that can stand together', 'path: /a, headers: { x-a: "1" }', 'path: /a, headers: { x-b: "1" }'],
    ['a value that begins with a prefix', 'path: /a, headers: { x-a: abc }', 'path: /a, headers: { x-a: { prefix: a } }'],
    ['a grpc service twice', 'grpc: shop.v1.Orders', 'grpc: shop.v1.Orders'],
  ])('are an error that names both: %s', async (_, first, second) => {
    const { diagnostics, policy } = await loadBeside(routes(first, second))
    const ties = diagnostics.filter(({ code }) => code === 'routes_tie')
    expect(ties.length).toBeGreaterThan(0)
    expect(ties[0]).toMatchObject({ severity: 'error', file: 'a.yaml', line: 9, object: 'routes.r1' })
    expect(ties[0]?.message).toContain('"r0" (a.yaml:8:')
    expect(policy?.routes.filter(({ quarantined }) => quarantined !== undefined).map(({ name }) => name)).toEqual(['r0', 'r1'])
  })

  it('are found between a path and a binding of a grpc route', async () => {
    const { diagnostics } = await loadBeside(routes('grpc: shop.v1.Orders', 'path: /v1/orders/:key, methods: [GET]'))
    expect(diagnostics.map(({ code, message }) => [code, message.includes('"r0"') && message.includes('"r1"')])).toContainEqual(['routes_tie', true])
  })

  it.each([
    ['a literal before a variable', 'path: /a/b', 'path: /a/:id'],
    ['a variable before a wildcard', 'path: /a/:id', 'path: "/a/{**}"'],
    ['a longer path before a shorter', 'path: "/a/b/{**}"', 'path: "/a/{**}"'],
    ['an exact host before a wildcard', 'path: /a, host: x.example.com', 'path: /a, host: "*.example.com"'],
    ['a host before none', 'path: /a, host: x.example.com', 'path: /a'],
    ['a method before none', 'path: /a, methods: [GET]', 'path: /a'],
    ['HEAD, said, before HEAD that GET implies', 'path: /a, methods: [GET]', 'path: /a, methods: [HEAD]'],
    ['different methods', 'path: /a, methods: [GET]', 'path: /a, methods: [POST]'],
    ['a header before none', 'path: /a, headers: { x-a: { present: true } }', 'path: /a'],
    ['two headers before one', 'path: /a, headers: { x-a: "1", x-b: "1" }', 'path: /a, headers: { x-c: "1" }'],
    ['different values of one header', 'path: /a, headers: { x-v: v1 }', 'path: /a, headers: { x-v: v2 }'],
    ['different values of one parameter', 'path: /a, query: { v: "1" }', 'path: /a, query: { v: "2" }'],
    ['present and absent', 'path: /a, headers: { x-v: { present: true } }', 'path: /a, headers: { x-v: { present: false } }'],
    ['a verb', 'path: "/a/{id}:cancel"', 'path: "/a/{id}"'],
  ])('are not: %s', async (_, first, second) => {
    expect((await loadBeside(routes(first, second))).diagnostics).toEqual([])
  })
})

describe('a route that another takes everything from', () => {
  it('is a warning at its own place', async () => {
    const all = 'CONNECT, DELETE, GET, OPTIONS, PATCH, POST, PUT, TRACE'
    const { diagnostics } = await loadBeside(routes('path: /a', `path: /a, methods: [${all}]`))
    expect(diagnostics).toMatchObject([{ severity: 'warning', code: 'route_shadowed', line: 8, object: 'routes.r0' }])
  })

  it('is one whose path no request may have', async () => {
    expect(brief((await loadBeside(routes('path: "/a;b"'))).diagnostics)).toEqual(['warning path_never a.yaml:8:24'])
    clean(
      await loadBeside(
        routes('path: "/a;b"')
          .replace('to: a }\n', 'to: a }\n')
          .replace(/r0: \{/, 'r0: { allow: [semicolon],'),
      ),
    )
  })
})

describe('names', () => {
  it('that are given twice in one section are an error that names both places', async () => {
    const { diagnostics, policy } = await loadBeside(
      `${around}routes: { r: { match: { path: / }, access: open, to: a }, g: { match: { grpc: shop.v1.Orders }, access: open, to: g } }`,
      {
        files: { 'b.yaml': 'sallyport: v1\nclusters:\n  a: { address: "127.0.0.1:9" }\n' },
      },
    )
    expect(diagnostics).toMatchObject([
      {
        severity: 'error',
        code: 'name_repeated',
        file: 'b.yaml',
        line: 3,
        column: 3,
        message: '"a" is given twice in "clusters": first at a.yaml:3:13.',
        object: 'clusters.a',
      },
    ])
    expect(policy?.routes.map(({ quarantined }) => quarantined !== undefined)).toEqual([true, false])
  })

  it('of limits too: two files that give one name to a limit each are told of each other, and the routes of that limit are out of service', async () => {
    const route = 'routes: { r: { match: { path: / }, access: open, limits: [each], to: a } }\n'
    const { diagnostics, policy } = await loadBeside(`${around}limits: { each: { rate: 1/1m, key: [route] } }\n${route}`, {
      files: { 'b.yaml': 'sallyport: v1\nlimits:\n  each: { rate: 100/1m, key: [route] }\n' },
    })
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toMatchObject([
      {
        code: 'name_repeated',
        file: 'b.yaml',
        line: 3,
        column: 3,
        message: expect.stringMatching(/^"each" is given twice in "limits": first at a\.yaml:\d+:11\.$/),
      },
    ])
    expect(policy?.routes.map(({ quarantined }) => quarantined !== undefined)).toEqual([true])
  })

  it('that nothing uses are warnings', async () => {
    const { diagnostics } = await loadBeside(`
issuers: { idle: { issuer: "https://idp.example.com", audiences: [a] } }
clusters: { idle: { address: "127.0.0.1:1" } }
limits: { idle: { rate: 1/1s, key: [route] } }
access: { idle: { rules: [{ id: all, allow: { anonymous: true } }] } }
callers: { idle: {} }
`)
    expect(brief(diagnostics)).toEqual([
      'warning name_unused a.yaml:3:12',
      'warning name_unused a.yaml:4:13',
      'warning name_unused a.yaml:5:11',
      'warning name_unused a.yaml:6:11',
      'warning name_unused a.yaml:7:12',
    ])
  })

  it('that are unknown are errors with a suggestion, or with what there is', async () => {
    const text = marked(`
clusters: { catalog: { address: "127.0.0.1:1", subsets: { blue: { authority: b } } } }
access: { open: { rules: [{ id: all, allow: { anonymous: true } }] } }
routes:
  r: { match: { path: / }, access: «opn, limits: [«gone], to: { cluster: catalog, subset: «bleu } }
`)
    const { diagnostics } = await loadBeside(text.text)
    expect(diagnostics.map(({ line, column, hint }) => [`${line - 1}:${column}`, hint])).toEqual([
      [text.marks[0], 'Did you mean "open"?'],
      [text.marks[1], 'Write it under "limits:".'],
      [text.marks[2], 'Did you mean "blue"?'],
    ])
  })
})

describe('access policies and their routes', () => {
  const grpc = (rules: string) => `
issuers: { main: { issuer: "https://idp.example.com", audiences: [a] } }
clusters: { g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }
access:
  p:
    rules:
${rules}
routes: { r: { match: { host: api.example.com, grpc: shop.v1.Orders }, access: p, to: g } }
`
  it.each([
    ['an RPC of a service that no route has', 'allow: { grpc: [shop.v1.Other/Get] }'],
    ['a path that no route takes', 'allow: { paths: [/other] }'],
    ['a method that no route takes', 'allow: { methods: [TRACE] }'],
    ['a host that no route takes', 'allow: { hosts: [other.example.com] }'],
    ['a deny that no route takes', 'deny: { paths: ["/v2/{**}"] }'],
  ])('warn of a rule that can never match: %s', async (_, rule) => {
    const { diagnostics } = await loadBeside(grpc(`      - { id: all, allow: { scopes: [a] } }\n      - { id: never, ${rule} }`))
    expect(brief(diagnostics)).toEqual(['warning rule_never a.yaml:9:22'])
  })

  it.each([
    'grpc: ["shop.v1.Orders/*"]',
    'paths: ["/v1/orders/{**}"]',
    'paths: ["/v1/{x}/{y}"]',
    'methods: [HEAD, GET]',
    'hosts: ["*.example.com"]',
    'paths: [/shop.v1.Orders/GetOrder]',
  ])('do not warn of { %s }, which can', async (matcher) => {
    expect((await loadBeside(grpc(`      - { id: some, allow: { ${matcher} } }`))).diagnostics).toEqual([])
  })

  it('refuse an RPC that the service does not have', async () => {
    const { diagnostics } = await loadBeside(grpc('      - { id: all, allow: { grpc: [shop.v1.Orders/GetOrder, shop.v1.Orders/GetOrdr] } }'))
    expect(diagnostics).toMatchObject([{ severity: 'error', code: 'rpc_unknown', line: 8, column: 61, hint: 'Did you mean "shop.v1.Orders/GetOrder"?' }])
  })

  it('warn of a path variable that none of their routes has, at its place', async () => {
    const claim = await loadBeside(grpc('      - { id: all, allow: { claims: { tenant: { equals: path.tenat } } } }'))
    expect(claim.diagnostics).toMatchObject([{ severity: 'warning', code: 'variable_unknown', line: 8, column: 57, hint: 'Did you mean "tenant"?' }])
    // A variable of the rule's own path is no route's: what a rule asks for comes from the route that took the request.
    const own = await loadBeside(grpc('      - { id: all, allow: { paths: ["/v1/{kind}/**"], claims: { kind: { equals: path.kind } } } }'))
    expect(own.diagnostics.map(({ code }) => code)).toEqual(['variable_unknown'])
  })

  it.each([
    ['request.params.tenat == claims.tenant', ['variable_unknown']],
    ['request.params["tenat"] == claims.tenant', ['variable_unknown']],
    ['has(request.params.tenat) && request.params.tenant == claims.tenant', ['variable_unknown', 'variable_partial']],
    ['request.query.tenat == claims.tenant', []],
  ])('warn of a path variable in an expression that none of their routes has: %s', async (when, codes) => {
    const { diagnostics } = await loadBeside(grpc(`      - { id: all, allow: { methods: [GET] }, when: '${when}' }`))
    expect(diagnostics.map(({ code, line, column }) => [code, line, column])).toEqual(codes.map((code) => [code, 8, 53]))
  })

  it.each([
    [
      'a claim',
      'deny: { claims: { tenant: { equals: path.tenant } } }',
      'GET /v1/orders/{id}, POST /shop.v1.Orders/GetOrder, GET /v1/orders and 11 more have none: it refuses everybody there.',
    ],
    [
      'a claim, of one RPC',
      'allow: { grpc: [shop.v1.Orders/GetOrder], claims: { tenant: { equals: path.tenant } } }',
      'GET /v1/orders/{id}, POST /shop.v1.Orders/GetOrder have none: it lets nobody pass there.',
    ],
    [
      'an expression',
      'audit: { methods: [GET], grpc: [shop.v1.Orders/GetOrder] }, when: "request.params.tenant == claims.tenant"',
      'GET /v1/orders/{id} has none: it records nobody there.',
    ],
  ])('warn of a path variable that not every way to an RPC has, in %s', async (_, rule, message) => {
    const { diagnostics } = await loadBeside(grpc(`      - { id: all, allow: { scopes: [a] } }\n      - { id: own, ${rule} }`))
    expect(diagnostics.map((one) => [one.severity, one.code, one.message])).toEqual([
      ['warning', 'variable_partial', `The rule "own" asks for the path variable "tenant", and ${message}`],
    ])
  })

  it('do not warn of a path variable that every way has which the rule is about', async () => {
    const own = 'deny: { paths: ["/v1/tenants/{tenant}/**"] }, when: "request.params.tenant != claims.tenant"'
    expect((await loadBeside(grpc(`      - { id: all, allow: { scopes: [a] } }\n      - { id: own, ${own} }`))).diagnostics).toEqual([])
  })

  it('warn of a route that nobody may pass', async () => {
    const { diagnostics } = await loadBeside(grpc('      - { id: none, deny: {} }'))
    expect(brief(diagnostics)).toEqual(['warning route_closed a.yaml:9:72', 'warning name_unused a.yaml:3:12'].toSorted())
  })
})

describe('several files', () => {
  it('merge their sections', async () => {
    const policy = clean(
      await loadCase({
        files: {
          'base.yaml': base,
          'teams/one.yaml': 'sallyport: v1\nclusters: { one: { address: "127.0.0.1:1" } }\nroutes: { one: { match: { path: /one }, access: open, to: one } }\n',
          'teams/two.json':
            '{"sallyport":"v1","access":{"open":{"rules":[{"id":"all","allow":{"anonymous":true}}]}},"routes":{"two":{"match":{"path":"/two"},"access":"open","to":"one"}}}',
          'teams/one.test.yaml': '- name: not a policy\n',
        },
      }),
    )
    expect(policy.routes.map(({ name }) => name)).toEqual(['one', 'two'])
  })

  it('of which one does not parse give its first error, quarantine what it holds, and raise no echo', async () => {
    const { diagnostics, policy } = await loadBeside(
      'clusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: / }, access: elsewhere, to: a } }',
      {
        files: { 'broken.yaml': 'sallyport: v1\naccess:\n  open: { rules: [\n  other:\n' },
      },
    )
    expect(brief(diagnostics)).toEqual(['error yaml_invalid broken.yaml:4:3'])
    expect(policy?.routes[0]?.quarantined).toContain('elsewhere')
  })
})
