import { describe, expect, it } from 'vitest'
import { type EgressQuestion, explainEgress, listEgress } from '../../src/core/egress/explain.ts'
import { bearer, caller, egressPolicy, linked, live, mockAnswer, secretRule, service } from '../support/egress.ts'
import { fakePorts, fakeResolve, fakeSecrets } from '../support/ports.ts'

const policy = egressPolicy({
  services: [
    linked(
      service('payments', { listen: '127.0.0.1:9101', allow: [{ id: 'read', methods: ['GET'], path: '/v1/charges/{id}' }] }),
      { mode: 'mock', environment: 'dev', mock: [mockAnswer({})] },
      live('test', 'https://sandbox.pay.example/v', { credential: bearer('env:TEST_KEY', { forbidPattern: '^sk_live_' }) }),
    ),
    linked(service('crm', { quarantined: 'broken' }), { mode: 'deny', environment: 'dev', reason: 'no contract' }),
    linked(service('prodded'), live('test', 'https://api.pay.example', { credential: { kind: 'basic', username: 'u', password: secretRule('file:/p') } })),
  ],
  callers: [caller('checkout', { mayChooseEnv: ['test'] }), caller('other')],
  guards: [{ host: 'api.pay.example', port: 443, service: 'payments' }],
})

async function explain(question: Partial<EgressQuestion>, key = 'sk_test_123') {
  const ports = fakePorts({
    secrets: fakeSecrets({ 'env:TEST_KEY': key }),
    resolve: fakeResolve({ 'sandbox.pay.example': ['93.184.216.34', '10.0.0.1', '93.184.216.99'], 'api.pay.example': ['93.184.216.99'] }),
  })
  const lines = await explainEgress(policy, { service: 'payments', method: 'GET', path: '/v1/charges/7', ...question }, ports)
  expect(JSON.stringify(lines)).not.toContain(key)
  return lines.map(({ rule, ok, detail }) => `${ok ? 'ok' : 'no'} ${rule}: ${detail}`)
}

describe('egress explain', () => {
  it('walks a mocked call through every rule', async () => {
    expect(await explain({})).toEqual([
      'ok service: payments: own port 127.0.0.1:9101, host payments.egress.internal',
      'ok caller: checkout',
      'ok path: /v1/charges/7',
      'ok allow: payments/read',
      'ok environment: dev, chosen by the process',
      'ok ceiling: dev is nonprod',
      'ok target: none: answered by the gateway',
      'ok mode: mock',
    ])
  })

  it('says that a path could lead out of the one that the target is confined to, as the call would be told', async () => {
    const own = egressPolicy({ services: [linked(service('crm'), live('dev', 'https://sandbox.pay.example/v'))], callers: [caller('checkout')] })
    const ports = fakePorts({ resolve: fakeResolve({ 'sandbox.pay.example': ['93.184.216.34'] }) })
    for (const [path, ok] of [
      ['/a%2fb', false],
      ['/a;b', false],
      ['/ab', true],
    ] as const) {
      const lines = await explainEgress(own, { service: 'crm', method: 'GET', path }, ports)
      expect([path, lines.every((line) => line.ok)]).toEqual([path, ok])
    }
  })

  it('says what else happens to a call that goes out', async () => {
    const quota = {
      vendor: { points: 100, windowMs: 1000, shareBy: 'caller' },
      cost: { perCall: 0.5, currency: 'EUR', calls: 20 },
      maxRetryAfterMs: 5000,
      onStoreFailure: 'local',
    } as const
    const cassette = { name: 'pay', headers: ['x-tenant'], body: true }
    const of = service('pay', {
      quota,
      callers: ['checkout', 'other'],
      idempotency: { header: 'idempotency-key', generate: true },
      mask: { headers: [], jsonPaths: ['$.pan'], responses: true },
    })
    const asked = (environment: string) =>
      explainEgress(
        egressPolicy({
          services: [linked(of, live('dev', 'https://93.184.216.34', { record: cassette }), { mode: 'replay', environment: 'test', cassette })],
          callers: [caller('checkout', { mayChooseEnv: ['dev', 'test'] })],
        }),
        { service: 'pay', method: 'POST', path: '/', environment },
        fakePorts(),
      )
    const words = (await asked('dev')).map(({ rule, detail }) => `${rule}: ${detail}`)
    expect(words).toContain('mode: record: cassette pay, known by method, path, query, header x-tenant, body')
    expect(words.slice(-4)).toEqual([
      'quota: 100 calls in any 1s, shared fairly by checkout, other; a call waits up to 5s',
      'cost: 0.5 EUR per try, at most 20 calls a month',
      'idempotency: idempotency-key is made where the caller sends none',
      'mask: hidden in JSON answers: $.pan',
    ])
    expect((await asked('test')).at(-1)).toEqual({
      rule: 'mode',
      ok: true,
      detail: 'replay: cassette pay, known by method, path, query, header x-tenant, body',
    })
  })

  it('judges every address of a live target, each by itself', async () => {
    expect((await explain({ environment: 'test' })).slice(4)).toEqual([
      'ok environment: test, chosen by the header',
      'ok ceiling: test is nonprod',
      'ok target: https://sandbox.pay.example/v',
      'ok mode: live',
      'ok secret: env:TEST_KEY is present',
      'ok production: no name of this target is a production host',
      'ok address: 93.184.216.34 port 443 (global): may be dialled',
      'no address: 10.0.0.1 port 443 (private): 10.0.0.1 is not a public address (private)',
      'no address: 93.184.216.99 port 443 (global): 93.184.216.99:443 is production (api.pay.example)',
    ])
  })

  it.each([
    ['a caller that is not listed', { caller: 'other' }, 'no caller: other is not among the callers of payments'],
    ['a call that is not allowed', { method: 'POST' }, 'no allow: POST /v1/charges/7 is not among the calls allowed to payments'],
    ['an ambiguous path', { path: '/v1/../x' }, 'no path: ambiguous: a dot segment'],
    ['an environment beyond the ceiling', { environment: 'prod' }, 'no ceiling: prod is not a nonprod environment'],
    [
      'an environment beyond the ceiling, with the ceiling as the reason',
      { environment: 'prod' },
      'no environment: prod is not a nonprod environment: production is out of reach from a nonprod process, whatever the caller may choose',
    ],
    ['an environment that may not be chosen', { environment: 'dev' }, 'no environment: checkout may not choose dev'],
    ['an environment without a target', { service: 'crm', environment: 'test' }, 'no target: crm has no target in test'],
    ['a denied mode', { service: 'crm' }, 'no mode: deny: no contract'],
    ['a broken service', { service: 'crm' }, 'no service: broken'],
    ['a service that is not there', { service: 'constructor' }, 'no service: constructor is not an egress service'],
    ['a production name', { service: 'prodded', environment: 'test' }, 'no production: api.pay.example is production (payments)'],
    ['a missing secret', { service: 'prodded', environment: 'test' }, 'no secret: the secret file:/p is missing or empty'],
  ] as const)('says no to %s', async (_, question, line) => {
    expect(await explain(question)).toContain(line)
  })

  it('says that a key is of the wrong kind, without the key', async () => {
    expect(await explain({ environment: 'test' }, 'sk_live_123')).toContain('no secret: the secret env:TEST_KEY fits the forbidden pattern ^sk_live_')
  })
})

describe('a caller', () => {
  const proved = egressPolicy({
    services: [
      linked(
        service('pay', { host: undefined, listen: '127.0.0.1:9101', callers: ['by-id', 'by-token', 'here', 'elsewhere', 'gone'] }),
        live('dev', 'https://93.184.216.34'),
      ),
    ],
    callers: [
      caller('by-id', { spiffe: ['spiffe://corp/ns/*/sa/shop', 'spiffe://corp/web'] }),
      caller('by-token', {
        spiffe: ['spiffe://corp/ci'],
        token: {
          issuer: 'main',
          claims: [
            { path: 'sub', kind: 'in', values: ['a', 'b'] },
            { path: 'org', kind: 'present' },
          ],
        },
      }),
      caller('here', { listener: 'egress:pay' }),
      caller('elsewhere', { listener: 'egress:crm' }),
    ],
  })
  const asked = async (name: string) => {
    const lines = await explainEgress(proved, { service: 'pay', method: 'GET', path: '/', caller: name }, fakePorts())
    return lines.filter(({ rule }) => rule === 'caller').map(({ ok, detail }) => `${ok ? 'ok' : 'no'} ${detail}`)[0]
  }

  it.each([
    ['by-id', 'ok by-id, known by spiffe://corp/ns/*/sa/shop or spiffe://corp/web'],
    ['by-token', 'ok by-token, known by spiffe://corp/ci and a token of main (sub: a or b, org)'],
    ['here', 'ok here'],
    ['elsewhere', 'no elsewhere comes by egress:crm, which does not lead to pay'],
    ['gone', 'no gone is not a caller'],
  ])('is explained by what it is known by: %s', async (name, expected) => {
    expect(await asked(name)).toBe(expected)
  })

  it('is listed with it', () => {
    expect(listEgress(proved)[0]?.callers).toEqual([
      { name: 'by-id', by: ['spiffe'] },
      { name: 'by-token', by: ['spiffe', 'token'] },
      { name: 'here', by: ['listener'] },
      { name: 'elsewhere', by: ['listener'] },
    ])
  })

  it('whose call only a rule in audit mode lets pass is told so', async () => {
    const learning = egressPolicy({
      services: [linked(service('pay', { allow: [{ id: 'learn', methods: ['GET'], path: '/{**}', audit: true }] }), live('dev', 'https://93.184.216.34'))],
    })
    const lines = await explainEgress(learning, { service: 'pay', method: 'GET', path: '/x' }, fakePorts())
    expect(lines.find(({ rule }) => rule === 'allow')).toEqual({ rule: 'allow', ok: true, detail: 'pay/learn, in audit mode: no other rule lets this pass' })
  })
})

describe('egress list', () => {
  it('has a row for every service in every environment', () => {
    expect(listEgress(policy).map(({ service, environment, mode, target, secret }) => [service, environment, mode, target, secret])).toEqual([
      ['payments', 'dev', 'mock', undefined, undefined],
      ['payments', 'test', 'live', 'https://sandbox.pay.example/v', 'env:TEST_KEY'],
      ['crm', 'dev', 'deny', undefined, undefined],
      ['crm', 'test', 'none', undefined, undefined],
      ['prodded', 'dev', 'none', undefined, undefined],
      ['prodded', 'test', 'live', 'https://api.pay.example', 'file:/p'],
    ])
  })
})
