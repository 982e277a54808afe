import { expect, test } from 'vitest'
import type { GrpcCall, HttpCall, Reply } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Cluster } from '../../src/core/policy/linked/clusters.ts'
import type { CallOptions, Endpoint } from '../../src/core/ports.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { grpcCall, httpCall } from '../support/calls.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakeChannels, fakePorts, fakeResolve } from '../support/ports.ts'
import { at, cluster, foundBy, grpcReply, httpReply, retry, sendable } from '../support/sendable.ts'
import { gate, textOf } from '../support/sockets.ts'

type Answer = (options: CallOptions, endpoint: Endpoint) => Promise<Reply>

/** One cluster `c` whose endpoints answer like this. */
function setUp(given: Partial<Cluster> = {}, answer?: Answer) {
  const channels = fakeChannels({
    http: async (_call, options, endpoint) => (await (answer ?? (async () => httpReply(200)))(options, endpoint)) as ReturnType<typeof httpReply>,
    grpc: async (_call, options, endpoint) => (await (answer ?? (async () => grpcReply(['m'])))(options, endpoint)) as ReturnType<typeof grpcReply>,
  })
  const ports = fakePorts({ channels, resolve: fakeResolve({ 'orders.shop': ['10.0.0.1'] }) })
  return { ...ports, upstream: buildUpstream(emptyPolicy({ clusters: { c: cluster('c', given) } }), ports) }
}

/** Headers or metadata that the upstream got. */
function sentFields(calls: readonly { readonly call: HttpCall | GrpcCall }[]): Record<string, string> {
  const call = calls[calls.length - 1]?.call
  if (call === undefined) throw new Error('nothing was sent')
  return Object.fromEntries((call.kind === 'grpc' ? call.metadata : call.headers).entries())
}

const hostile = new FieldList([
  ['x-envoy-upstream-rq-timeout-ms', '999999'],
  ['x-envoy-retry-on', '5xx'],
  ['x-forwarded-client-cert', 'forged'],
  ['l5d-dst-override', 'admin.internal:80'],
  ['l5d-request-timeout', '1h'],
  ['grpc-timeout', '9H'],
  ['x-egress-env', 'prod'],
  ['x-mine', 'kept'],
])

test('to an Envoy sidecar goes the remaining time, and nothing a client said about routing', async () => {
  const { upstream, channels, clock } = setUp({ sidecar: 'envoy' })
  clock.advance(250.5)
  await upstream.forward(sendable({ call: httpCall({ headers: hostile }), route: { timeoutMs: 2_000 } }))
  expect(sentFields(channels.calls)).toEqual({ 'x-mine': 'kept', 'x-envoy-upstream-rq-timeout-ms': '1749' })
  await upstream.forward(sendable({ call: grpcCall({ metadata: hostile }), route: { timeoutMs: 2_000 } }))
  expect(sentFields(channels.calls)).toEqual({ 'x-mine': 'kept', 'x-envoy-upstream-rq-timeout-ms': '1749', 'grpc-timeout': '1749m' })
})

test.each(['istio', 'consul'] as const)('to the %s sidecar, which is Envoy, goes the same', async (sidecar) => {
  const { upstream, channels } = setUp({ sidecar })
  await upstream.forward(sendable({ call: httpCall({ headers: hostile }), route: { timeoutMs: 2_000 } }))
  expect(sentFields(channels.calls)).toEqual({ 'x-mine': 'kept', 'x-envoy-upstream-rq-timeout-ms': '2000' })
})

test.each([
  ['envoy', { 'x-envoy-max-retries': '0' }],
  ['istio', { 'x-envoy-max-retries': '0' }],
  ['consul', { 'x-envoy-max-retries': '0' }],
  ['linkerd', { 'l5d-retry-limit': '0' }],
  ['none', {}],
] as const)('where the gateway repeats by itself, the %s sidecar is told not to', async (sidecar, expected) => {
  const { upstream, channels } = setUp({ sidecar })
  const told = () => Object.fromEntries(Object.entries(sentFields(channels.calls)).filter(([name]) => name.includes('retr')))
  await upstream.forward(sendable({ call: httpCall({ headers: hostile }) }))
  expect(told()).toEqual({})
  await upstream.forward(sendable({ call: httpCall({ headers: hostile }), route: { retry: retry() } }))
  expect(told()).toEqual(expected)
})

test('to a Linkerd proxy goes the destination with its port, on every request, from the policies alone', async () => {
  for (const [given, destination] of [
    [{ authority: 'orders.shop:8080' }, 'orders.shop:8080'],
    [{ authority: 'orders.shop' }, 'orders.shop:80'],
    [{ authority: 'orders.shop', endpoints: foundBy({ kind: 'dns', name: 'orders.shop', port: 9000 }) }, 'orders.shop:9000'],
    [{ endpoints: foundBy({ kind: 'dns', name: 'orders.shop', port: 9000 }) }, 'orders.shop:9000'],
  ] as const satisfies readonly (readonly [Partial<Cluster>, string])[]) {
    const { upstream, channels } = setUp({ sidecar: 'linkerd', ...given })
    await upstream.forward(sendable({ call: httpCall({ headers: hostile, authority: 'evil.example' }), route: { timeoutMs: 2_000 } }))
    expect(sentFields(channels.calls)).toEqual({ 'x-mine': 'kept', 'l5d-dst-override': destination, 'l5d-request-timeout': '2000ms' })
  }
})

test('without a sidecar only gRPC is told its time', async () => {
  const { upstream, channels } = setUp({ sidecar: 'none' })
  await upstream.forward(sendable({ call: httpCall({ headers: hostile }) }))
  expect(sentFields(channels.calls)).toEqual({ 'x-mine': 'kept' })
  await upstream.forward(sendable({ call: grpcCall(), route: { timeoutMs: 1_500 } }))
  expect(sentFields(channels.calls)).toEqual({ 'grpc-timeout': '1500m' })
})

test('the deadline is the earlier of the downstream’s and the route’s', async () => {
  const { upstream, channels } = setUp()
  await upstream.forward(sendable({ call: grpcCall(), deadline: 1_700, route: { timeoutMs: 2_000 } }))
  expect(sentFields(channels.calls)['grpc-timeout']).toBe('700m')
  await upstream.forward(sendable({ call: grpcCall(), deadline: 9_000, route: { timeoutMs: 2_000 } }))
  expect(sentFields(channels.calls)['grpc-timeout']).toBe('2000m')
  expect(channels.calls.map(({ options }) => options.deadline)).toEqual([1_700, 3_000])
})

test('a deadline that has passed is refused without a call', async () => {
  const { upstream, channels, clock } = setUp()
  clock.advance(1_999.5)
  await expect(upstream.forward(sendable({ route: { timeoutMs: 2_000 } }))).rejects.toMatchObject({ code: 'deadline_exhausted' })
  expect(channels.calls).toEqual([])
})

test('a stream without a stated deadline may run on once it has begun; its beginning may not', async () => {
  const silent = gate()
  const { upstream, channels, clock } = setUp({}, async () => ({
    ...grpcReply([]),
    messages: (async function* () {
      yield Buffer.from('one')
      await silent.promise
      yield Buffer.from('two')
    })(),
  }))
  const call = grpcCall({ serverStream: true })
  const reply = await upstream.forward(sendable({ call, route: { timeoutMs: 2_000 } }))
  expect(sentFields(channels.calls)).not.toHaveProperty('grpc-timeout')
  if (reply.kind !== 'grpc') throw new Error('not gRPC')
  const messages = reply.messages[Symbol.asyncIterator]()
  await messages.next()
  clock.advance(60_000)
  expect(channels.calls[0]?.options.lifeline.ended).toBeUndefined()
  silent.resolve()
  expect((await messages.next()).done).toBe(false)

  await upstream.forward(sendable({ call, route: { timeoutMs: 2_000 }, receivedAt: clock.ticks() }))
  clock.advance(2_000)
  expect(channels.calls[1]?.options.lifeline.ended?.code).toBe('deadline_exceeded')
})

test('a stated deadline ends a stream in the middle, and the route’s a unary call whose end does not come', async () => {
  const begun = () => ({
    ...grpcReply([]),
    messages: (async function* () {
      yield Buffer.from('one')
      await new Promise<never>(() => {})
    })(),
  })
  for (const given of [
    { call: grpcCall({ serverStream: true }), deadline: 2_000 },
    { call: grpcCall(), route: { timeoutMs: 1_000 } },
  ]) {
    const { upstream, channels, clock } = setUp({}, async () => begun())
    const reply = await upstream.forward(sendable(given))
    if (reply.kind === 'grpc') await reply.messages[Symbol.asyncIterator]().next()
    clock.advance(999)
    expect(channels.calls[0]?.options.lifeline.ended).toBeUndefined()
    clock.advance(1)
    expect(channels.calls[0]?.options.lifeline.ended?.code).toBe('deadline_exceeded')
  }
})

test('a download may outlast the route’s timeout, but not what the downstream stated', async () => {
  const body = () =>
    httpReply(200, {
      body: (async function* () {
        yield Buffer.from('x')
      })(),
    })
  const { upstream, channels, clock } = setUp({}, async () => body())
  await upstream.forward(sendable({ route: { timeoutMs: 1_000 } }))
  await upstream.forward(sendable({ deadline: 2_000 }))
  clock.advance(5_000)
  expect(channels.calls.map(({ options }) => options.lifeline.ended?.code)).toEqual([undefined, 'deadline_exceeded'])
})

test('a downstream that goes away cancels the upstream call', async () => {
  const { upstream, channels } = setUp({}, () => new Promise<never>(() => {}))
  const lifeline = new Lifeline()
  void upstream.forward(sendable({ lifeline })).catch(() => {})
  await new Promise((resolve) => setImmediate(resolve))
  lifeline.end(new Fault('client_closed', 'gone'))
  expect(channels.calls[0]?.options.lifeline.ended?.code).toBe('client_closed')
})

test('what is wrong with the client’s own stream does not make an endpoint look slow', async () => {
  const endpoints = at('10.0.0.1:80', '10.0.0.2:80')
  const outcomes = { '10.0.0.1': new Fault('body_invalid', 'message 1: no'), '10.0.0.2': new Fault('upstream_reset', 'gone') }
  const hosts: string[] = []
  const { upstream, clock } = setUp({ balance: 'peak_ewma', endpoints }, async (_options, { address }) => {
    const host = address.kind === 'tcp' ? address.host : ''
    hosts.push(host)
    clock.advance(10)
    throw outcomes[host as keyof typeof outcomes]
  })
  for (let i = 0; i < 40; i += 1) await upstream.forward(sendable({ call: grpcCall() })).catch(() => {})
  expect(hosts.slice(10)).toEqual(Array.from({ length: 30 }, () => '10.0.0.1'))
})

test('a request counts against the cap until its answer has ended, whichever way it ends', async () => {
  const endless = () =>
    httpReply(200, {
      body: (async function* () {
        yield Buffer.from('x')
      })(),
    })
  const { upstream } = setUp({ caps: { requests: 1 } }, async () => endless())
  const full = () => expect(upstream.forward(sendable())).rejects.toMatchObject({ code: 'overloaded', detail: { headers: [['retry-after', '1']] } })
  const bodyOf = (reply: Reply) => (reply.kind === 'http' ? reply.body : undefined) as AsyncIterable<Uint8Array>

  const read = await upstream.forward(sendable())
  await full()
  await textOf(bodyOf(read))

  const dropped = await upstream.forward(sendable())
  await full()
  await bodyOf(dropped)[Symbol.asyncIterator]().return?.()

  const lifeline = new Lifeline()
  await upstream.forward(sendable({ lifeline }))
  await full()
  lifeline.end(new Fault('client_closed', 'gone'))

  await textOf(bodyOf(await upstream.forward(sendable())))
})

test('a cluster is counted over snapshots, and failures leave nothing behind', async () => {
  const { upstream, meter } = setUp({ caps: { requests: 1 } }, () => Promise.reject(new Fault('upstream_reset', 'broke')))
  for (let i = 0; i < 3; i += 1) await expect(upstream.forward(sendable())).rejects.toMatchObject({ code: 'upstream_reset' })
  expect(meter.total('sallyport_upstream_requests_total', { cluster: 'c', outcome: 'upstream_reset' })).toBe(3)
  const gauges = meter.samples.filter(({ name }) => name === 'sallyport_upstream_active_requests').map(({ value }) => value)
  expect(gauges).toEqual([1, 0, 1, 0, 1, 0])
})

test('outcomes are counted when the answer has ended: by class, by gRPC code, by fault', async () => {
  const answers = [httpReply(204), httpReply(503)]
  const { upstream, meter } = setUp({}, async () => answers.shift() ?? grpcReply(['m'], { code: 5 }))
  await upstream.forward(sendable())
  await upstream.forward(sendable())
  const reply = await upstream.forward(sendable({ call: grpcCall() }))
  if (reply.kind === 'grpc') await textOf(reply.messages)
  const outcomes = meter.samples.filter(({ name }) => name === 'sallyport_upstream_requests_total').map(({ labels }) => labels.outcome)
  expect(outcomes).toEqual(['2xx', '5xx', 'grpc_5'])
})

test('a subset goes to its own endpoints, and by its own name where the mesh decides', async () => {
  const subsets: Cluster['subsets'] = {
    v2: { authority: 'orders-v2.shop', endpoints: undefined },
    canary: { authority: undefined, endpoints: { kind: 'static', addresses: [{ kind: 'unix', path: '/run/canary.sock', weight: 1 }] } },
  }
  const { upstream, channels } = setUp({ sidecar: 'linkerd', authority: 'orders.shop', subsets })
  await upstream.forward(sendable({ subset: 'v2' }))
  expect(sentFields(channels.calls)['l5d-dst-override']).toBe('orders-v2.shop:80')
  const x = sendable({ subset: 'canary' })
  await upstream.forward(x)
  expect(x.sent).toMatchObject({ endpoint: '/run/canary.sock', attempts: 1 })
  await expect(upstream.forward(sendable({ subset: 'v3' }))).rejects.toMatchObject({ code: 'internal' })
})

test('a quarantined cluster is refused, not dialled', async () => {
  const { upstream, channels } = setUp({ quarantined: 'broken' })
  await expect(upstream.forward(sendable())).rejects.toMatchObject({ code: 'config_quarantined' })
  expect(channels.acquired).toEqual([])
})

test('TLS is checked against the configured name, else the authority, else the dialled name', async () => {
  const tls = { serverName: undefined, ca: 'file:ca', certificate: undefined, key: undefined }
  const nameFor = (given: Partial<Cluster>) => setUp({ tls, ...given }).channels.acquired[0]?.tls?.serverName
  expect(nameFor({ tls: { ...tls, serverName: 'named' }, authority: 'auth:1' })).toBe('named')
  expect(nameFor({ authority: 'auth:1' })).toBe('auth')
  expect(nameFor({})).toBe('10.0.0.1')
})
