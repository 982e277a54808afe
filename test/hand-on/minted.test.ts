import { createRemoteJWKSet, customFetch, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { describe, expect, test, vi } from 'vitest'
import { openWalk, privateKey } from './walk.ts'

const minting = (more = '', keys = 'file:/keys/a') => `
tokens:
  internal: { issuer: https://gateway.example.com, keys: [${keys}], publish: true, scopes: all, claims: { tenant: org.tenant, roles: roles }${more} }
access:
  staff: { authenticate: { anyOf: [{ jwt: main }, { jwt: other }] }, rules: [{ id: all, allow: { scopes: [orders:read] } }] }
  some: { authenticate: { optional: { jwt: main } }, rules: [{ id: all, allow: { anonymous: true } }] }
routes:
  web: { match: { path: "/web/{**}" }, access: staff, to: web, handOn: { minted: internal } }
  shop: { match: { path: "/shop/{**}" }, access: staff, to: shop, handOn: { minted: internal } }
  open: { match: { path: "/open/{**}" }, access: some, to: web, handOn: { minted: internal, header: x-internal-token } }
  plain: { match: { path: "/plain/{**}" }, access: some, to: web }
`

async function openMinting(more = '') {
  const key = await privateKey()
  const walk = await openWalk(minting(more))
  walk.secrets.on('file:/keys/a', key.jwk)
  return walk
}

type Walk = Awaited<ReturnType<typeof openMinting>>

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

function tokenIn(headers: Readonly<Record<string, string>>, name = 'authorization'): string {
  return (headers[name] ?? '').replace(/^Bearer /, '')
}

/** A service that verifies what it gets with the published keys, as jose does it. */
function verifier(walk: Walk, audience = 'web') {
  const keys = createRemoteJWKSet(new URL('https://gateway.example.com/.well-known/jwks.json'), {
    cooldownDuration: 0,
    [customFetch]: async () => {
      const { status, text } = await walk.ask('GET', '/.well-known/jwks.json')
      return new Response(text, { status, headers: { 'content-type': 'application/json' } })
    },
  })
  return (token: string) =>
    jwtVerify(token, keys, { issuer: 'https://gateway.example.com', audience, typ: 'at+jwt', algorithms: ['ES256'], currentDate: new Date(walk.clock.now()) })
}

describe('a minted token', () => {
  test('tells the upstream who asks, for its own cluster, in place of the outer token', async () => {
    const walk = await openMinting()
    const outer = await walk.issuers.main.token({ client_id: 'app', org: { tenant: 'a' }, roles: ['r1'], secret: 'x' })
    expect((await walk.ask('GET', '/web/1', { ...bearer(outer), dpop: 'x' })).status).toBe(200)
    const sent = walk.last()
    expect(sent['dpop']).toBeUndefined()
    expect(JSON.stringify(sent)).not.toContain(outer)
    const { payload } = await verifier(walk)(tokenIn(sent))
    expect(payload).toEqual({
      iss: 'https://gateway.example.com',
      aud: 'web',
      sub: 'main:u1',
      sub_id: { format: 'iss_sub', iss: 'https://idp.example.com', sub: 'u1' },
      client_id: 'app',
      scope: 'orders:read',
      tenant: 'a',
      roles: ['r1'],
      iat: Math.floor(walk.clock.now() / 1000),
      exp: Math.floor(walk.clock.now() / 1000) + 60,
      jti: expect.any(String),
    })
  })

  test('of one cluster is no token of another', async () => {
    const walk = await openMinting()
    await walk.ask('GET', '/shop/1', bearer(await walk.issuers.main.token()))
    await expect(verifier(walk)(tokenIn(walk.last()))).rejects.toThrow('unexpected "aud"')
    await expect(verifier(walk, 'shop')(tokenIn(walk.last()))).resolves.toBeDefined()
  })

  test('keeps the same subject of two issuers apart', async () => {
    const walk = await openMinting()
    const subjects: unknown[] = []
    for (const issuer of [walk.issuers.main, walk.issuers.other]) {
      await walk.ask('GET', '/web/1', bearer(await issuer.token({ sub: 'u1' })))
      subjects.push(decodeJwt(tokenIn(walk.last())).sub)
    }
    expect(subjects).toEqual(['main:u1', 'other:u1'])
  })

  test('is used again for the same subject and audience, made anew in the middle of its life, and never sent in its last quarter', async () => {
    const walk = await openMinting()
    const token = await walk.issuers.main.token()
    const ask = async (wait: number) => {
      walk.clock.advance(wait)
      await walk.ask('GET', '/web/1', bearer(token))
      const { jti, exp } = decodeJwt(tokenIn(walk.last()))
      expect((exp ?? 0) * 1000 - walk.clock.now()).toBeGreaterThanOrEqual(14_000)
      return jti
    }
    const first = await ask(0)
    expect(await ask(29_000)).toBe(first)
    // The old one still serves while the next is made.
    expect(await ask(2_000)).toBe(first)
    const second = await vi.waitFor(async () => {
      const id = await ask(0)
      if (id === first) throw new Error('not made yet')
      return id
    })
    expect(await ask(29_000)).toBe(second)
    expect([first, second]).not.toContain(await ask(60_000))
  })

  test('is another one as soon as what it says is another', async () => {
    const walk = await openMinting()
    await walk.ask('GET', '/web/1', bearer(await walk.issuers.main.token({ org: { tenant: 'a' } })))
    const first = decodeJwt(tokenIn(walk.last()))
    await walk.ask('GET', '/web/1', bearer(await walk.issuers.main.token({ org: { tenant: 'b' } })))
    expect([first['tenant'], decodeJwt(tokenIn(walk.last()))['tenant']]).toEqual(['a', 'b'])
  })

  test('is not made for the anonymous, who cannot bring one of their own in any spelling either', async () => {
    const walk = await openMinting()
    const forged: [string, string][] = [
      'X-Internal-Token',
      'x.internal.token',
      'x~internal`token',
      'grpc-metadata-x-internal-token',
      'grpc-metadata-x.internal.token',
    ].map((name) => [name, 'forged'])
    for (const path of ['/open/1', '/plain/1']) {
      expect(await walk.ask('GET', path, forged)).toMatchObject({ status: 200 })
      expect(JSON.stringify(walk.last())).not.toContain('forged')
    }
  })

  test('stands bare in a header of its own', async () => {
    const walk = await openMinting()
    await walk.ask('GET', '/open/1', bearer(await walk.issuers.main.token()))
    expect(walk.last()['authorization']).toBeUndefined()
    await expect(verifier(walk)(walk.last()['x-internal-token'] ?? '')).resolves.toBeDefined()
  })

  test('that cannot be made refuses the request, and nothing takes its place', async () => {
    const walk = await openWalk(minting())
    const answer = await walk.ask('GET', '/web/1', bearer(await walk.issuers.main.token()))
    expect([answer.status, JSON.parse(answer.text).code, answer.headers['retry-after']]).toEqual([503, 'credential_unavailable', '1'])
    expect(walk.calls).toEqual([])
    const record = walk.journal.find(({ kind }) => kind === 'request')
    expect(JSON.stringify(record)).toContain('file:/keys/a is missing or empty')
  })

  test.each(['ES384', 'EdDSA', 'RS256', 'PS256'])('is signed with %s where the policies say so, from PEM', async (alg) => {
    const walk = await openWalk(minting(`, algorithm: ${alg}`))
    walk.secrets.on('file:/keys/a', (await privateKey(alg)).pem)
    await walk.ask('GET', '/web/1', bearer(await walk.issuers.main.token()))
    expect(decodeProtectedHeader(tokenIn(walk.last())).alg).toBe(alg)
  })
})

describe('a claim in a header', () => {
  test('is said by nobody else, on routes that hand nothing on and to the anonymous too, nor in metadata of a JSON call', async () => {
    const walk = await openWalk(`
access: { open: { authenticate: { optional: { jwt: main } }, rules: [{ id: all, allow: { anonymous: true } }] } }
routes:
  web: { match: { path: "/web/{**}" }, access: open, to: web, handOn: { claims: { x-user: sub, x-groups: groups } } }
  plain: { match: { path: "/plain/{**}" }, access: open, to: web }
  orders: { match: { grpc: shop.v1.Orders }, access: open, to: orders }
`)
    const forged = ['x-user', 'X-USER', 'x.user', 'x~groups', 'grpc-metadata-x-user', 'Grpc-Metadata-X.Groups'].map((name) => [name, 'forged'] as const)
    for (const path of ['/web/1', '/plain/1', '/v1/orders/7']) {
      const before = walk.calls.length
      await walk.ask('GET', path, forged)
      expect([path, walk.calls.length]).toEqual([path, before + 1])
      expect(JSON.stringify(walk.last())).not.toContain('forged')
    }
    await walk.ask('GET', '/web/1', [...forged, ['authorization', `Bearer ${await walk.issuers.main.token({ groups: ['a,b', 'c d', '100%'] })}`]])
    expect([walk.last()['x-user'], walk.last()['x-groups']]).toEqual(['u1', 'a%2Cb,c%20d,100%25'])
  })
})

describe('the published keys', () => {
  test('hold the public half alone, may be kept for half the time in which a new key waits, and are for GET and HEAD', async () => {
    const walk = await openMinting()
    const { status, headers, text } = await walk.ask('GET', '/.well-known/jwks.json', {}, { scheme: 'http' })
    expect([status, headers['cache-control'], headers['content-type']]).toEqual([200, 'public, max-age=300', 'application/json'])
    expect(Object.keys(JSON.parse(text).keys[0]).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    expect((await walk.ask('HEAD', '/.well-known/jwks.json')).text).toBe('')
    expect((await walk.ask('POST', '/.well-known/jwks.json', {}, { body: '' })).status).toBe(405)
  })

  test('are not there unless the policies publish them', async () => {
    const walk = await openWalk(minting().replace('publish: true', 'publish: false'))
    expect((await walk.ask('GET', '/.well-known/jwks.json')).status).toBe(404)
  })
})

describe('a rotation', () => {
  test('in place: the new key is published first and signs when its time has come; the old one stays until its last token is over', async () => {
    const walk = await openMinting()
    const verify = verifier(walk)
    const kid = async () => {
      await walk.ask('GET', '/web/1', bearer(await walk.issuers.main.token({ jti: `${walk.clock.now()}` })))
      const token = tokenIn(walk.last())
      await verify(token)
      return decodeProtectedHeader(token).kid
    }
    const published = async () => (JSON.parse((await walk.ask('GET', '/.well-known/jwks.json')).text) as { keys: { kid: string }[] }).keys.map((one) => one.kid)
    const old = await kid()
    walk.secrets.on('file:/keys/a', (await privateKey()).jwk)
    expect(await published()).toEqual([old])
    walk.clock.advance(11_000)
    const both = await published()
    expect(both).toHaveLength(2)
    for (let minutes = 0; minutes < 9; minutes++) {
      walk.clock.advance(60_000)
      expect(await kid()).toBe(old)
    }
    const lastOld = tokenIn(walk.last())
    walk.clock.advance(61_000)
    const next = await kid()
    expect(both.filter((one) => one !== old)).toEqual([next])
    expect(await published()).toEqual(both)
    await expect(verify(lastOld)).rejects.toThrow('"exp" claim timestamp check failed')
    walk.clock.advance(121_000)
    expect(await kid()).toBe(next)
    expect(await published()).toEqual([next])
  })

  test('by the order of the keys: a reload moves the signing from one to the other, and a service that kept the old set verifies on', async () => {
    const walk = await openMinting()
    const verify = verifier(walk)
    const next = await privateKey()
    walk.secrets.on('file:/keys/b', next.jwk)
    const kids = new Set<unknown>()
    const ask = async () => {
      await walk.ask('GET', '/web/1', bearer(await walk.issuers.main.token({ org: { tenant: `${kids.size}` } })))
      await verify(tokenIn(walk.last()))
      kids.add(decodeProtectedHeader(tokenIn(walk.last())).kid)
    }
    await ask()
    await walk.load(minting('', 'file:/keys/a, file:/keys/b'))
    await ask()
    expect(kids.size).toBe(1)
    await walk.load(minting('', 'file:/keys/b, file:/keys/a'))
    await ask()
    expect(kids.size).toBe(1)
    walk.clock.advance(600_000)
    await ask()
    expect(kids.size).toBe(2)
    await walk.load(minting('', 'file:/keys/b'))
    await ask()
    expect(kids.size).toBe(2)
  })

  test('a reference that cannot be read any more, or holds no key, leaves what it led to in force and is said once', async () => {
    const walk = await openMinting()
    await walk.ask('GET', '/web/1', bearer(await walk.issuers.main.token()))
    walk.secrets.on('file:/keys/a', '')
    for (let i = 0; i < 3; i++) {
      walk.clock.advance(60_000)
      expect((await walk.ask('GET', '/web/1', bearer(await walk.issuers.main.token()))).status).toBe(200)
    }
    expect(walk.journal.filter(({ event }) => event === 'signing_key_unreadable')).toHaveLength(1)
  })
})
