import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { privateKey } from '../hand-on/walk.ts'
import { openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, issuerSection, openHttp, openIssuer, openOrders, shopDescriptors } from '../support/shop.ts'
import { tempFolder } from '../support/temp-folder.ts'

const keep = untilTheEnd()

test('services verify the tokens they get, over HTTP and gRPC, with the keys of the admin listener, across a rotation by reload', {
  timeout: 30_000,
}, async () => {
  const issuer = await openIssuer(keep)
  const orders = await openOrders(keep)
  const keys = await tempFolder({ 'a.jwk': (await privateKey()).jwk, 'b.pem': (await privateKey()).pem })
  const gate: { verify: (token: string) => Promise<unknown> } = { verify: () => Promise.reject(new Error('not ready')) }
  const web = await openHttp(keep, (incoming, response) => {
    const token = (incoming.headers.authorization ?? '').replace('Bearer ', '')
    gate.verify(token).then(
      () => response.end(JSON.stringify(decodeProtectedHeader(token))),
      (error: unknown) => response.writeHead(418).end(String(error)),
    )
  })
  const policies = (list: string) => `${house}
tokens:
  internal: { issuer: https://gateway.example.com, keys: [${list}], scopes: all, activateAfter: 0s }
${issuerSection(issuer)}
access:
  all: { authenticate: { jwt: shop }, rules: [{ id: all, allow: { scopes: [orders:read] } }] }
clusters:
  web: { address: "127.0.0.1:${web}" }
  orders: { protocol: grpc, address: "127.0.0.1:${orders.port}", descriptors: shop.binpb }
routes:
  web: { match: { path: "/web/{**}" }, access: all, to: web, handOn: { minted: internal } }
  orders: { match: { grpc: shop.v1.Orders }, access: all, to: orders, handOn: { minted: internal } }
`
  const [a, b] = ['a.jwk', 'b.pem'].map((name) => `file:${keys.path}/${name}`)
  const gateway = await openGateway(keep, { 'all.yaml': policies(`${a}`), 'shop.binpb': shopDescriptors })
  const set = createRemoteJWKSet(new URL(`http://127.0.0.1:${gateway.port('admin')}/.well-known/jwks.json`), { cooldownDuration: 0 })
  const verify = (audience: string) => (token: string) =>
    jwtVerify(token, set, { issuer: 'https://gateway.example.com', audience, subject: 'shop:alice', typ: 'at+jwt' })
  gate.verify = verify('web')

  const outer = await issuer.mint('alice', { scope: 'orders:read' })
  const ask = async (path: string) => {
    const { statusCode, body } = await request(`http://127.0.0.1:${gateway.port('public')}${path}`, { headers: { authorization: `Bearer ${outer}` } })
    return { status: statusCode, text: await body.text() }
  }
  const first = await ask('/web/1')
  expect(first.status, first.text).toBe(200)

  await ask('/v1/orders/7')
  const call = await orders.call(0)
  expect(call.metadata['authorization']).toMatch(/^Bearer /)
  expect(JSON.stringify(call.metadata)).not.toContain(outer)
  await expect(verify('orders')((call.metadata['authorization'] ?? '').replace('Bearer ', ''))).resolves.toBeDefined()

  // Another subject's token would be signed anew; this one's is not used again once the policies sign in another way.
  await gateway.policies.write('all.yaml', policies(`${b}, ${a}`).replace('scopes: all', 'scopes: all, lifetime: 61s'))
  expect(await gateway.running.reload()).toMatchObject({ outcome: 'published' })
  const second = await ask('/web/1')
  expect(second.status, second.text).toBe(200)
  expect(JSON.parse(second.text).kid).not.toBe(JSON.parse(first.text).kid)
  const published = JSON.parse(await gateway.admin('/.well-known/jwks.json')) as { readonly keys: readonly { readonly kid: string }[] }
  expect(new Set(published.keys.map(({ kid }) => kid))).toEqual(new Set([JSON.parse(first.text).kid, JSON.parse(second.text).kid]))
  // Nothing was published on the public listener.
  expect((await ask('/.well-known/jwks.json')).status).toBe(404)
})
