import { describe, expect, it, onTestFinished } from 'vitest'
import { revoke } from '../../src/node/cli/commands/revoke.ts'
import { base } from '../support/load.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask as askCommand } from './ask.ts'

const policies = `sallyport: v1
store: { redis: env:NO_SUCH_VARIABLE }
issuers:
  main: { issuer: "https://idp.example.com", audiences: [api], maxLifetime: 1h, clockSkew: 10s, revocation: { refresh: 2s } }
  other: { issuer: "https://other.example.com", audiences: [api] }
clusters:
  orders: { address: "127.0.0.1:15001" }
access:
  orders: { authenticate: { anyOf: [{ jwt: main }, { jwt: other }] }, rules: [{ id: read, allow: { methods: [GET] } }] }
routes:
  orders: { match: { path: "/orders/{**}" }, access: orders, to: orders }
`

async function house(url: string) {
  const { path } = await tempFolder({ 'base.yaml': base, 'orders.yaml': policies })
  return (...words: readonly string[]) => askCommand(revoke, ...words, '--env', 'dev', '--policies', path, '--redis', url)
}

describe.skipIf(!hasRedis())('sallyport revoke', () => {
  it('takes back tokens by id, subject and client, and lists what it took', async () => {
    const server = await startRedis()
    onTestFinished(() => server.close())
    const ask = await house(server.url)
    expect((await ask('--list')).out).toBe('nothing of main is taken back\n')
    const done = await ask('--jti', 'a', '--subject', 'ada', '--client', 'app', '--before', '2026-01-01')
    expect(done).toMatchObject({ status: 0, err: '' })
    expect(done.out).toContain('gateways see it within 2 s')
    const { revocations } = JSON.parse((await ask('--issuer', 'main', '--list', '--json')).out)
    expect(revocations).toMatchObject([
      { kind: 'jti', value: 'a' },
      { kind: 'subject', value: 'ada', before: '2026-01-01T00:00:00Z' },
      { kind: 'client', value: 'app', before: '2026-01-01T00:00:00Z' },
    ])
    const left = (Date.parse(revocations[0].until) - Date.now()) / 1000
    expect(left).toBeGreaterThan(3600)
    expect(left).toBeLessThan(3625)
    const ttl = await server.admin.pttl('sallyport:identify.revocations:main')
    expect(ttl).toBeGreaterThan(3_600_000)
    expect(ttl).toBeLessThan(3_625_000)
  })

  it('fails when the store is away', async () => {
    const server = await startRedis()
    const ask = await house(server.url)
    await server.close()
    expect(await ask('--jti', 'a')).toMatchObject({ status: 1, out: '', err: expect.stringContaining('not connected') })
  }, 20_000)
})

it.each([
  [[], 'say what'],
  [['--list', '--jti', 'a'], 'say what'],
  [['--jti', ''], 'empty'],
  [['--jti', 'a', '--issuer', 'other'], '--issuer main'],
  [['--jti', 'a', '--before', '2026-01-01'], '--before goes with'],
  [['--subject', 'a', '--expires', '1h'], '--expires goes with'],
  [['--subject', 'a', '--before', '1h'], 'in the future'],
  [['--jti', 'a', '--expires', '2020-01-01'], '--expires is over'],
])('sallyport revoke %j is refused', async (words, message) => {
  const ask = await house('redis://127.0.0.1:1')
  await expect(ask(...words)).rejects.toThrow(message)
})
