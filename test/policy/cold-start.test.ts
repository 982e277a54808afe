import { describe, expect, it } from 'vitest'
import { buildMatch } from '../../src/core/ingress/match.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Loaded } from '../../src/core/policy/loading.ts'
import { received } from '../match/ask.ts'
import { type LoadCase, loadBeside } from '../support/load.ts'

/** A public route that takes everything, one that takes a part, and a literal one. */
const around = `
clusters: { a: { address: "127.0.0.1:1" }, g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }
access: { open: { rules: [{ id: all, allow: { anonymous: true } }] } }
routes:
  all: { match: { path: "/{**}" }, access: open, to: a }
  here: { match: { host: here.example.com, path: "/{**}" }, access: open, to: a }
  part: { match: { path: "/part/{**}" }, access: open, to: a }
  literal: { match: { path: /literal }, access: open, to: a }
`
const rest = 'access: open, to: a'

/** The route that takes a request, or the status of the answer. */
function taker({ policy }: Loaded, path: string, host = 'api.example.com', method = 'GET'): string | number {
  if (policy === undefined) throw new Error('nothing can be served')
  try {
    return buildMatch(policy)(received(method, path, { host })).route.name
  } catch (error) {
    if (error instanceof Fault) return error.status
    throw error
  }
}
const start = (text: string, more: Parameters<typeof loadBeside>[1] = {}) => loadBeside(`${around}${text}`, more)

describe('a route whose match is broken, on a cold start', () => {
  it.each([
    ['a misspelled path', `admin: { match: { paht: /admin }, ${rest} }`],
    ['another word for path', `admin: { match: { url: /admin }, ${rest} }`],
    ['a path without its slash', `admin: { match: { path: admin }, ${rest} }`],
    ['a list of paths', `admin: { match: { path: [/admin, /internal] }, ${rest} }`],
    ['no mapping', `admin: { match: /admin, ${rest} }`],
    ['a misspelled match', `admin: { mtach: { path: /admin }, ${rest} }`],
    ['no match around it', `admin: { path: /admin, ${rest} }`],
    ['methods that are none', `admin: { match: { path: /admin, methods: [5] }, ${rest} }`],
    ['a misspelled header test', `admin: { match: { path: /admin, headers: { x-a: { exct: b } } }, ${rest} }`],
    ['path and grpc at once', `admin: { match: { path: /admin, grpc: shop.v1.Orders }, ${rest} }`],
    ['a host that is none', `admin: { match: { path: /admin, host: "admin example" }, ${rest} }`],
    ['a host whose variable is not set', `admin: { match: { path: /admin, host: "\${ADMIN_HOST}" }, ${rest} }`],
    ['a path that stands twice', `admin: { match: { path: /other, path: /admin }, ${rest} }`],
    ['a name that stands twice', `admin: { match: { path: /other }, ${rest} }\n  admin: { match: { path: /admin }, ${rest} }`],
    ['a name that is none', `Admin Pages: { match: { path: /admin }, ${rest} }`],
  ])('still takes what it can be seen to take: %s', async (_, route) => {
    const loaded = await start(`  ${route}\n`)
    expect(loaded.diagnostics.filter(({ severity }) => severity === 'error')).not.toEqual([])
    expect([taker(loaded, '/admin'), taker(loaded, '/admin', 'here.example.com')]).toEqual([503, 503])
    expect([taker(loaded, '/literal'), taker(loaded, '/part/x'), taker(loaded, '/elsewhere')]).toEqual(['literal', 'part', 'all'])
    expect(taker(loaded, '/elsewhere', 'here.example.com')).toBe('here')
  })

  it('takes them for the hosts and methods that can be read', async () => {
    const hosts = await start(`  admin: { match: { paht: /admin, hsots: [api.example.com] }, ${rest} }\n`)
    expect(taker(hosts, '/admin')).toBe(503)
    expect(taker(hosts, '/admin', 'other.example.com')).toBe('all')
    const beside = await start(`  admin: { match: { path: /admin }, host: here.example.com, ${rest} }\n`)
    expect([taker(beside, '/admin', 'here.example.com'), taker(beside, '/admin')]).toEqual([503, 'all'])
    const methods = await start(`  admin: { match: { host: api.example.com, paht: /admin, methods: [POST] }, ${rest} }\n`)
    expect(taker(methods, '/admin', 'api.example.com', 'POST')).toBe(503)
    expect(taker(methods, '/admin')).toBe('all')
  })

  it('goes before a sound route of the same template, however that one is refined', async () => {
    const loaded = await start(
      `  admin: { match: { paht: "/v1/{x}" }, ${rest} }\n  other: { match: { path: "/v1/{y}", methods: [GET], query: { a: b } }, ${rest} }\n`,
    )
    expect(taker(loaded, '/v1/x?a=b')).toBe(503)
  })

  it('whose template breaks off keeps what stands before', async () => {
    const loaded = await start(`  admin: { match: { path: "/admin/{x" }, ${rest} }\n  one: { match: { path: "/admin/{id}" }, ${rest} }\n`)
    expect([taker(loaded, '/admin/users'), taker(loaded, '/admin/users/1'), taker(loaded, '/elsewhere')]).toEqual([503, 503, 'all'])
  })

  it('of a gRPC service takes its bindings and its native path', async () => {
    const loaded = await start('  orders: { match: { grcp: shop.v1.Orders }, access: open, to: g }\n')
    expect([taker(loaded, '/v1/orders/7'), taker(loaded, '/shop.v1.Orders/GetOrder', 'api.example.com', 'POST'), taker(loaded, '/x')]).toEqual([
      503,
      503,
      'all',
    ])
  })

  it('of a gRPC service that nobody knows closes the routes that take whatever comes, for its hosts', async () => {
    const loaded = await start('  orders: { match: { host: api.example.com, grpc: shop.v1.Orders }, access: open, to: g }\n', { assets: {} })
    expect(loaded.diagnostics).toMatchObject([{ code: 'descriptors_unreadable' }])
    expect([taker(loaded, '/shop.v1.Orders/GetOrder', 'api.example.com', 'POST'), taker(loaded, '/v1/orders/7')]).toEqual([503, 503])
    expect([taker(loaded, '/part/x'), taker(loaded, '/literal'), taker(loaded, '/x', 'here.example.com')]).toEqual(['part', 'literal', 'here'])
  })

  it('of a gRPC service takes the paths of bindings that cannot work', async () => {
    const bindings = 'bindings: [{ rpc: GetOrdr, method: GET, path: /admin }, { rpc: ListOrders, method: get, path: /hidden }]'
    const loaded = await start(`  orders: { match: { grpc: shop.v1.Orders }, ${bindings}, access: open, to: g }\n`)
    expect([taker(loaded, '/admin'), taker(loaded, '/hidden')]).toEqual([503, 503])
  })

  it.each([
    ['nothing', `admin: { match: {}, ${rest} }`],
    ['no match', `admin: { ${rest} }`],
    ['a path whose variable is not set', `admin: { match: { path: "\${ADMIN_PATH}" }, ${rest} }`],
    ['an alias', `admin: { match: *admin, ${rest} }`],
    ['an alias for all of it', 'admin: *admin'],
    ['a template of which nothing can be read', `admin: { match: { path: "/{x" }, ${rest} }`],
    ['a mapping where the path should be', `admin: { match: { path: {} }, ${rest} }`],
  ])('that shows nothing closes every route that is not literal, and says which route it is: %s', async (_, route) => {
    const loaded = await start(`  ${route}\n  orders: { match: { host: g.example.com, grpc: shop.v1.Orders }, access: open, to: g }\n`)
    expect([taker(loaded, '/admin'), taker(loaded, '/part/x'), taker(loaded, '/v1/orders/7', 'g.example.com')]).toEqual([503, 503, 503])
    expect(taker(loaded, '/literal')).toBe('literal')
    expect(loaded.policy?.routes.find(({ name }) => name === 'all')?.quarantined).toMatch(/the route "admin" is broken .*a\.yaml:10:\d+/)
  })

  it('that shows its hosts closes routes of these hosts alone', async () => {
    const loaded = await start(`  admin: { match: { host: admin.example.com, path: "/{x" }, ${rest} }\n`)
    expect([taker(loaded, '/x', 'admin.example.com'), taker(loaded, '/part/x')]).toEqual([503, 503])
    expect(taker(loaded, '/x', 'here.example.com')).toBe('here')
  })
})

describe('a file that is broken, on a cold start', () => {
  const other = (text: string): Omit<LoadCase, 'files'> & { files: Record<string, string> } => ({ files: { 'b.yaml': text } })

  it.each([
    ['that does not parse', `sallyport: v1\nroutes:\n  admin: { match: { path: /admin, ${rest} }\n`],
    ['that does not parse long before', `sallyport: v1\naccess: { x: [\nroutes:\n  admin:\n    match: { path: "/admin" }\n    access: open\n    to: a\n`],
    ['whose section is misspelled', `sallyport: v1\nroutse:\n  admin: { match: { path: /admin }, ${rest} }\n`],
    ['whose section has another name', `sallyport: v1\nendpoints:\n  admin: { match: { path: /admin }, ${rest} }\n`],
    ['whose section is a list', `sallyport: v1\nroutes:\n  - { match: { path: /admin }, ${rest} }\n`],
    ['whose section stands twice', `sallyport: v1\nroutes: { x: { match: { path: /x }, ${rest} } }\nroutes: [{ match: { path: /admin }, ${rest} }]\n`],
    ['whose route stands elsewhere too', `sallyport: v1\nroutes: { part: { match: { path: /admin }, ${rest} } }\n`],
  ])('keeps its routes closed: %s', async (_, text) => {
    const loaded = await start('', other(text))
    expect(taker(loaded, '/admin')).toBe(503)
    expect([taker(loaded, '/elsewhere'), taker(loaded, '/literal')]).toEqual(['all', 'literal'])
  })

  it('that shows nothing closes every route that is not literal', async () => {
    const loaded = await start('', other('sallyport: v1\nroutes: { admin: { match: *m, } ]\n'))
    expect([taker(loaded, '/admin'), taker(loaded, '/literal')]).toEqual([503, 'literal'])
    expect(loaded.policy?.routes.find(({ name }) => name === 'all')?.quarantined).toContain('b.yaml:2:')
  })

  it('and holds no route closes nothing', async () => {
    const loaded = await start('', other('sallyport: v1\nissuers: { a: [ }\n'))
    expect(taker(loaded, '/elsewhere')).toBe('all')
  })
})

describe('an overlay that is broken, on a cold start', () => {
  it.each([
    ['that does not parse', 'sallyport: v1\naccess: { open: { rules: [\n'],
    ['whose section is misspelled', 'sallyport: v1\nacces: { open: { rules: [{ id: no, deny: {} }] } }\n'],
    ['that narrows what is not there', 'sallyport: v1\naccess: { opn: { rules: [{ id: no, deny: {} }] } }\n'],
  ])('leaves nothing open: %s', async (_, text) => {
    const loaded = await start('', { files: { 'environments/dev.yaml': text } })
    expect([taker(loaded, '/x'), taker(loaded, '/literal')]).toEqual([503, 503])
    const elsewhere = await start('', { files: { 'environments/prod.yaml': text } })
    expect(taker(elsewhere, '/x')).toBe('all')
  })
})
