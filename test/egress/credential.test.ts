import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { queryWith } from '../../src/core/egress/credential/outgoing.ts'
import { buildCredential } from '../../src/core/egress/credential.ts'
import type { HttpCall } from '../../src/core/model/call.ts'
import type { Credential } from '../../src/core/model/credential.ts'
import type { LiveTarget } from '../../src/core/model/egress-target.ts'
import { type Credentialed, openExchange, type PlacedLive } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { arrival } from '../support/arrival.ts'
import { bearer, egressPolicy, linked, live, secretRule, service } from '../support/egress.ts'
import { type FakeSecrets, fakePorts, fakeSecrets } from '../support/ports.ts'

const secret = 'sk_test_51H/8+x=='

/** What the room makes of one placed request. */
async function send(given: {
  credential?: Credential
  headers?: readonly (readonly [string, string])[]
  query?: string
  target?: Partial<LiveTarget>
  responses?: boolean
  value?: string
  secrets?: FakeSecrets
}): Promise<Credentialed> {
  const target = live('test', 'https://sandbox.pay.example', { credential: given.credential, ...given.target })
  const of = service('payments', { mask: { headers: [], jsonPaths: [], responses: given.responses ?? false } })
  const policy = egressPolicy({ services: [linked(of, target)], environmentClass: 'nonprod' })
  const room = buildCredential(policy, fakePorts({ secrets: given.secrets ?? fakeSecrets({ 'env:K': given.value ?? secret }) }))
  return room(placed(target, of, given.headers ?? [], given.query ?? ''))
}

function placed(target: LiveTarget, of = service('payments'), headers: readonly (readonly [string, string])[] = [], query = ''): PlacedLive {
  const request = {
    method: 'POST',
    scheme: 'http' as const,
    authority: 'payments.internal',
    host: 'payments.internal',
    target: { path: '/v1/charges', query, encodedSlash: false, semicolon: false },
    headers: new FieldList(headers),
    body: undefined,
  }
  // The rooms before this one are tested elsewhere: only the slots that this room reads are filled.
  return Object.assign(openExchange(arrival('POST', '/v1/charges'), 'rev-1'), {
    request,
    service: of,
    target,
    vet: () => undefined,
    deadline: Infinity,
  }) as unknown as PlacedLive
}

const fieldsOf = (call: HttpCall) => [...call.headers.entries()].map(([name, value]) => `${name}: ${value}`)

async function refusal(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Fault)
  return error as Fault
}

describe('the caller’s credentials', () => {
  it.each([
    'authorization',
    'Authorization',
    'AUTHORIZATION',
    'cookie',
    'cookie2',
    'proxy-authorization',
    'proxy-connection',
    'proxy-anything',
    'x-api-key',
    'x_api_key',
    'x.api.key',
    'api-key',
    'api_key',
    'x-auth-token',
    'x-access-token',
    'x-egress-env',
    'x-egress-timeout-ms',
    'x_egress_retry',
    'x-forwarded-for',
    'x-forwarded-client-cert',
    'forwarded',
    'via',
    'x-real-ip',
    'x-caller',
    'x-spiffe-id',
    'traceparent',
    'tracestate',
    'baggage',
    'b3',
    'x-b3-traceid',
    'x-request-id',
    'x-envoy-expected-rq-timeout-ms',
    'l5d-dst-override',
    'connection',
    'keep-alive',
    'te',
    'upgrade',
    'transfer-encoding',
    'host',
    'content-length',
    'expect',
    'x-vendor-key',
    'X-Vendor-Key',
    'x_vendor_key',
    'x-vendor_key',
    'x.vendor.key',
  ])('in %s do not reach the vendor', async (name) => {
    const credential: Credential = { kind: 'header', header: 'X-Vendor-Key', format: '{secret}', secret: secretRule('env:K') }
    const { call } = await send({ credential, headers: [[name, 'from-the-caller']] })
    expect(fieldsOf(call)).toEqual([`x-vendor-key: ${secret}`])
  })

  it('do not reach a vendor without a credential either', async () => {
    const { call, secrets } = await send({
      headers: [
        ['authorization', 'Bearer mine'],
        ['cookie', 'a=b'],
      ],
    })
    expect(fieldsOf(call)).toEqual([])
    expect(secrets).toEqual([])
  })

  it('go, and with them what Connection names; the rest stays in order', async () => {
    const { call } = await send({
      credential: bearer('env:K'),
      headers: [
        ['user-agent', 'shop/1'],
        ['connection', 'x-hop'],
        ['x-hop', '1'],
        ['accept', 'application/json'],
        ['idempotency-key', 'k1'],
        ['accept-encoding', 'gzip'],
        ['x-other', 'a'],
        ['x-other', 'b'],
      ],
    })
    expect(fieldsOf(call)).toEqual([
      'user-agent: shop/1',
      'accept: application/json',
      'idempotency-key: k1',
      'accept-encoding: gzip',
      'x-other: a',
      'x-other: b',
      `authorization: Bearer ${secret}`,
    ])
  })

  it('leave nothing that hides an answer from masking', async () => {
    const { call } = await send({
      credential: bearer('env:K'),
      responses: true,
      headers: [
        ['accept-encoding', 'gzip, br'],
        ['range', 'bytes=0-3'],
        ['if-range', '"x"'],
      ],
    })
    expect(fieldsOf(call)).toEqual(['accept-encoding: identity', `authorization: Bearer ${secret}`])
  })
})

describe('the place a call goes to', () => {
  it.each([
    ['https://a.example', 'a.example'],
    ['https://a.example:8443', 'a.example:8443'],
    ['http://a.example:443', 'a.example:443'],
    ['http://a.example', 'a.example'],
    ['https://[2606:4700::1]:8443', '[2606:4700::1]:8443'],
  ])('%s is asked for as %s', async (url, authority) => {
    expect((await send({ target: live('test', url) })).call.authority).toBe(authority)
  })

  it('keeps the path prefix and the raw query', async () => {
    const { call } = await send({ target: live('test', 'https://a.example/base'), query: 'a=%2f&b=c+d' })
    expect(call.target).toBe('/base/v1/charges?a=%2f&b=c+d')
  })
})

describe('a credential', () => {
  it('is put into the format as it is, whatever it looks like', async () => {
    for (const value of ['$&', '$1', '$`', '{secret}', '%s']) {
      const { call, secrets } = await send({ credential: bearer('env:K'), value })
      expect(call.headers.get('authorization')).toBe(`Bearer ${value}`)
      expect(secrets).toEqual([value])
    }
  })

  it('goes into the query once, percent-encoded, in place of every spelling of its parameter', async () => {
    const credential: Credential = { kind: 'query', parameter: 'api_key', secret: secretRule('env:K') }
    const { call, secrets } = await send({ credential, query: 'a=1&api_key=mine&API_KEY=mine&api%5Fkey=mine&b=2&api_key[]=mine&api_key&c;api_key=mine' })
    expect(call.target).toBe(`/v1/charges?a=1&b=2&c&api_key=${encodeURIComponent(secret)}`)
    expect(secrets).toEqual([secret])
  })

  it('is Basic in UTF-8', async () => {
    const credential: Credential = { kind: 'basic', username: 'büro', password: secretRule('env:K') }
    const { call, secrets } = await send({ credential, value: 'pä:ß' })
    const pair = Buffer.from('büro:pä:ß').toString('base64')
    expect(call.headers.get('authorization')).toBe(`Basic ${pair}`)
    expect(secrets).toEqual(['pä:ß', pair])
  })

  it('leaves no other parameter of that name, whatever the query', () => {
    fc.assert(
      fc.property(fc.string(), fc.webQueryParameters(), (noise, query) => {
        const result = queryWith(`${query}&${encodeURIComponent(noise)}`, { name: 'key', value: 'v' })
        expect(new URLSearchParams(result).getAll('key')).toEqual(['v'])
      }),
    )
  })

  it.each([
    ['is missing', { 'env:OTHER': 'x' }, bearer('env:K')],
    ['is empty', { 'env:K': '' }, bearer('env:K')],
    ['ends in a line end', { 'env:K': 'abc\n' }, bearer('env:K')],
    ['holds CR LF and a header', { 'env:K': 'abc\r\nx-evil: 1' }, bearer('env:K')],
    ['holds NUL', { 'env:K': 'a\0b' }, bearer('env:K')],
    ['holds what no header carries', { 'env:K': 'schlüssel' }, bearer('env:K')],
    ['does not fit its pattern', { 'env:K': 'sk_live_1' }, bearer('env:K', { pattern: '^sk_test_' })],
    ['fits the forbidden pattern', { 'env:K': 'sk_live_1' }, bearer('env:K', { forbidPattern: '^sk_live_' })],
    ['holds the forbidden pattern anywhere', { 'env:K': ' sk_live_1' }, bearer('env:K', { forbidPattern: 'sk_live_' })],
    ['would go into a user name with a colon', { 'env:K': 'x' }, { kind: 'basic', username: 'a:b', password: secretRule('env:K') }],
    ['would go into a user name with a line end', { 'env:K': 'x' }, { kind: 'basic', username: 'a\n', password: secretRule('env:K') }],
    ['ends in a line end for a query', { 'env:K': 'abcd\n' }, { kind: 'query', parameter: 'k', secret: secretRule('env:K') }],
    ['holds NUL for a password', { 'env:K': 'a\0b' }, { kind: 'basic', username: 'a', password: secretRule('env:K') }],
    ['holds a lone surrogate for a query', { 'env:K': 'a\ud800' }, { kind: 'query', parameter: 'k', secret: secretRule('env:K') }],
  ] as const)('that %s refuses the call, and the answer does not say why', async (_, values, credential) => {
    const fault = await refusal(send({ credential, secrets: fakeSecrets(values) }))
    expect(fault.code).toBe('credential_unavailable')
    expect(fault.message).toBe('the credential of this service is not available')
    const quoted = Object.values(values).filter((value) => value.length > 3 && fault.detail.internal?.includes(value))
    expect(quoted).toEqual([])
    expect(fault.detail.internal).toBeTruthy()
  })

  it('that fits its pattern passes', async () => {
    const { call } = await send({ credential: bearer('env:K', { pattern: '^sk_test_', forbidPattern: '^sk_live_' }) })
    expect(call.headers.get('authorization')).toBe(`Bearer ${secret}`)
  })

  it('that is changed while we run is used from the next call on', async () => {
    const secrets = fakeSecrets({ 'env:K': 'one' })
    const target = live('test', 'https://a.example', { credential: bearer('env:K') })
    const room = buildCredential(egressPolicy({ services: [linked(service('payments'), target)] }), fakePorts({ secrets }))
    expect((await room(placed(target))).call.headers.get('authorization')).toBe('Bearer one')
    secrets.on('env:K', 'two')
    expect((await room(placed(target))).call.headers.get('authorization')).toBe('Bearer two')
  })
})
