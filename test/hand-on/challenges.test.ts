import { describe, expect, test } from 'vitest'
import { bodyOf } from '../support/arrival.ts'
import { openWalk } from './walk.ts'

type Names = Readonly<Record<string, string>>

const algs = 'algs="ES256 ES384 ES512 EdDSA Ed25519 PS256 PS384 PS512 RS256 RS384 RS512"'
const url = 'https://api.example.com/.well-known/oauth-protected-resource/shop'

const policies = `
resources:
  shop: { url: https://api.example.com/shop, title: Shop, documentation: https://docs.example.com/shop }
access:
  orders: { authenticate: { jwt: main }, rules: [{ id: write, allow: { scopes: { all: [orders:write], any: [orders:read] } } }, { id: off, mode: audit, allow: { scopes: [hidden] } }] }
  maybe: { authenticate: { optional: { jwt: main } }, rules: [{ id: write, allow: { scopes: [orders:write] } }, { id: hello, allow: { anonymous: true, methods: [PUT] } }] }
routes:
  orders: { match: { grpc: shop.v1.Orders }, access: orders, to: orders, resource: shop }
  maybe: { match: { path: "/maybe/{**}" }, access: maybe, to: web, resource: shop }
  outside: { match: { path: "/outside/{**}" }, access: orders, to: web }
`

const required = (proof: string) =>
  policies
    .replace(
      'routes:',
      `  bound: { authenticate: { jwt: bound }, rules: [{ id: all, allow: { scopes: [s] } }] }
  both: { authenticate: { anyOf: [{ jwt: bound }, { jwt: main }] }, rules: [{ id: all, allow: { scopes: [s] } }] }
  optional: { authenticate: { optional: { jwt: bound } }, rules: [{ id: all, allow: { scopes: [s] } }, { id: hello, allow: { anonymous: true, methods: [PUT] } }] }
routes:
  bound: { match: { path: "/bound/{**}" }, access: bound, to: web }
  both: { match: { path: "/both/{**}" }, access: both, to: web }
  optional: { match: { path: "/optional/{**}" }, access: optional, to: web }`,
    )
    .replace(
      'resources:',
      `ISSUERS  bound: { issuer: https://bound.example.com, jwks: https://bound.example.com/jwks, audiences: [https://api.example.com], proof: { required: ${proof} } }
resources:`,
    )

const dialects: Readonly<Record<string, { readonly headers: Names; readonly http: boolean }>> = {
  http: { headers: { 'content-type': 'application/json' }, http: true },
  grpc: { headers: { 'content-type': 'application/grpc', te: 'trailers' }, http: false },
  'grpc-web': { headers: { 'content-type': 'application/grpc-web+proto' }, http: false },
  connect: { headers: { 'content-type': 'application/proto', 'connect-protocol-version': '1' }, http: true },
}

const cases: readonly {
  readonly what: string
  readonly headers: (token: string) => Names
  readonly status: number
  readonly grpc: number
  readonly challenge: string | undefined
}[] = [
  { what: 'no credential', headers: () => ({}), status: 401, grpc: 16, challenge: 'Bearer realm="sallyport"' },
  { what: 'a foreign scheme', headers: () => ({ authorization: 'Basic eDp5' }), status: 401, grpc: 16, challenge: 'Bearer realm="sallyport"' },
  {
    what: 'a malformed credential',
    headers: () => ({ authorization: 'Bearer' }),
    status: 400,
    grpc: 16,
    challenge: 'Bearer realm="sallyport", error="invalid_request", error_description="the Authorization header holds no single access token"',
  },
  {
    what: 'a bad token',
    headers: (token) => ({ authorization: `Bearer ${token}x` }),
    status: 401,
    grpc: 16,
    challenge: 'Bearer realm="sallyport", error="invalid_token", error_description="the access token is not valid"',
  },
  {
    what: 'a missing scope',
    headers: (token) => ({ authorization: `Bearer ${token}` }),
    status: 403,
    grpc: 7,
    challenge: 'Bearer realm="sallyport", error="insufficient_scope", scope="orders:write orders:read"',
  },
]

describe.each(Object.entries(dialects))('a challenge in %s', (_, dialect) => {
  test.each(cases)('for $what is the one of the table, with where to learn more', async ({ headers, status, grpc, challenge }) => {
    const walk = await openWalk(policies)
    const token = await walk.issuers.main.token({ scope: 'other' })
    const answer = await walk.ask(
      'POST',
      '/shop.v1.Orders/GetOrder',
      { ...dialect.headers, ...headers(token) },
      { httpVersion: '2', body: { ...bodyOf('{}'), length: undefined } },
    )
    expect(answer.status).toBe(dialect.http ? status : 200)
    expect(answer.headers['grpc-status']).toBe(dialect.http ? undefined : `${grpc}`)
    expect(answer.headers['www-authenticate']).toBe(`${challenge}, resource_metadata="${url}"`)
    expect(walk.calls).toEqual([])
  })
})

describe('challenges', () => {
  test('of a route without a resource name none', async () => {
    const walk = await openWalk(policies)
    expect((await walk.ask('GET', '/outside/1')).headers['www-authenticate']).toBe('Bearer realm="sallyport"')
  })

  test('from a rule, where the credential may be left out, are the same', async () => {
    const walk = await openWalk(policies)
    const answer = await walk.ask('GET', '/maybe/1')
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, `Bearer realm="sallyport", resource_metadata="${url}"`])
  })

  test.each([
    ['dpop', `DPoP realm="sallyport", ${algs}`],
    ['any', `Bearer realm="sallyport" | DPoP realm="sallyport", ${algs}`],
    ['certificate', 'Bearer realm="sallyport"'],
  ])('name the schemes that the issuers of the route take: %s', async (proof, expected) => {
    const walk = await openWalk(required(proof))
    for (const path of ['/bound/1', '/optional/1']) expect((await walk.ask('GET', path)).headers['www-authenticate']).toBe(expected)
    const both = proof === 'certificate' ? expected : `Bearer realm="sallyport" | DPoP realm="sallyport", ${algs}`
    expect((await walk.ask('GET', '/both/1')).headers['www-authenticate']).toBe(both)
  })

  test.each([
    ['dpop', `DPoP realm="sallyport", error="invalid_token", error_description="the access token is not valid", ${algs}`],
    ['any', 'Bearer realm="sallyport", error="invalid_token", error_description="the access token is not valid"'],
  ])('for a bad token name a scheme that the route takes: %s', async (proof, expected) => {
    const walk = await openWalk(required(proof))
    for (const scheme of ['Bearer', 'DPoP']) {
      const answer = await walk.ask('GET', '/bound/1', { authorization: `${scheme} nonsense` })
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, expected])
    }
  })

  test('of a service pass as they are', async () => {
    const walk = await openWalk(policies)
    walk.answers.next = () => [['www-authenticate', 'Bearer realm="theirs"']]
    const answer = await walk.ask('GET', '/maybe/1', { authorization: `Bearer ${await walk.issuers.main.token({ scope: 'orders:write' })}` })
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="theirs"')
  })
})

describe('the metadata of a resource', () => {
  test('says what its routes ask', async () => {
    const walk = await openWalk(policies)
    const answer = await walk.ask('GET', '/.well-known/oauth-protected-resource/shop')
    expect([answer.status, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([200, 'application/json', 'public, max-age=300'])
    expect(JSON.parse(answer.text)).toEqual({
      resource: 'https://api.example.com/shop',
      authorization_servers: ['https://idp.example.com'],
      scopes_supported: ['orders:read', 'orders:write'],
      bearer_methods_supported: ['header'],
      resource_name: 'Shop',
      resource_documentation: 'https://docs.example.com/shop',
      tls_client_certificate_bound_access_tokens: false,
      dpop_signing_alg_values_supported: expect.arrayContaining(['ES256']),
      dpop_bound_access_tokens_required: false,
    })
  })

  test('stands under its own host and path alone, for GET and HEAD', async () => {
    const walk = await openWalk(policies)
    const path = '/.well-known/oauth-protected-resource/shop'
    expect((await walk.ask('GET', path, { host: 'other.example.com' })).status).toBe(404)
    expect((await walk.ask('GET', '/.well-known/oauth-protected-resource')).status).toBe(404)
    expect(await walk.ask('HEAD', path)).toMatchObject({ status: 200, text: '' })
    expect(await walk.ask('DELETE', path)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
    const whole = await openWalk(policies.replace('https://api.example.com/shop', 'https://api.example.com/'))
    expect((await whole.ask('GET', '/.well-known/oauth-protected-resource')).status).toBe(200)
  })
})
