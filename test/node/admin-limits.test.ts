import { describe, expect, it } from 'vitest'
import { buildAdminApp } from '../../src/node/admin.ts'
import type { LimitBook } from '../../src/node/counters.ts'
import type { GatewayView } from '../../src/node/gateway-view.ts'
import { fakeLimitRoutes } from '../support/limit-routes.ts'
import { clean, loadBeside } from '../support/load.ts'
import { noSwitches } from '../support/no-switches.ts'

const text = `issuers:
  main: { issuer: "https://idp.example.com", audiences: [api] }
clusters:
  orders: { address: "127.0.0.1:15001" }
access:
  orders: { authenticate: { jwt: main }, rules: [{ id: read, allow: { methods: [GET] } }] }
limits:
  per-caller: { rate: 3/1m, key: [issuer, subject] }
  burst: { rate: 9/1m, key: [issuer, subject], mode: audit }
  flood: { rate: 10/1m, algorithm: gcra, burst: 2, key: [client.network] }
routes:
  orders: { match: { path: "/orders/{**}" }, access: orders, to: orders, limits: [per-caller, burst, flood] }
`
const key = 'issuer=main subject=u1'

async function openApp(book?: Partial<LimitBook>) {
  const policy = clean(await loadBeside(text))
  const limits = fakeLimitRoutes()
  const view = () => ({ snapshot: { revision: policy.revision, policy } }) as unknown as GatewayView // what these routes look at
  const given = { ...limits, book: { ...limits.book, ...book } }
  const app = buildAdminApp(view, () => '', {
    loopback: true,
    forgetIntrospections: async () => {},
    rearmGuard: async () => false,
    switches: noSwitches,
    limits: given,
  })
  const take = (times: number, name = 'per-caller') => {
    const limit = policy.limits[name]
    if (limit === undefined) throw new Error(`no limit ${name}`)
    for (let i = 0; i < times; i++) void limits.book.take([{ limit, key: '4:main2:u1', cost: 1 }])
  }
  const show = (query: string) => app.request(`/limits?${query}`, { headers: { host: 'localhost' } })
  const post = (body: string, headers: Record<string, string> = {}) =>
    app.request(
      '/limits/reset',
      { method: 'POST', headers: { host: 'localhost', 'content-type': 'application/json', ...headers }, body },
      { incoming: { socket: { remoteAddress: '::ffff:127.0.0.9' } } },
    )
  const reset = (body: unknown, headers?: Record<string, string>) => post(JSON.stringify(body), headers)
  return { ...limits, take, show, post, reset }
}

const problemOf = async (answer: Response) => {
  const { code, detail } = (await answer.json()) as { readonly code: string; readonly detail: string }
  return [answer.status, code, detail] as const
}

describe('GET /limits', () => {
  it('says how every limit with such a key stands, in one text or in words, and takes nothing', async () => {
    const { show, take } = await openApp()
    take(4)
    const expected = {
      limits: [
        { limit: 'per-caller', key, mode: 'enforce', quota: 3, remaining: 0, state: 'over', resetMs: 60_000 },
        { limit: 'burst', key, mode: 'audit', quota: 9, remaining: 9, state: 'within', resetMs: 0 },
      ],
    }
    for (const query of ['key=issuer%3Dmain+subject%3Du1', 'key=subject%3Du1&key=issuer%3Dmain']) {
      const answer = await show(query)
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store'])
      expect(await answer.json()).toEqual(expected)
    }
    expect(await (await show('limit=burst&key=issuer%3Dmain+subject%3Du1')).json()).toEqual({ limits: [expected.limits[1]] })
  })

  it.each([
    ['', 'say which key'],
    ['key=subject%3Du1', 'no limit has such a key; there are: per-caller (issuer=… subject=…)'],
    ['key=issuer%3Dother+subject%3Du1', 'there is no issuer "other": main'],
    ['key=client.network%3D10.0.0.0/8', '/32'],
    ['key=issuer%3Dmain+subject%3Du1&limit=perr', 'there is no limit "perr"'],
    ['key=issuer%3Dmain+subject%3Du1&limit=burst&limit=burst', 'limit is given twice'],
    ['key=issuer%3Dmain+subject%3Du1&limits=burst', 'there is no parameter "limits"'],
  ])('refuses %j', async (query, problem) => {
    const { show } = await openApp()
    expect(await problemOf(await show(query))).toEqual([400, 'request_invalid', expect.stringContaining(problem)])
  })

  it('says so when nobody answers where the limits are counted', async () => {
    const { show } = await openApp({ look: () => Promise.reject(new Error('the store sleeps')) })
    expect(await problemOf(await show('key=client.network%3D::1'))).toEqual([503, 'limiter_unavailable', expect.stringContaining('the store sleeps')])
  })
})

describe('POST /limits/reset', () => {
  it('gives one limit back what the key used, and writes down who did it; what it answers is the record', async () => {
    const { reset, show, take, records } = await openApp()
    take(4)
    take(2, 'burst')
    const answer = await reset({ limit: 'per-caller', key, by: 'ada', reason: 'load test' })
    const record = {
      time: '2026-01-01T00:00:00.000Z',
      event: 'limit_reset',
      by: 'ada',
      reason: 'load test',
      peer: '127.0.0.9',
      limit: 'per-caller',
      key,
      found: true,
      quota: 3,
      remaining_before: 0,
      remaining: 3,
    }
    expect([answer.status, await answer.json()]).toEqual([200, record])
    expect(records).toEqual([record])
    expect(await (await show('key=issuer%3Dmain+subject%3Du1')).json()).toMatchObject({ limits: [{ remaining: 3 }, { remaining: 7 }] })
    expect(await (await reset({ limit: 'per-caller', key: ['subject=u1', 'issuer=main'], by: 'ada' })).json()).toMatchObject({
      found: false,
      remaining_before: 3,
    })
    expect(records).toHaveLength(2)
  })

  it.each([
    ['a page of another origin', { origin: 'https://evil.example' }, 403],
    ['any page', { 'sec-fetch-site': 'same-origin' }, 403],
    ['a host name that is not its own', { host: 'evil.example' }, 403],
    ['a form', { 'content-type': 'text/plain' }, 415],
  ])('refuses %s', async (_, headers, status) => {
    const { reset, records, take, show } = await openApp()
    take(3)
    expect((await reset({ limit: 'per-caller', key, by: 'ada' }, headers)).status).toBe(status)
    expect(await (await show('limit=per-caller&key=issuer%3Dmain+subject%3Du1')).json()).toMatchObject({ limits: [{ remaining: 0 }] })
    expect(records).toEqual([])
  })

  it.each([
    ['no JSON', '{', 'the body is not JSON'],
    ['no object', '[]', 'expected object'],
    ['nobody', JSON.stringify({ limit: 'per-caller', key }), 'by:'],
    ['an empty name', JSON.stringify({ limit: 'per-caller', key, by: '' }), 'by: is empty'],
    ['two lines', JSON.stringify({ limit: 'per-caller', key, by: 'ada\nbob' }), 'by: is not one line of text'],
    ['a long reason', JSON.stringify({ limit: 'per-caller', key, by: 'ada', reason: 'x'.repeat(201) }), 'reason: is longer than 200 characters'],
    ['no limit', JSON.stringify({ key, by: 'ada' }), 'limit:'],
    ['no words', JSON.stringify({ limit: 'per-caller', key: [], by: 'ada' }), 'key'],
    ['a number as key', JSON.stringify({ limit: 'per-caller', key: 1, by: 'ada' }), 'key'],
    ['another member', JSON.stringify({ limit: 'per-caller', key, by: 'ada', force: true }), 'force'],
    ['an unknown limit', JSON.stringify({ limit: 'gone', key, by: 'ada' }), 'there is no limit "gone"'],
    ['a key of another limit', JSON.stringify({ limit: 'flood', key, by: 'ada' }), 'no limit has such a key; there are: flood'],
  ])('refuses %s, and says what is wrong', async (_, body, problem) => {
    const { post, records } = await openApp()
    expect(await problemOf(await post(body))).toEqual([400, 'request_invalid', expect.stringContaining(problem)])
    expect(records).toEqual([])
  })

  it('refuses a body that no key is as long as', async () => {
    const { post } = await openApp()
    expect((await post(JSON.stringify({ limit: 'x'.repeat(16_384) }))).status).toBe(413)
  })

  it('writes down a reset of which nobody knows what became', async () => {
    const { reset, records } = await openApp({ forget: () => Promise.reject(new Error('no answer within 20 ms')) })
    expect(await problemOf(await reset({ limit: 'per-caller', key, by: 'ada' }))).toEqual([503, 'limiter_unavailable', expect.stringContaining('no answer')])
    expect(records).toMatchObject([{ event: 'limit_reset', by: 'ada', failed: 'no answer within 20 ms', remaining_before: 3 }])
    expect(records[0]).not.toHaveProperty('found')
  })
})
