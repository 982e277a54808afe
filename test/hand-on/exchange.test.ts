import { describe, expect, test, vi } from 'vitest'
import type { FetchRequest } from '../../src/core/ports.ts'
import { openWalk } from './walk.ts'

const url = 'https://sts.example.com/token'

const policies = `
exchanges:
  mesh: { tokenUrl: "${url}", clientId: gateway, clientSecret: env:STS, audience: orders, resource: "https://orders.internal", scope: [orders:read] }
access:
  staff: { authenticate: { jwt: main }, rules: [{ id: all, allow: { scopes: [orders:read] } }] }
  open: { authenticate: none, rules: [{ id: all, allow: { anonymous: true } }] }
routes:
  web: { match: { path: "/web/{**}" }, access: staff, to: web, handOn: { exchange: mesh } }
  open: { match: { path: "/open/{**}" }, access: open, to: web, handOn: { exchange: mesh } }
`

async function openExchange() {
  const walk = await openWalk(policies)
  walk.secrets.on('env:STS', 'sts-secret')
  let made = 0
  const answer = { now: (): { status?: number; json: unknown } => ({ json: token(`inner-${++made}`) }) }
  walk.fetch.on(url, () => {
    const { status = 200, json } = answer.now()
    return { status, headers: { 'content-type': 'application/json' }, text: JSON.stringify(json) }
  })
  const asked = (): readonly FetchRequest[] => walk.fetch.requests.filter((request) => request.url === url)
  const ask = (outer: string, path = '/web/1') => walk.ask('GET', path, { authorization: `Bearer ${outer}` })
  return { ...walk, answer, asked, ask, token: walk.issuers.main.token }
}

function token(value: string, more: Readonly<Record<string, unknown>> = {}) {
  return {
    access_token: value,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 600,
    ...more,
  }
}

describe('a token exchange', () => {
  test("gives the upstream a token in place of the downstream's, asked for as RFC 8693 says", async () => {
    const walk = await openExchange()
    const outer = await walk.token()
    expect((await walk.ask(outer)).status).toBe(200)
    expect(walk.last()['authorization']).toBe('Bearer inner-1')
    const [request] = walk.asked()
    expect(request?.headers['authorization']).toBe(`Basic ${Buffer.from('gateway:sts%2Dsecret').toString('base64')}`)
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: outer,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: 'orders',
      resource: 'https://orders.internal',
      scope: 'orders:read',
    })
  })

  test('is asked for once by many requests of one token, and again by another token', async () => {
    const walk = await openExchange()
    const outer = await walk.token()
    await Promise.all(Array.from({ length: 20 }, () => walk.ask(outer)))
    expect(walk.asked()).toHaveLength(1)
    await walk.ask(await walk.token({ sub: 'u2' }))
    expect([walk.asked().length, walk.last()['authorization']]).toEqual([2, 'Bearer inner-2'])
  })

  test('never outlives the token that it was given for', async () => {
    const walk = await openExchange()
    const end = Math.floor(walk.clock.now() / 1000) + 100
    const outer = await walk.token({ exp: end })
    await walk.ask(outer)
    walk.clock.advance(79_000)
    await walk.ask(outer)
    expect(walk.asked()).toHaveLength(1)
    walk.clock.advance(19_000)
    await walk.ask(outer)
    expect(walk.asked()).toHaveLength(2)
  })

  test.each([
    ['the endpoint refuses', { status: 400, json: { error: 'invalid_target' } }],
    ['the endpoint is in trouble', { status: 500, json: {} }],
    ['the answer is no token', { json: { token_type: 'Bearer' } }],
    ['the token is of another type', { json: token('x', { token_type: 'N_A' }) }],
  ])('is 503 and nothing reaches the upstream when %s', async (_, answer) => {
    const walk = await openExchange()
    walk.answer.now = () => answer
    const { status, text, headers } = await walk.ask(await walk.token())
    expect([status, JSON.parse(text).code, headers['retry-after']]).toEqual([503, 'credential_unavailable', '1'])
    expect(walk.calls).toEqual([])
  })

  test('leaves an endpoint that is in trouble alone, whoever asks, and comes back to it', async () => {
    const walk = await openExchange()
    const fine = walk.answer.now
    walk.answer.now = () => ({ status: 503, json: {} })
    for (let i = 0; i < 5; i++) expect((await walk.ask(await walk.token({ sub: `u${i}` }))).status).toBe(503)
    expect(walk.asked()).toHaveLength(1)
    walk.answer.now = fine
    walk.clock.advance(1_100)
    expect((await walk.ask(await walk.token({ sub: 'u9' }))).status).toBe(200)
  })

  test('that is slow holds a request no longer than its route allows, and is shared by the next', async () => {
    const walk = await openExchange()
    await walk.load(policies.replace('to: web, handOn', 'to: web, timeout: 2s, handOn'))
    let answer: (value: { text: string; headers: Record<string, string> }) => void = () => {}
    const slow = new Promise<{ text: string; headers: Record<string, string> }>((resolve) => {
      answer = resolve
    })
    walk.fetch.on(url, () => slow)
    const outer = await walk.token()
    const first = walk.ask(outer)
    await vi.waitFor(() => expect(walk.asked()).toHaveLength(1), { interval: 1 })
    walk.clock.advance(2_000)
    const { status, text } = await first
    expect([status, JSON.parse(text).code]).toEqual([504, 'deadline_exceeded'])
    expect(walk.calls).toEqual([])
    const second = walk.ask(outer)
    answer({ headers: { 'content-type': 'application/json' }, text: JSON.stringify(token('inner')) })
    expect((await second).status).toBe(200)
    expect(walk.asked()).toHaveLength(1)
  })

  test('refused for one token is not refused for others', async () => {
    const walk = await openExchange()
    const fine = walk.answer.now
    walk.answer.now = () => ({ status: 400, json: { error: 'invalid_grant' } })
    expect((await walk.ask(await walk.token({ sub: 'u1' }))).status).toBe(503)
    walk.answer.now = fine
    expect((await walk.ask(await walk.token({ sub: 'u2' }))).status).toBe(200)
  })

  test('is not made of a token that nobody verified', async () => {
    const walk = await openExchange()
    expect((await walk.ask('anything', '/open/1')).status).toBe(200)
    expect(walk.asked()).toEqual([])
    expect(walk.last()['authorization']).toBeUndefined()
  })
})
