import { createServer } from 'node:http'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Command } from '../../src/node/cli/command.ts'
import { keysCreate } from '../../src/node/cli/commands/keys-create.ts'
import { keysRevoke } from '../../src/node/cli/commands/keys-revoke.ts'
import { revoke } from '../../src/node/cli/commands/revoke.ts'
import { ask as askCommand } from '../cli/ask.ts'
import { http1 } from '../support/clients.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { type IssuerDouble, issuerDouble } from '../support/issuer.ts'
import { hasRedis, type RedisServer, redisHint, startRedis } from '../support/redis.ts'
import { house, openHttp } from '../support/shop.ts'
import { tempFolder } from '../support/temp-folder.ts'

const installed = hasRedis()

const policies = (web: number, idp: string, file: string) => `sallyport: v1
store: { redis: "file:${file}.redis" }
issuers:
  main: { issuer: "${idp}", audiences: ["https://api.example.com"], revocation: { refresh: 200ms, staleFor: 2s } }
apiKeys:
  partners: { store: redis, refresh: 200ms, staleFor: 2s }
  tools: { store: "file:${file}", header: x-tool, refresh: 200ms }
clusters:
  web: { address: "127.0.0.1:${web}" }
limits:
  each: { rate: 2/1h, key: [apiKey] }
access:
  all:
    authenticate: { anyOf: [{ apiKey: partners }, { apiKey: tools }, { jwt: main }] }
    rules: [{ id: read, allow: { scopes: [read] } }]
routes:
  web: { match: { path: /web }, access: all, to: web }
  counted: { match: { path: /counted }, access: all, limits: [each], to: web }
  open: { match: { path: /open }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: web }
`

describe.skipIf(!installed)(`API keys and revocations on two gateways${installed ? '' : ` (${redisHint})`}`, () => {
  let redis: RedisServer
  let gateways: readonly Gateway[]
  let idp: IssuerDouble
  let seen: (readonly string[])[]

  beforeEach(async () => {
    redis = await startRedis()
    onTestFinished(() => redis.close())
    idp = await openIssuer()
    seen = []
    const web = await openHttp(onTestFinished, (request, response) => {
      seen.push(request.rawHeaders)
      response.end('web')
    })
    const { path, write } = await tempFolder({ 'tools.json.redis': redis.url })
    await write('tools.json', '{ "sallyport": "api-keys/v1", "keys": [] }')
    const files = { 'house.yaml': house, 'web.yaml': policies(web, idp.url, join(path, 'tools.json')) }
    gateways = [await openGateway(onTestFinished, files), await openGateway(onTestFinished, files)]
  })

  const ask = (headers: readonly (readonly [string, string])[], path = '/web', gateway = gateways[0]) => http1(gateway?.port('public') ?? 0, { path, headers })
  const statuses = async (headers: readonly (readonly [string, string])[]) =>
    Promise.all(gateways.map(async (gateway) => (await ask(headers, '/web', gateway)).status))
  const command = async (one: Command, ...words: readonly string[]) =>
    JSON.parse((await askCommand(one, ...words, '--env', 'dev', '--policies', gateways[0]?.policies.path ?? '', '--json')).out)
  const soon = (holds: () => Promise<void>) => vi.waitFor(holds, { timeout: 10_000, interval: 20 })

  it.each([
    ['partners', 'x-api-key'],
    ['tools', 'x-tool'],
  ])('a key of %s is taken by both until it is revoked, and reaches no upstream', async (set, header) => {
    const { key, id } = await command(keysCreate, '--set', set, '--owner', 'acme', '--scopes', 'read')
    await soon(async () => expect(await statuses([[header, key]])).toEqual([200, 200]))
    expect((await ask([[header, key]], '/open')).status).toBe(200)
    expect(JSON.stringify(seen)).not.toContain(key)
    expect(await statuses([])).toEqual([401, 401])
    await command(keysRevoke, id, '--set', set)
    await soon(async () => expect(await statuses([[header, key]])).toEqual([401, 401]))
    const answer = await ask([[header, key]])
    expect(answer.headers['www-authenticate']).toBe('ApiKey realm="sallyport"')
    const record = await gateways[0]?.entry((entry) => entry['id'] === answer.headers['x-request-id'])
    expect(record).toMatchObject({ refusal: { code: 'api_key_invalid', reason: `the key ${id} is revoked` } })
    for (const gateway of gateways) expect(JSON.stringify(gateway.journal)).not.toContain(key)
  })

  it('a key has limits of its own, and the record has its id', async () => {
    const [one, other] = [
      await command(keysCreate, '--set', 'partners', '--owner', 'a', '--scopes', 'read'),
      await command(keysCreate, '--set', 'partners', '--owner', 'a', '--scopes', 'read'),
    ]
    const counted = async (key: string) => (await ask([['x-api-key', key]], '/counted')).status
    expect([await counted(one.key), await counted(one.key), await counted(one.key), await counted(other.key)]).toEqual([200, 200, 429, 200])
    const record = await gateways[0]?.entry((entry) => entry['route'] === 'counted')
    expect(record).toMatchObject({ principal: { kind: 'subject', issuer: 'partners', subject: 'a', key_id: one.id } })
  })

  it('a token that is taken back is refused by both, though they remember it', async () => {
    const bearer = async (claims: Readonly<Record<string, unknown>>) => [['authorization', `Bearer ${await idp.token({ scope: 'read', ...claims })}`]] as const
    const [bad, good] = [await bearer({ jti: 'bad' }), await bearer({ jti: 'good' })]
    expect(await statuses(bad)).toEqual([200, 200])
    expect(await command(revoke, '--jti', 'bad')).toMatchObject({ issuer: 'main', seenWithinMs: 200 })
    await soon(async () => expect(await statuses(bad)).toEqual([401, 401]))
    expect(await statuses(good)).toEqual([200, 200])
  })

  it('nothing passes unseen when Redis is away for longer than what is known may go on', async () => {
    const { key } = await command(keysCreate, '--set', 'partners', '--owner', 'acme', '--scopes', 'read')
    const bearer = [['authorization', `Bearer ${await idp.token({ scope: 'read' })}`]] as const
    expect([await statuses([['x-api-key', key]]), await statuses(bearer)]).toEqual([
      [200, 200],
      [200, 200],
    ])
    await redis.kill()
    await soon(async () => expect([...(await statuses([['x-api-key', key]])), ...(await statuses(bearer))]).toEqual([503, 503, 503, 503]))
    const codes = gateways.flatMap(({ journal }) => journal.map((entry) => (entry['refusal'] as { readonly code: string } | undefined)?.code))
    expect(new Set(codes.filter((code) => code !== undefined))).toEqual(new Set(['key_store_unavailable', 'revocations_unavailable']))
  })
})

/** An issuer on loopback, as the gateways need one to fetch from. */
async function openIssuer(): Promise<IssuerDouble> {
  let idp: IssuerDouble | undefined
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(request.url === '/jwks' ? idp?.jwks() : idp?.metadata())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  idp = await issuerDouble(() => Date.now(), `http://127.0.0.1:${address.port}`)
  return idp
}
