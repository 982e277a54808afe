import { describe, expect, it } from 'vitest'
import { type EgressQuestion, explainEgress, listEgress, readProxiedCall, serviceOfCall } from '../../src/core/egress/explain.ts'
import { switchedPolicy, switchObstacle } from '../../src/core/egress/switched.ts'
import { buildTunnels } from '../../src/core/egress/tunnel.ts'
import { buildEgress } from '../../src/core/egress.ts'
import type { EgressService, ProxySettings } from '../../src/core/model/egress-service.ts'
import type { ProxyTarget } from '../../src/core/model/egress-target.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { type ArrivalOptions, arrival, type HeaderInput } from '../support/arrival.ts'
import { caller, egressPolicy, fakeVendor, linked, live, mockAnswer, service, textOf } from '../support/egress.ts'
import { fakeChannels, fakePorts, fakeResolve } from '../support/ports.ts'

const stream = { protocol: undefined, maxConnections: 10, idleMs: 1000, lifetimeMs: 10_000, drainMs: 500 } as const
const withTunnels: ProxySettings = { tunnels: stream, clientHelloMs: 5000 }
const withoutTunnels: ProxySettings = { tunnels: undefined, clientHelloMs: 5000 }

function proxy(name: string, rest: Partial<EgressService> = {}): EgressService {
  return service(name, { host: undefined, proxy: withTunnels, ...rest })
}

function hosts(environment: string, list: readonly string[], rest: Partial<ProxyTarget> = {}): ProxyTarget {
  return { mode: 'proxy', environment, hosts: list, ports: [443, 80, 8443], allowAddresses: [], sharesAddressWithProd: false, ...rest }
}

const services = [
  linked(service('payments'), { mode: 'mock', environment: 'dev', mock: [mockAnswer({ answer: '{"from":"mock"}' })] }),
  linked(proxy('github'), hosts('dev', ['github.example', '*.raw.example']), hosts('test', ['test.example'])),
  linked(
    proxy('packages', { proxy: withoutTunnels, allow: [{ id: 'read', methods: ['GET'], path: '/debian/{**}' }] }),
    hosts('dev', ['deb.example', 'exact.raw.example'], { ports: [80, 443] }),
    hosts('test', ['deb.example'], { ports: [80] }),
  ),
  linked(proxy('theirs', { callers: ['billing'] }), hosts('dev', ['private.example', 'github.example'])),
  linked(proxy('closed'), { mode: 'deny', environment: 'dev', reason: 'not yet' }, hosts('test', ['closed.example'])),
  linked(proxy('broken', { quarantined: 'mock file is missing' }), hosts('dev', ['one.broken.example'])),
  linked(proxy('wide'), hosts('dev', ['*.broken.example'])),
  linked(proxy('shares'), hosts('dev', ['same.example', 'pay.example'], { sharesAddressWithProd: true })),
]
const policy = egressPolicy({
  services,
  callers: [caller('checkout', { mayChooseEnv: ['test'] }), caller('billing', { listener: 'egress:theirs' })],
  listeners: { egress: { address: { host: '127.0.0.1', port: 9100 }, proxy: true } },
  guards: [
    { host: 'same.example', port: 443, service: 'shares', proxied: true },
    { host: 'pay.example', port: 443, service: 'payments' },
  ],
})

const resolve = fakeResolve({ 'same.example': ['93.184.216.1'], 'pay.example': ['93.184.216.2'], 'deb.example': ['93.184.216.2'] })

async function call(method: string, target: string, headers: HeaderInput = {}, options: ArrivalOptions & { policy?: Policy } = {}) {
  const ports = fakePorts({ resolve })
  const vendor = fakeVendor()
  const { policy: used = policy, ...rest } = options
  const answer = await buildEgress(used, vendor, ports)(arrival(method, target, headers, { listener: 'egress', scheme: 'http', peer: '127.0.0.1', ...rest }))
  const text = await textOf(answer.body)
  const problem = answer.headers.get('content-type') === 'application/problem+json' ? (JSON.parse(text) as Record<string, unknown>) : undefined
  return { answer, text, problem, vendor, ports, status: answer.status, code: problem?.['code'], detail: problem?.['detail'] }
}

async function connect(target: string, headers: HeaderInput = { Host: target }, options: ArrivalOptions & { policy?: Policy } = {}) {
  const { policy: used = policy, ...rest } = options
  const request = await buildTunnels(used, fakePorts({ resolve })).open(
    arrival('CONNECT', target, headers, { listener: 'egress', scheme: 'http', peer: '127.0.0.1', ...rest }),
  )
  const { decided } = request
  if (!(decided instanceof Fault)) return { request, place: decided === 'clear' ? undefined : decided, code: 'open', detail: '' }
  return { request, place: undefined, code: decided.code, detail: decided.message }
}

describe('a request in absolute-form', () => {
  it('is a call of the service that lists its host, without what is of one hop, and with the caller’s own credentials', async () => {
    const { status, vendor, answer } = await call('GET', 'http://Raw.Example:80/', { Host: 'x' })
    expect([status, answer.headers.get('proxy-status')]).toEqual([403, 'sallyport; error=http_request_denied; details="egress_denied"'])
    expect(vendor.calls).toEqual([])
    const sent = await call('GET', 'http://Deb.example/debian/x?y=1', {
      Host: 'somewhere.else',
      'Proxy-Connection': 'keep-alive',
      'Proxy-Authorization': 'Basic YTpi',
      Connection: 'x-own',
      'X-Own': 'hop',
      'X-Egress-Retry': 'off',
      Traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      Authorization: 'Bearer mine',
      Accept: '*/*',
    })
    expect(sent.status).toBe(200)
    const [one] = sent.vendor.calls
    expect(one).toMatchObject({ method: 'GET', scheme: 'http', authority: 'deb.example', target: '/debian/x?y=1' })
    expect([...(one?.headers.entries() ?? [])]).toEqual([
      ['authorization', 'Bearer mine'],
      ['accept', '*/*'],
    ])
    expect(sent.answer.headers.get('x-egress-service')).toBe('packages')
    expect(sent.ports.journal.records[0]).toMatchObject({ kind: 'request', host: 'deb.example:80', egress: { service: 'packages' } })
  })

  it.each([
    ['http://deb.example', '/', 'deb.example'],
    ['HTTP://deb.example?a=b', '/?a=b', 'deb.example'],
    ['http://deb.example:80/debian/', '/debian/', 'deb.example'],
  ])('%s asks for %s', async (target, path, authority) => {
    const open = egressPolicy({ ...given, services: [linked(proxy('p'), hosts('dev', ['deb.example']))] })
    const { vendor } = await call('GET', target, {}, { policy: open })
    expect(vendor.calls).toMatchObject([{ target: path, authority }])
  })

  it('of a service’s own host is a call of that service', async () => {
    expect(await call('GET', 'http://payments.egress.internal/v1', { Host: 'anything' })).toMatchObject({ status: 200, text: '{"from":"mock"}' })
    expect(await call('GET', 'http://payments.egress.internal:9100/v1')).toMatchObject({ status: 200 })
  })

  it.each([
    ['https://deb.example/debian/x', 'request_invalid', 'https goes through a tunnel'],
    ['ftp://deb.example/x', 'request_invalid', 'ftp is not spoken'],
    ['deb.example:80', 'request_invalid', 'neither a path nor a URL'],
    ['*', 'request_invalid', 'neither a path nor a URL'],
    ['http:/deb.example/x', 'request_invalid', 'neither a path nor a URL'],
    ['http://a@deb.example/x', 'host_invalid', 'userinfo'],
    ['http://deb.example:0/x', 'host_invalid', 'port'],
    ['http://deb.example:080/x', 'host_invalid', 'port'],
    ['http:///x', 'host_invalid', 'empty'],
    ['http://deb.example\\@evil.example/x', 'host_invalid', 'userinfo'],
    ['http://deb.example\\.evil.example/x', 'host_invalid', 'character'],
    ['http://0x7f.1/x', 'host_invalid', 'unusual'],
    ['http://2130706433/x', 'host_invalid', 'unusual'],
    ['http://deb.example./debian/x', 'host_invalid', 'label'],
    ['http://deb.example/debian/../x', 'path_ambiguous', 'two ways'],
    ['http://deb.example/debian/x#y', 'path_ambiguous', ''],
    ['http://deb.example:443/debian/x', 'egress_denied', 'open a tunnel'],
    ['http://deb.example:8080/debian/x', 'egress_denied', 'no egress service lists deb.example:8080'],
    ['http://other.example/x', 'egress_denied', 'no egress service lists other.example:80'],
    ['http://127.0.0.1/x', 'egress_denied', 'no egress service lists 127.0.0.1:80'],
    ['http://169.254.169.254/latest', 'egress_denied', 'no egress service lists'],
    ['http://a.b.raw.example/', 'egress_denied', 'no egress service lists'],
    ['http://private.example/', 'egress_denied', 'checkout may not call theirs'],
    ['http://closed.example/', 'egress_denied', 'closed may not be called in dev'],
    ['http://test.example/', 'egress_denied', 'github does not list test.example:80 in dev'],
    ['http://one.broken.example/', 'config_quarantined', 'broken is broken'],
  ])('%s is refused', async (target, code, words) => {
    const refused = await call('GET', target)
    expect(refused.code).toBe(code)
    expect(refused.detail).toContain(words)
    expect(refused.vendor.calls).toEqual([])
  })

  it('is refused by method and path as its service says, and for a host that is named twice or is none', async () => {
    expect(await call('POST', 'http://deb.example/debian/x')).toMatchObject({ code: 'egress_denied', status: 403 })
    expect(await call('GET', 'http://deb.example/other')).toMatchObject({ code: 'egress_denied' })
    expect(await call('GET', 'http://deb.example/debian/x', { Host: ['a.example', 'b.example'] })).toMatchObject({ code: 'host_invalid' })
    expect(await call('GET', 'http://deb.example/debian/x', { Host: 'a.example, b.example' })).toMatchObject({ code: 'host_invalid' })
    expect(await call('GET', 'http://deb.example/debian/x', { Host: [] })).toMatchObject({ code: 'host_invalid' })
  })

  it('goes where x-egress-env says, which counts like that of any call', async () => {
    expect((await call('GET', 'http://test.example/', { 'x-egress-env': 'test' })).answer.headers.get('x-egress-env')).toBe('test')
    expect(await call('GET', 'http://test.example/', { 'x-egress-env': 'prod' })).toMatchObject({ code: 'env_denied' })
    expect(await call('GET', 'http://test.example/', { 'x-egress-env': ['test', 'test'] })).toMatchObject({ code: 'env_invalid' })
  })

  it('belongs to the service that names its host before one that holds it by a wildcard', async () => {
    expect((await call('GET', 'http://exact.raw.example/debian/x')).answer.headers.get('x-egress-service')).toBe('packages')
    expect((await call('GET', 'http://other.raw.example/')).answer.headers.get('x-egress-service')).toBe('github')
  })

  it('to ever new hosts keeps no more than a thousand places open, and those in use among them', async () => {
    const channels = fakeChannels({ http: async () => ({ kind: 'http', status: 200, headers: new FieldList(), body: undefined }) })
    const ports = fakePorts({ channels, resolve })
    const wild = egressPolicy({ ...given, services: [linked(proxy('wild'), hosts('dev', ['*.wild.example']))] })
    const walk = buildEgress(wild, buildUpstream(wild, ports), ports)
    const ask = (host: string) =>
      walk(arrival('GET', `http://${host}.wild.example/`, {}, { listener: 'egress', scheme: 'http', receivedAt: ports.clock.ticks() }))
    for (let i = 0; i < 1100; i++) {
      expect((await ask(`h${i}`)).status).toBe(200)
      if (i % 100 === 0) await ask('often')
    }
    expect(channels.acquired.length - channels.released.length).toBe(1000)
    expect(channels.released.some(({ address }) => address.kind === 'tcp' && address.host === 'often.wild.example')).toBe(false)
    expect(channels.acquired.filter(({ address }) => address.kind === 'tcp' && address.host === 'often.wild.example')).toHaveLength(1)
  })

  it('is taken on the shared listener alone, over HTTP/1 alone, and where the listener is a proxy alone', async () => {
    const target = 'http://deb.example/debian/x'
    expect(await call('GET', target, {}, { listener: 'egress:payments' })).toMatchObject({ code: 'request_invalid' })
    expect(await call('GET', target, {}, { httpVersion: '2', authority: 'deb.example' })).toMatchObject({ code: 'request_invalid' })
    expect(await call('GET', target, {}, { policy: egressPolicy({ services }) })).toMatchObject({ code: 'request_invalid' })
    // A Host is no request to a proxy.
    expect(await call('GET', '/debian/x', { Host: 'deb.example' })).toMatchObject({ code: 'service_unknown' })
  })

  it('never goes to a host of production, by name or address, unless it is the same host of the same service', async () => {
    expect(await call('GET', 'http://pay.example/')).toMatchObject({ code: 'address_denied', detail: 'pay.example is production (payments)' })
    expect(await call('GET', 'http://same.example/')).toMatchObject({ status: 200 })
    const { vendor } = await call('GET', 'http://same.example/')
    const vet = vendor.sent[0]?.vet
    // The address of another production target stays closed at its port.
    expect(await vet?.('93.184.216.1', 443)).toBeUndefined()
    expect(await vet?.('93.184.216.2', 443)).toBe('93.184.216.2:443 is production (pay.example)')
    expect(await vet?.('10.0.0.1', 80)).toContain('not a public address')
    expect(await vet?.('127.0.0.1', 9100)).toContain('our own listeners')
  })
})

const given = {
  callers: [caller('checkout', { mayChooseEnv: ['test'] })],
  listeners: { egress: { address: { host: '127.0.0.1', port: 9100 }, proxy: true } },
} as const

describe('CONNECT', () => {
  it('is placed like any call, and answered without a length', async () => {
    const { request, place } = await connect('GitHub.example:443')
    expect(place).toMatchObject({
      caller: 'checkout',
      target: { host: 'github.example', port: 443, environment: 'dev', tls: false },
      settings: stream,
      clientHelloMs: 5000,
      question: { service: 'github', caller: 'checkout', wanted: undefined, proxied: { host: 'github.example', port: 443 } },
    })
    const { status, headers, body } = request.accept()
    expect([status, body, headers.has('content-length')]).toEqual([200, undefined, false])
    expect(headers.get('x-egress-service')).toBe('github')
    expect(headers.get('x-egress-env')).toBe('dev')
    expect(headers.get('x-egress-request-id')).toBe(request.id)
  })

  it.each<[string, string, string]>([
    ['/etc/passwd', 'host_invalid', 'character'],
    ['a@github.example:443', 'host_invalid', 'userinfo'],
    ['github.example:22:443', 'host_invalid', 'port'],
    ['github.example', 'host_invalid', 'names no port'],
    ['github.example:', 'host_invalid', 'port'],
    ['github.example:0443', 'host_invalid', 'port'],
    ['github.example:0', 'host_invalid', 'port'],
    ['github.example:443/', 'host_invalid', 'port'],
    ['http://github.example:443', 'host_invalid', ''],
    ['[::1]:443', 'egress_denied', 'no egress service lists [::1]:443'],
    ['[::ffff:127.0.0.1]:443', 'egress_denied', 'lists 127.0.0.1:443'],
    ['0177.0.0.1:443', 'host_invalid', 'unusual'],
    ['github.example.:443', 'host_invalid', 'label'],
    ['gïthub.example:443', 'host_invalid', 'character'],
    ['other.example:80', 'egress_denied', 'no egress service lists other.example:80'],
    ['closed.example:80', 'egress_denied', 'closed may not be called in dev'],
    ['private.example:80', 'egress_denied', 'checkout may not call theirs'],
    ['github.example:22', 'egress_denied', 'no egress service lists github.example:22'],
    ['other.example:443', 'egress_denied', 'no egress service lists other.example:443'],
    ['deb.example:443', 'egress_denied', 'does not say connect: true'],
    ['private.example:443', 'egress_denied', 'checkout may not call theirs'],
    ['payments.egress.internal:443', 'egress_denied', 'ask for http://payments.egress.internal/'],
    ['closed.example:443', 'egress_denied', 'closed may not be called in dev'],
    ['pay.example:443', 'address_denied', 'is production'],
    ['one.broken.example:443', 'config_quarantined', 'broken'],
  ])('to %s is refused', async (target, code, words) => {
    const refused = await connect(target)
    expect([refused.code, refused.detail]).toEqual([code, expect.stringContaining(words)])
    const { headers, body } = refused.request.refuse(new Fault('egress_denied', 'nö\r\nx: y'))
    expect(headers.get('proxy-status')).toContain('sallyport; error=')
    expect(headers.get('x-egress-reason')).toBe('n?x: y')
    expect(await textOf(body)).toContain('egress_denied')
  })

  it.each<[string, HeaderInput, ArrivalOptions, string]>([
    ['a body', { Host: 'github.example:443', 'Content-Length': '5' }, {}, 'request_invalid'],
    ['a chunked body', { Host: 'github.example:443', 'Transfer-Encoding': 'chunked' }, {}, 'request_invalid'],
    ['no Host', { Host: [] }, {}, 'host_invalid'],
    ['two Hosts', { Host: ['github.example', 'b.example'] }, {}, 'host_invalid'],
    ['two environments', { 'x-egress-env': ['test', 'test'] }, {}, 'env_invalid'],
    ['another environment', { 'x-egress-env': 'prod' }, {}, 'env_denied'],
    ['an environment that does not list it', { 'x-egress-env': 'test' }, {}, 'egress_denied'],
    ['the port of a service', {}, { listener: 'egress:payments' }, 'not_implemented'],
    ['HTTP/2', {}, { httpVersion: '2', authority: 'github.example:443' }, 'not_implemented'],
    ['no forward proxy', {}, { policy: egressPolicy({ services }) } as ArrivalOptions, 'not_implemented'],
  ])('with %s is refused', async (_, headers, options, code) => {
    expect((await connect('github.example:443', headers, options)).code).toBe(code)
  })

  it('to port 80 is for requests in the clear, with or without tunnels, and dials nothing', async () => {
    const { request } = await connect('deb.example:80')
    expect(request.decided).toBe('clear')
    expect(request.accept().headers.get('x-egress-service')).toBe('packages')
  })

  it('needs no Host in HTTP/1.0, and none that agrees', async () => {
    expect((await connect('github.example:443', { Host: [] }, { httpVersion: '1.0' })).code).toBe('open')
    expect((await connect('github.example:443', { Host: 'proxy.internal:9100', 'Content-Length': '0' })).code).toBe('open')
  })

  it('leads to another place after a switch, or to none', () => {
    const ports = fakePorts({ resolve })
    const question = { service: 'github', caller: 'checkout', wanted: undefined, proxied: { host: 'github.example', port: 443 } }
    const before = buildTunnels(policy, ports).again(question)
    expect(buildTunnels(policy, ports).again(question).sameAs).toBe(before.sameAs)
    expect(switchObstacle(policy, 'github', 'test')).toBeUndefined()
    const one = { id: '01', service: 'github', environment: 'test', by: 'ada', reason: 'x', at: 0, endsAt: undefined }
    expect(() => buildTunnels(switchedPolicy(policy, [one]), ports).again(question)).toThrow('does not list github.example:443 in test')
    const both = egressPolicy({ ...given, services: [linked(proxy('github'), hosts('dev', ['github.example']), hosts('test', ['github.example']))] })
    const [here, there] = [buildTunnels(both, ports).again(question), buildTunnels(switchedPolicy(both, [one]), ports).again(question)]
    expect(here.sameAs).not.toBe(there.sameAs)
  })
})

describe('egress explain and list', () => {
  async function explain(question: Partial<EgressQuestion>) {
    const lines = await explainEgress(policy, { service: 'github', method: 'CONNECT', path: '/', ...question }, fakePorts({ resolve }))
    return lines.map(({ rule, ok, detail }) => `${ok ? 'ok' : 'no'} ${rule}: ${detail}`)
  }

  it('walk a tunnel through every rule', async () => {
    const proxied = readProxiedCall('', 'https://same.example')
    expect(proxied).toEqual({ method: 'CONNECT', host: 'same.example', port: 443, path: '/' })
    expect(proxied && serviceOfCall(policy, proxied, undefined)).toBe('shares')
    expect(await explain({ service: 'shares', proxied })).toEqual([
      'ok service: shares: through the forward proxy',
      'ok caller: checkout',
      'ok allow: shares/connect',
      'ok environment: dev, chosen by the process',
      'ok ceiling: dev is nonprod',
      'ok target: same.example:443',
      'ok mode: live',
      'ok production: no name of this target is a production host',
      'ok address: 93.184.216.1 port 443 (global): may be dialled',
    ])
  })

  it.each([
    ['packages', 'GET', 'http://deb.example/debian/x', 'ok allow: packages/read'],
    ['packages', 'POST', 'http://deb.example/debian/x', 'no allow: POST /debian/x is not among the calls allowed to packages'],
    ['packages', 'CONNECT', 'deb.example:443', 'no allow: packages has no tunnels: its policy does not say connect: true'],
    ['packages', 'CONNECT', 'deb.example:80', 'no way: a tunnel to port 80 carries requests in the clear: ask about them, http://…'],
    ['packages', 'GET', 'http://deb.example:443/x', 'no way: port 443 is not spoken to in the clear: open a tunnel'],
    ['github', 'CONNECT', 'test.example:443', 'no target: github does not list test.example:443 here'],
    ['shares', 'CONNECT', 'pay.example:443', 'no production: pay.example is production (payments)'],
  ])('say why %s %s %s passes or not', async (name, method, where, words) => {
    const proxied = readProxiedCall(method, where)
    expect(await explain({ service: name, method: proxied?.method ?? '', path: proxied?.path ?? '', proxied })).toContain(words)
  })

  it('know a service by its name, to which no tunnel leads', async () => {
    const named = readProxiedCall('', 'http://payments.egress.internal/x')
    const tunnel = readProxiedCall('CONNECT', 'payments.egress.internal:443')
    expect(named && serviceOfCall(policy, named, 'checkout')).toBe('payments')
    expect(await explain({ service: 'payments', method: 'GET', path: '/x', proxied: named })).toEqual([
      'ok service: payments: host payments.egress.internal',
      'ok caller: checkout',
      'ok path: /x',
      'ok allow: payments/any',
      'ok environment: dev, chosen by the process',
      'ok ceiling: dev is nonprod',
      'ok target: none: answered by the gateway',
      'ok mode: mock',
    ])
    expect(await explain({ service: 'payments', proxied: tunnel })).toContain(
      'no way: no tunnel leads to a service of this ambassador: ask about http://payments.egress.internal/',
    )
  })

  it('name what nobody lists, and what a question leaves out', async () => {
    const proxied = readProxiedCall('', 'https://nobody.example')
    expect(proxied && serviceOfCall(policy, proxied, 'checkout')).toBeUndefined()
    expect(await explain({ service: '', proxied })).toEqual(['no service: no egress service lists nobody.example:443'])
    expect(await explain({})).toEqual(['no service: github is called through the forward proxy: say which host'])
    expect([readProxiedCall('GET', '/x'), readProxiedCall('GET', 'a.example:443'), readProxiedCall('CONNECT', 'a.example')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it('show hosts and ports', () => {
    expect(listEgress(policy).filter(({ service: name }) => name === 'github')).toMatchObject([
      { environment: 'dev', mode: 'proxy', target: 'github.example, *.raw.example port 443, 80, 8443', secret: undefined },
      { environment: 'test', mode: 'proxy', target: 'test.example port 443, 80, 8443' },
    ])
  })
})

describe('the guard of production', () => {
  it('denies names that a wildcard of production holds', async () => {
    const guards = [{ host: '*.live.example', port: 443, service: 'web', proxied: true }] as const
    const guarded = egressPolicy({
      ...given,
      guards,
      services: [linked(proxy('web'), hosts('dev', ['*.live.example'])), linked(service('own'), live('dev', 'https://a.live.example'))],
    })
    expect((await connect('a.live.example:443', undefined, { policy: guarded })).code).toBe('address_denied')
    expect(await call('GET', '/', { Host: 'own.egress.internal' }, { policy: guarded })).toMatchObject({ code: 'address_denied' })
    const known = egressPolicy({ ...given, guards, services: [linked(proxy('web'), hosts('dev', ['*.live.example'], { sharesAddressWithProd: true }))] })
    expect((await connect('a.live.example:443', undefined, { policy: known })).code).toBe('open')
  })
})
