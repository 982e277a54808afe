import { describe, expect, it } from 'vitest'
import { buildEgress } from '../../src/core/egress.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { type ArrivalOptions, arrival, type HeaderInput } from '../support/arrival.ts'
import { bearer, caller, egressPolicy, fakeVendor, linked, live, mockAnswer, service, textOf } from '../support/egress.ts'
import { fakePorts, fakeResolve, fakeSecrets } from '../support/ports.ts'

const payments = linked(
  service('payments', {
    allow: [
      { id: 'charge', methods: ['POST'], path: '/v1/charges' },
      { id: 'read', methods: ['GET'], path: '/v1/charges/{id}' },
    ],
  }),
  { mode: 'mock', environment: 'dev', mock: [mockAnswer({ answer: '{"from":"mock"}' })] },
  live('test', 'https://sandbox.pay.example/base', { credential: bearer('env:TEST_KEY', { forbidPattern: '^sk_live_' }) }),
  live('staging', 'https://api.pay.example', {}),
)
const crm = linked(service('crm', { callers: ['billing'] }), { mode: 'deny', environment: 'dev', reason: 'not before the contract is signed' })
const broken = linked(service('broken', { quarantined: 'mock file is missing' }))
const open = linked(service('open'), live('dev', 'https://open.example'))

const policy = egressPolicy({
  services: [payments, crm, broken, open],
  environments: ['dev', 'test', 'staging'],
  callers: [
    caller('checkout', { mayChooseEnv: ['test', 'staging', 'prod', 'gone'] }),
    caller('billing', { listener: 'egress:crm' }),
    caller('tester', { listener: 'egress:open', environment: 'test' }),
  ],
  guards: [{ host: 'api.pay.example', port: 443, service: 'payments' }],
})

/** One request through the whole wing. */
async function call(method: string, target: string, headers: HeaderInput = {}, options: ArrivalOptions & { policy?: Policy } = {}) {
  const ports = fakePorts({ secrets: fakeSecrets({ 'env:TEST_KEY': 'sk_test_abc' }), resolve: fakeResolve({ 'api.pay.example': ['93.184.216.34'] }) })
  const vendor = fakeVendor()
  const { policy: used = policy, ...rest } = options
  const walk = buildEgress(used, vendor, ports)
  const answer = await walk(arrival(method, target, headers, { listener: 'egress', scheme: 'http', peer: '127.0.0.1', ...rest }))
  const text = await textOf(answer.body)
  const problem = answer.headers.get('content-type') === 'application/problem+json' ? (JSON.parse(text) as Record<string, unknown>) : undefined
  return { answer, text, problem, vendor, ports, status: answer.status, code: problem?.['code'] }
}

const host = { Host: 'payments.egress.internal' }

describe('a call on its way out', () => {
  it('is answered by the mock in dev and says so', async () => {
    const { status, text, answer, vendor } = await call('GET', '/v1/charges/7', host)
    expect([status, text]).toEqual([200, '{"from":"mock"}'])
    expect(answer.headers.get('x-egress-service')).toBe('payments')
    expect(answer.headers.get('x-egress-env')).toBe('dev')
    expect(answer.headers.get('x-egress-mode')).toBe('mock')
    expect(answer.headers.get('x-egress-rev')).toBe('rev-1')
    expect(answer.headers.get('x-egress-attempts')).toBe('0')
    expect(answer.headers.get('x-egress-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(vendor.calls).toEqual([])
  })

  it('goes to the sandbox with the key of test, under the target path', async () => {
    const { status, vendor, answer } = await call('GET', '/v1/charges/7?expand=a', { ...host, 'X-Egress-Env': 'test', Authorization: 'Bearer mine' })
    expect(status).toBe(200)
    const [sent] = vendor.calls
    expect(sent).toMatchObject({ method: 'GET', scheme: 'https', authority: 'sandbox.pay.example', target: '/base/v1/charges/7?expand=a' })
    expect([...(sent?.headers.entries() ?? [])]).toEqual([['authorization', 'Bearer sk_test_abc']])
    expect(answer.headers.get('x-egress-env')).toBe('test')
    expect(answer.headers.get('x-egress-attempts')).toBe('1')
  })

  it.each([
    ['the name in capitals', { Host: 'PAYMENTS.Egress.Internal' }],
    ['the name with a port', { Host: 'payments.egress.internal:9100' }],
  ])('reaches its service by %s', async (_, headers) => {
    expect((await call('GET', '/v1/charges/7', headers)).status).toBe(200)
  })

  it('reaches its service by its own port whatever host it names, when it names no other', async () => {
    for (const name of ['127.0.0.1:9101', 'localhost', 'payments.egress.internal', 'api.pay.example']) {
      expect((await call('GET', '/v1/charges/7', { Host: name }, { listener: 'egress:payments' })).status).toBe(200)
    }
  })

  it('may ask for HEAD where it may GET', async () => {
    const { status, answer } = await call('HEAD', '/v1/charges/7', host)
    expect([status, answer.body]).toEqual([200, undefined])
  })
})

type Attack = [what: string, status: number, code: string, method: string, target: string, headers: HeaderInput, options?: ArrivalOptions & { policy?: Policy }]

const attacks: Attack[] = [
  // who
  ['a listener nobody calls from', 403, 'caller_unknown', 'GET', '/v1/charges/7', host, { policy: { ...policy, callers: {} } }],
  ['a caller of one port on the shared one', 403, 'egress_denied', 'GET', '/x', { Host: 'crm.egress.internal' }],
  [
    'a caller that the service does not list',
    403,
    'egress_denied',
    'GET',
    '/v1/charges/7',
    host,
    { policy: { ...policy, callers: { other: caller('other') } } },
  ],
  [
    'a header that claims to be another caller',
    403,
    'egress_denied',
    'GET',
    '/x',
    { Host: 'crm.egress.internal', 'X-Caller': 'billing', 'X-Egress-Caller': 'billing' },
  ],
  [
    'a certificate header that claims to be another caller',
    403,
    'egress_denied',
    'GET',
    '/x',
    { Host: 'crm.egress.internal', 'X-Forwarded-Client-Cert': 'URI=spiffe://corp/billing' },
  ],
  // what
  ['a service that is not there', 404, 'service_unknown', 'GET', '/', { Host: 'nobody.egress.internal' }],
  ['the production host as service', 404, 'service_unknown', 'GET', '/', { Host: 'api.pay.example' }],
  ['the metadata address as service', 404, 'service_unknown', 'GET', '/latest/meta-data/', { Host: '169.254.169.254' }],
  ['loopback as service', 404, 'service_unknown', 'GET', '/', { Host: '127.0.0.1:9901' }],
  ['a name that ends in a service', 404, 'service_unknown', 'GET', '/', { Host: 'x.payments.egress.internal' }],
  ['a prototype member as service', 404, 'service_unknown', 'GET', '/', { Host: 'constructor' }],
  ['a port of a service that is gone', 404, 'service_unknown', 'GET', '/', host, { listener: 'egress:gone' }],
  ['a listener named after a prototype member', 404, 'service_unknown', 'GET', '/', host, { listener: 'egress:constructor' }],
  ['another service named on its own port', 403, 'egress_denied', 'GET', '/v1/charges/7', { Host: 'crm.egress.internal' }, { listener: 'egress:payments' }],
  [
    'another service in absolute form',
    400,
    'request_invalid',
    'GET',
    'http://crm.egress.internal/v1/charges/7',
    { Host: 'crm.egress.internal' },
    { listener: 'egress:payments' },
  ],
  ['a broken service', 503, 'config_quarantined', 'GET', '/', { Host: 'broken.egress.internal' }],
  [
    'two hosts',
    400,
    'host_invalid',
    'GET',
    '/v1/charges/7',
    [
      ['Host', 'payments.egress.internal'],
      ['Host', 'crm.egress.internal'],
    ],
  ],
  ['a host with user info', 400, 'host_invalid', 'GET', '/v1/charges/7', { Host: 'x@payments.egress.internal' }],
  // how
  ['a method that is not allowed', 403, 'egress_denied', 'DELETE', '/v1/charges/7', host],
  ['a method of another rule', 403, 'egress_denied', 'POST', '/v1/charges/7', host],
  ['a path that is not allowed', 403, 'egress_denied', 'GET', '/v1/refunds', host],
  ['a path beneath an allowed one', 403, 'egress_denied', 'GET', '/v1/charges/7/refunds', host],
  ['a path with a slash at its end', 403, 'egress_denied', 'GET', '/v1/charges/', host],
  ['a path in another case', 403, 'egress_denied', 'GET', '/V1/charges/7', host],
  ['a dot segment', 400, 'path_ambiguous', 'GET', '/v1/charges/../refunds', host],
  ['an encoded dot segment', 400, 'path_ambiguous', 'GET', '/v1/charges/%2e%2e', host],
  ['an encoded slash', 400, 'path_ambiguous', 'GET', '/v1/charges/a%2Frefunds', host],
  ['an encoded slash and a dot segment', 400, 'path_ambiguous', 'GET', '/v1/charges/%2E%2E%2Frefunds', host],
  ['a path parameter', 400, 'path_ambiguous', 'GET', '/v1/charges/7;admin=1', host],
  ['an empty segment', 400, 'path_ambiguous', 'GET', '//v1/charges/7', host],
  ['a backslash', 400, 'path_ambiguous', 'GET', '/v1/charges/..\\refunds', host],
  // where
  ['an environment that is not the caller’s to choose', 403, 'env_denied', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'dev' }],
  ['an environment that nobody knows', 403, 'env_denied', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'moon' }],
  ['prod, though a list names it', 403, 'env_denied', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'prod' }],
  ['an environment that was taken away', 403, 'env_denied', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'gone' }],
  ['an environment in capitals', 403, 'env_denied', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'TEST' }],
  ['a prototype member as environment', 403, 'env_denied', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'constructor' }],
  [
    'any environment from a caller that may not choose',
    403,
    'env_denied',
    'GET',
    '/',
    { Host: 'x.internal', 'X-Egress-Env': 'dev' },
    { listener: 'egress:open', policy: { ...policy, callers: { checkout: caller('checkout') } } },
  ],
  [
    'two environments',
    400,
    'env_invalid',
    'GET',
    '/v1/charges/7',
    [
      ['Host', 'payments.egress.internal'],
      ['X-Egress-Env', 'test'],
      ['x-egress-env', 'test'],
    ],
  ],
  ['a list of environments', 400, 'env_invalid', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'test, prod' }],
  ['an empty environment', 400, 'env_invalid', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': '' }],
  ['an environment that is a path', 400, 'env_invalid', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': '../prod' }],
  ['an environment of endless length', 400, 'env_invalid', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'a'.repeat(65) }],
  ['the environment header with an underscore', 400, 'request_invalid', 'GET', '/v1/charges/7', { ...host, x_egress_env: 'test' }],
  ['a target that is the production host', 403, 'address_denied', 'GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'staging' }],
  ['an environment without a target', 503, 'no_target_for_env', 'GET', '/', { Host: 'open.egress.internal', 'X-Egress-Env': 'test' }],
  ['a service that is denied in this environment', 403, 'egress_denied', 'GET', '/', { Host: 'crm.egress.internal' }, { listener: 'egress:crm' }],
]

describe('the wing refuses', () => {
  it.each(attacks)('%s (%i %s)', async (_, status, code, method, target, headers, options) => {
    const refused = await call(method, target, headers, options)
    expect({ status: refused.status, code: refused.code }).toEqual({ status, code })
    expect(refused.vendor.calls).toEqual([])
    expect(refused.answer.headers.get('proxy-status')).toMatch(new RegExp(`^sallyport; error=[a-z_]+; details="${code}"$`))
    expect(refused.ports.secrets.reads).toEqual([])
  })

  it('with the operator’s reason where a mode denies', async () => {
    const { problem, answer } = await call('GET', '/', { Host: 'x.internal' }, { listener: 'egress:crm' })
    expect(problem).toMatchObject({ reason: 'not before the contract is signed', rule: 'crm/dev' })
    expect(answer.headers.get('x-egress-mode')).toBe('deny')
    expect(answer.headers.get('proxy-status')).toContain('error=http_request_denied')
  })

  it('an environment of the other class with the ceiling as the reason, and one of its own with the caller’s list', async () => {
    // As it is linked: what lies beyond the ceiling is gone from the list, whatever the policies say.
    const callers = [caller('checkout', { mayChooseEnv: [] })]
    const wants = async (wanted: string, used: Partial<Policy> = {}) => {
      const given = { ...policy, callers: Object.fromEntries(callers.map((one) => [one.name, one])), ...used }
      const { status, code, problem } = await call('GET', '/v1/charges/7', { ...host, 'X-Egress-Env': wanted }, { policy: given })
      expect([status, code]).toEqual([403, 'env_denied'])
      return problem?.['detail']
    }
    const beyond = 'is not a nonprod environment: production is out of reach from a nonprod process, whatever the caller may choose'
    expect(await wants('prod')).toBe(`prod ${beyond}`)
    expect(await wants('moon')).toBe(`moon ${beyond}`)
    expect(await wants('test')).toBe('checkout may not choose test')
    expect(await wants('test', { environmentClass: 'prod', environment: 'prod', environments: ['prod'] })).toBe(
      'test is not a prod environment: a prod process reaches prod environments alone, whatever the caller may choose',
    )
  })

  it('with a helping word outside prod, and none in prod', async () => {
    const asked = { Host: 'payment.egress.internal' }
    expect((await call('GET', '/', asked)).problem?.['detail']).toContain('did you mean payments.egress.internal?')
    expect((await call('GET', '/', asked, { policy: { ...policy, environmentClass: 'prod' } })).problem?.['detail']).not.toContain('payments')
  })

  it('a call whose key is missing, and says nothing about the key', async () => {
    const ports = fakePorts({ resolve: fakeResolve({}) })
    const vendor = fakeVendor()
    const answer = await buildEgress(policy, vendor, ports)(arrival('GET', '/v1/charges/7', { ...host, 'X-Egress-Env': 'test' }, { listener: 'egress' }))
    expect(answer.status).toBe(503)
    expect(await textOf(answer.body)).not.toContain('TEST_KEY')
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(vendor.calls).toEqual([])
    expect(ports.journal.records[0]).toMatchObject({ refusal: { code: 'credential_unavailable', reason: expect.stringContaining('env:TEST_KEY is missing') } })
  })
})

describe('the caller', () => {
  it('is the first of the service’s list that uses the listener', async () => {
    const two = egressPolicy({
      services: [
        linked(service('a', { callers: ['zoe', 'ann'] }), live('dev', 'https://a.example')),
        linked(service('b', { callers: ['ann'] }), live('dev', 'https://b.example')),
      ],
      callers: [caller('ann'), caller('zoe')],
    })
    const byHost = async (name: string) => (await call('GET', '/', { Host: `${name}.egress.internal` }, { policy: two })).vendor.sent[0]?.caller
    expect(await byHost('a')).toEqual({ kind: 'caller', name: 'zoe' })
    expect(await byHost('b')).toEqual({ kind: 'caller', name: 'ann' })
    const byPort = await call('GET', '/', { Host: 'x.internal' }, { policy: two, listener: 'egress:a' })
    expect(byPort.vendor.sent[0]?.caller).toEqual({ kind: 'caller', name: 'zoe' })
  })

  it('has its own environment before the process’s', async () => {
    const own = egressPolicy({
      services: [linked(service('a'), live('dev', 'https://dev.example'), live('test', 'https://test.example'))],
      callers: [caller('checkout', { environment: 'test' })],
    })
    expect((await call('GET', '/', { Host: 'a.egress.internal' }, { policy: own })).vendor.calls[0]?.authority).toBe('test.example')
  })

  it('gets no environment beyond the ceiling, even of its own', async () => {
    const beyond = egressPolicy({ services: [open], callers: [caller('checkout', { environment: 'prod' })] })
    const { code } = await call('GET', '/', { Host: 'open.egress.internal' }, { policy: beyond })
    expect(code).toBe('env_denied')
  })

  it('may call in every way where the service has no rules', async () => {
    const { status, vendor } = await call('PURGE', '/a;b/%2Fc?d', { Host: 'open.egress.internal' })
    expect([status, vendor.calls[0]?.target]).toEqual([200, '/a;b/%2Fc?d'])
  })

  it('may not leave the path that a target is confined to', async () => {
    const confined = egressPolicy({ services: [linked(service('a'), live('dev', 'https://a.example/tenant'))] })
    expect((await call('GET', '/x%2Fy', { Host: 'a.egress.internal' }, { policy: confined })).code).toBe('path_ambiguous')
    expect((await call('GET', '/x/y', { Host: 'a.egress.internal' }, { policy: confined })).vendor.calls[0]?.target).toBe('/tenant/x/y')
  })
})
