import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { decodeProtectedHeader } from 'jose'
import { beforeAll, expect, it, vi } from 'vitest'
import { http1 } from '../../support/clients.ts'
import { type Served, startServe } from '../../support/command.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { someToken, underKeyId } from '../../support/oauth.ts'
import { type IdentityProvider, startProviders } from '../../support/provider.ts'
import { house, openHttp } from '../../support/shop.ts'

const keep = untilTheEnd()
let calm: IdentityProvider
let flooded: IdentityProvider
let gateway: Served

const issuer = (idp: IdentityProvider) => `{ issuer: "${idp.url}", audiences: [https://api.example.com], algorithms: [ES256] }`
const policies = (web: number) => `${house}
issuers:
  calm: ${issuer(calm)}
  flooded: ${issuer(flooded)}
clusters:
  web: { address: "127.0.0.1:${web}" }
access:
  calm: { authenticate: { jwt: calm }, rules: [{ id: read, allow: { scopes: [orders:read] } }] }
  flooded: { authenticate: { jwt: flooded }, rules: [{ id: read, allow: { scopes: [orders:read] } }] }
routes:
  calm: { match: { path: /calm }, access: calm, to: web }
  flooded: { match: { path: /flooded }, access: flooded, to: web }
`

beforeAll(async () => {
  const [providers, web] = await Promise.all([startProviders(keep), openHttp(keep, (_, response) => response.end('web'))])
  calm = await providers.open()
  flooded = await providers.open()
  gateway = await startServe(keep, { 'policies.yaml': policies(web) }, 'dev', { words: ['--lame-duck', '0s'] })
})

const statusOf = async (path: string, token: string): Promise<number> =>
  (await http1(gateway.port('public'), { path: `/${path}`, headers: [['authorization', `Bearer ${token}`]] })).status

const fetchesOf = async (idp: IdentityProvider): Promise<number> => (await idp.hits()).paths['/jwks'] ?? 0

it('a new key is taken at the first token that names it, by one fetch', async () => {
  const old = await someToken(calm)
  expect(await statusOf('calm', old)).toBe(200)
  const before = await fetchesOf(calm)
  const kid = await calm.rotate()
  const tokens = await Promise.all(Array.from({ length: 20 }, () => someToken(calm)))
  expect(decodeProtectedHeader(tokens[0] ?? '').kid).toBe(kid)
  const statuses = await Promise.all(tokens.map((token) => statusOf('calm', token)))
  expect(statuses).toEqual(tokens.map(() => 200))
  expect((await fetchesOf(calm)) - before).toBe(1)
  expect(await statusOf('calm', old)).toBe(200)
})

it('a key that its issuer took back is refused once the set was read again, remembered tokens included', async () => {
  const old = await someToken(flooded)
  expect(await statusOf('flooded', old)).toBe(200)
  await flooded.rotate({ alone: true })
  expect(await statusOf('flooded', await someToken(flooded))).toBe(200)
  expect(await statusOf('flooded', old)).toBe(401)
})

it('10,000 random key ids cost at most one fetch in ten seconds, disturb nobody, and do not keep a new key out', { timeout: 60_000 }, async () => {
  const good = await Promise.all(Array.from({ length: 10 }, () => someToken(flooded)))
  const model = good[0] ?? ''
  const before = await fetchesOf(flooded)
  const started = performance.now()
  const floods = Promise.all(
    Array.from({ length: 4 }, () =>
      flood(
        '/flooded',
        Array.from({ length: 2500 }, () => underKeyId(model, randomUUID())),
      ),
    ),
  )
  for (const token of good) expect(await statusOf('flooded', token)).toBe(200)
  expect(await statusOf('calm', await someToken(calm))).toBe(200)
  expect((await floods).reduce((sum, refused) => sum + refused)).toBe(10_000)

  await flooded.rotate()
  const fresh = await someToken(flooded)
  await vi.waitFor(async () => expect(await statusOf('flooded', fresh)).toBe(200), { timeout: 15_000, interval: 100 })
  const seconds = (performance.now() - started) / 1000
  expect((await fetchesOf(flooded)) - before).toBeLessThanOrEqual(1 + Math.floor(seconds / 10))
})

/** Sends a request with each token over one connection, fifty at a time. Returns how many were refused with 401. */
async function flood(target: string, tokens: readonly string[]): Promise<number> {
  const socket = connect(gateway.port('public'), '127.0.0.1').setEncoding('latin1')
  keep(() => void socket.destroy())
  const head = `GET ${target} HTTP/1.1\r\nhost: api.example.com\r\nauthorization: Bearer `
  let heard = ''
  let refused = 0
  for (let at = 0; at < tokens.length; at += 50) {
    const batch = tokens.slice(at, at + 50)
    socket.write(batch.map((token) => `${head}${token}\r\n\r\n`).join(''))
    heard = ''
    while ((heard.match(/HTTP\/1\.1 \d{3} /g)?.length ?? 0) < batch.length) {
      const [part] = (await once(socket, 'data')) as [string]
      heard += part
    }
    refused += heard.split('HTTP/1.1 401 ').length - 1
  }
  return refused
}
