import { describe, expect, it } from 'vitest'
import { buildEgress } from '../../src/core/egress.ts'
import type { EgressTarget } from '../../src/core/model/egress-target.ts'
import { type ArrivalOptions, arrival } from '../support/arrival.ts'
import { bearer, caller, egressPolicy, fakeVendor, linked, live, mockAnswer, oauth2, secretRule, service, textOf } from '../support/egress.ts'
import { fakeFetch, fakePorts, fakeSecrets } from '../support/ports.ts'

const path = '/.sallyport/credentials'
const vend = { callers: ['checkout'] }
const token = oauth2('https://idp.example/token', 'env:CLIENT')
const keys = {
  kind: 'sigv4',
  region: 'eu-central-1',
  service: 's3',
  accessKeyId: secretRule('env:ID'),
  secret: secretRule('env:SECRET'),
  sessionToken: secretRule('env:SESSION'),
  payload: 'signed',
} as const
const asked = { 'x-egress-vend': 'true' }

function house(...targets: readonly EgressTarget[]) {
  let issued = 0
  const fetch = fakeFetch({
    'https://idp.example/token': () => ({ text: `{"access_token":"canary-token-${(issued += 1)}","token_type":"Bearer","expires_in":600}` }),
  })
  const secrets = fakeSecrets({
    'env:CLIENT': 'c',
    'env:ID': 'AKID',
    'env:SECRET': 'canary-secret',
    'env:SESSION': 'canary-session',
    'env:KEY': 'canary-static',
  })
  const ports = fakePorts({ fetch, secrets })
  const vendor = fakeVendor()
  const of = service('pay', { callers: ['billing', 'checkout'], allow: [{ id: 'a', methods: ['GET'], path: '/v1' }] })
  const callers = [
    caller('checkout', { mayChooseEnv: ['test'] }),
    caller('billing', { listener: 'egress:pay' }),
    caller('stranger', { listener: 'egress:other' }),
  ]
  const others = linked(service('other', { callers: ['stranger'] }), live('dev', 'https://b.example'))
  const policy = egressPolicy({ services: [linked(of, ...targets), others], callers })
  const walk = buildEgress(policy, vendor, ports)
  const ask = async (headers: Readonly<Record<string, string | readonly string[]>> = asked, method = 'GET', target = path, options: ArrivalOptions = {}) => {
    const { listener = 'egress', ...rest } = options
    const sent = { Host: 'pay.egress.internal', ...headers }
    const answer = await walk(arrival(method, target, sent, { listener, scheme: 'http', receivedAt: ports.clock.ticks(), ...rest }))
    const text = await textOf(answer.body)
    return { status: answer.status, headers: answer.headers, json: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>) }
  }
  return { ask, ports, vendor, issued: () => issued }
}

describe('a credential that is handed out', () => {
  it('is the token that the gateway itself uses, for as long as it lives, and nobody keeps the answer', async () => {
    const { ask, ports, vendor, issued } = house(live('dev', 'https://a.example', { credential: token, vend }))
    const { status, headers, json } = await ask()
    expect([status, json]).toEqual([200, { access_token: 'canary-token-1', token_type: 'Bearer', expires_in: 595 }])
    expect([headers.get('cache-control'), headers.get('content-type'), headers.get('x-egress-env'), headers.get('x-egress-attempts')]).toEqual([
      'no-store',
      'application/json',
      'dev',
      '0',
    ])
    ports.clock.advance(100_000)
    expect((await ask()).json).toEqual({ access_token: 'canary-token-1', token_type: 'Bearer', expires_in: 495 })
    await ask({}, 'GET', '/v1')
    expect([vendor.calls.map((call) => call.headers.get('authorization')), issued()]).toEqual([['Bearer canary-token-1'], 1])
  })

  it('is recorded and counted, and the record does not hold it', async () => {
    const { ask, ports } = house(live('dev', 'https://a.example', { credential: token, vend }))
    await ask()
    const [record] = ports.journal.records
    expect(record).toMatchObject({
      status: 200,
      permit: { policy: 'pay', rule: 'vend' },
      egress: { service: 'pay', caller: 'checkout', environment: 'dev', vended: 'token' },
    })
    expect(JSON.stringify(record)).not.toContain('canary')
    expect(ports.meter.total('sallyport_egress_vended_total', { service: 'pay', environment: 'dev', caller: 'checkout' })).toBe(1)
  })

  it('are AWS keys as the SDKs read them, asked for by the header that these can send', async () => {
    const { ask } = house(live('dev', 'https://a.example', { credential: keys, vend }))
    expect((await ask({ authorization: 'x-egress-vend' })).json).toEqual({
      AccessKeyId: 'AKID',
      SecretAccessKey: 'canary-secret',
      Token: 'canary-session',
      Expiration: expect.stringMatching(/^2026-01-01T00:15:00(?:\.000)?Z$/),
    })
  })

  it('is that of the environment that the call is for', async () => {
    const { ask } = house(live('dev', 'https://a.example', { credential: keys }), live('test', 'https://b.example', { credential: token, vend }))
    expect((await ask()).json).toMatchObject({ status: 403, code: 'egress_denied' })
    expect((await ask({ ...asked, 'x-egress-env': 'test' })).json).toMatchObject({ access_token: 'canary-token-1' })
    expect((await ask({ ...asked, 'x-egress-env': 'prod' })).json).toMatchObject({ status: 403, code: 'env_denied' })
  })
})

describe('nothing is handed out', () => {
  const target = live('dev', 'https://a.example', { credential: token, vend })

  it.each([
    ['without the header', {}],
    ['with another word in it', { 'x-egress-vend': '1' }],
    ['with the header twice', { 'x-egress-vend': ['true', 'true'] }],
    ['with another word in both', { 'x-egress-vend': 'no', authorization: 'x-egress-vend' }],
    ['with a token', { authorization: 'Bearer x-egress-vend' }],
    ['to a page', { ...asked, origin: 'https://evil.example' }],
    ['to a browser', { ...asked, 'sec-fetch-site': 'none' }],
    ['to who follows a link', { ...asked, referer: 'https://evil.example' }],
    ['through a proxy', { ...asked, 'x-forwarded-for': '10.0.0.1' }],
    ['through another proxy', { ...asked, via: '1.1 x' }],
  ])('%s', async (_, headers) => {
    const { ask, issued, vendor } = house(target)
    expect((await ask(headers)).json).toMatchObject({ status: 403, code: 'egress_denied' })
    expect([issued(), vendor.calls.length]).toEqual([0, 0])
  })

  it.each([['POST'], ['HEAD'], ['PUT'], ['OPTIONS'], ['DELETE']])('for %s', async (method) => {
    const { ask, issued } = house(target)
    const { status, headers } = await ask(asked, method)
    expect([status, headers.get('allow'), issued()]).toEqual([405, 'GET', 0])
  })

  it('with a query or a body', async () => {
    const { ask, issued } = house(target)
    expect((await ask(asked, 'GET', `${path}?a=1`)).status).toBe(403)
    expect((await ask(asked, 'GET', path, { body: 'x' })).status).toBe(403)
    expect(issued()).toBe(0)
  })

  it.each(['evil.example', 'pay.egress.internal.evil.example', '127.0.0.1.evil.example'])('to a page that makes %s its name for the gateway', async (name) => {
    const { ask, issued, vendor } = house(live('dev', 'https://a.example', { credential: token, vend: { callers: ['billing'] } }))
    const { json } = await ask({ ...asked, Host: `${name}:9101` }, 'GET', path, { listener: 'egress:pay' })
    expect(json).toMatchObject({ status: 403, code: 'egress_denied', detail: expect.stringContaining(name) })
    expect([issued(), vendor.calls.length]).toEqual([0, 0])
  })

  it.each(['127.0.0.1:9101', '[::1]:9101', 'localhost:9101', 'ambassador:9101', 'pay.egress.internal'])(
    'but to a workload that calls the gateway %s',
    async (name) => {
      const { ask } = house(live('dev', 'https://a.example', { credential: token, vend: { callers: ['billing'] } }))
      expect((await ask({ ...asked, Host: name }, 'GET', path, { listener: 'egress:pay' })).status).toBe(200)
    },
  )

  it.each([`${path}/`, `${path}/x`, '/%2esallyport/credentials/x'])('at %s, and nothing there reaches a vendor', async (there) => {
    const { ask, issued, vendor } = house(target)
    expect((await ask(asked, 'GET', there)).json).toMatchObject({
      status: 403,
      code: 'egress_denied',
      detail: 'credentials are fetched at /.sallyport/credentials',
    })
    expect([issued(), vendor.calls.length]).toEqual([0, 0])
  })

  it('to a caller that is not listed, though it may call the service, and to one that may not', async () => {
    const { ask, issued, ports } = house(target)
    expect((await ask(asked, 'GET', path, { listener: 'egress:pay' })).json).toMatchObject({ detail: 'billing may not fetch the credential of pay' })
    expect(issued()).toBe(0)
    expect(ports.journal.records[0]).toMatchObject({ egress: { caller: 'billing' } })
  })

  it.each([
    ['the target does not say so', live('dev', 'https://a.example', { credential: token })],
    ['there is a mock', { mode: 'mock', environment: 'dev', mock: [mockAnswer({})] } as const],
    ['the mode is deny', { mode: 'deny', environment: 'dev', reason: undefined } as const],
  ])('where %s, and nothing under that path reaches a vendor', async (_, there) => {
    const { ask, vendor } = house(there)
    expect((await ask()).json).toMatchObject({ status: 403, code: 'egress_denied' })
    expect(vendor.calls).toEqual([])
  })

  it.each([
    ['a static secret', bearer('env:KEY')],
    ['keys without a session token', { ...keys, sessionToken: undefined }],
    ['what belongs to the caller', { ...token, subject: 'caller' } as const],
  ])('of %s, should a policy get this far', async (_, credential) => {
    const { ask } = house(live('dev', 'https://a.example', { credential, vend }))
    const { json } = await ask()
    expect(json).toMatchObject({ status: 503, code: 'credential_unavailable' })
    expect(JSON.stringify(json)).not.toContain('canary')
  })

  it('while the issuer is down', async () => {
    const { ask, ports } = house(target)
    ports.fetch.on('https://idp.example/token', new Error('down'))
    expect((await ask()).json).toMatchObject({ status: 503, code: 'credential_unavailable' })
  })
})
