import { expect, test } from 'vitest'
import type { Reply } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Cluster } from '../../src/core/policy/linked/clusters.ts'
import type { HealthCheck, Outlier } from '../../src/core/policy/linked/health.ts'
import type { CallOptions, Endpoint } from '../../src/core/ports.ts'
import { buildUpstream, endpointsOf } from '../../src/core/upstream.ts'
import { grpcCall, httpCall } from '../support/calls.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakeChannels, fakePorts } from '../support/ports.ts'
import { at, cluster, grpcReply, httpReply, sendable } from '../support/sendable.ts'

const outlier = (given: Partial<Outlier> = {}): Outlier => ({
  consecutive5xx: 0,
  consecutiveGateway: 3,
  successRate: undefined,
  slow: undefined,
  intervalMs: 10_000,
  ejectForMs: 10_000,
  maxEjectForMs: 60_000,
  maxEjected: 0.5,
  ...given,
})

const check = (given: Partial<HealthCheck> = {}): HealthCheck => ({
  ask: { kind: 'http', path: '/healthz', statuses: [{ from: 200, to: 299 }] },
  intervalMs: 5_000,
  timeoutMs: 1_000,
  healthyAfter: 2,
  unhealthyAfter: 3,
  ...given,
})

type Behaviour = (options: CallOptions, isCheck: boolean) => Promise<Reply>

const hostOf = ({ address }: Endpoint) => (address.kind === 'tcp' ? address.host : address.path)
const isCheck = ({ key }: Endpoint) => key.startsWith('health ')

/** One cluster `c`; every endpoint behaves as its host says, or answers 200. */
function setUp(given: Partial<Cluster> = {}) {
  const does = new Map<string, Behaviour>()
  const reached: string[] = []
  const behave = (options: CallOptions, endpoint: Endpoint, usual: Reply) => does.get(hostOf(endpoint))?.(options, isCheck(endpoint)) ?? Promise.resolve(usual)
  const channels = fakeChannels({
    http: (_call, options, endpoint) => behave(options, endpoint, httpReply(200)) as Promise<ReturnType<typeof httpReply>>,
    grpc: (_call, options, endpoint) => behave(options, endpoint, grpcReply(['\u0008\u0001'])) as Promise<ReturnType<typeof grpcReply>>,
    reach: async (endpoint) => {
      reached.push(hostOf(endpoint))
      await behave({} as CallOptions, endpoint, httpReply(200))
    },
  })
  const ports = fakePorts({ channels })
  const build = (more: Partial<Cluster> = {}) => buildUpstream(emptyPolicy({ clusters: { c: cluster('c', { ...given, ...more }) } }), ports)
  const upstream = build()
  /** Hosts that answered so many requests, failed ones as `!`. */
  const ask = async (count = 1, route: Parameters<typeof sendable>[0] = {}) => {
    const hosts: string[] = []
    for (let i = 0; i < count; i += 1) {
      const x = sendable({ receivedAt: ports.clock.ticks(), ...route })
      const failed = await upstream.forward(x).then(
        () => '',
        () => '!',
      )
      hosts.push(failed + (x.sent?.endpoint.split(':')[0] ?? ''))
    }
    return hosts
  }
  const status = () => Object.fromEntries(endpointsOf(ports).map(({ endpoint, health }) => [endpoint.split(':')[0], health]))
  const checksOf = (host: string) => channels.calls.filter(({ endpoint }) => isCheck(endpoint) && hostOf(endpoint) === host).length
  return { ...ports, channels, upstream, build, does, ask, status, checksOf, reached }
}

const refuse = () => Promise.reject(new Fault('upstream_unavailable', 'refused'))
const settled = async () => {
  for (let i = 0; i < 20; i += 1) await Promise.resolve()
}

test('failures in a row eject, an ejection ends, and the second one is longer', async () => {
  const { ask, does, clock, status, meter } = setUp({ outlier: outlier() })
  does.set('10.0.0.1', refuse)
  const first = await ask(10)
  expect(first.filter((host) => host === '!10.0.0.1')).toHaveLength(3)
  expect(status()).toEqual({ '10.0.0.1': 'ejected', '10.0.0.2': 'healthy' })
  expect(meter.total('sallyport_upstream_ejections_total', { cluster: 'c', cause: 'consecutive_gateway' })).toBe(1)
  clock.advance(9_999)
  expect(await ask(4)).toEqual(Array(4).fill('10.0.0.2'))
  clock.advance(1)
  // One request tells that it is still not well; then it is out for twice as long.
  expect((await ask(6)).filter((host) => host === '!10.0.0.1')).toHaveLength(1)
  clock.advance(19_999)
  expect(await ask(4)).toEqual(Array(4).fill('10.0.0.2'))
  clock.advance(1)
  does.delete('10.0.0.1')
  expect((await ask(10)).filter((host) => host === '10.0.0.1').length).toBeGreaterThanOrEqual(4)
  expect(status()).toEqual({ '10.0.0.1': 'healthy', '10.0.0.2': 'healthy' })
})

test('an ejection is never longer than the longest, and good behaviour redeems', async () => {
  const { ask, does, clock, upstream, ...ports } = setUp({ outlier: outlier({ maxEjectForMs: 15_000 }) })
  const backIn = () => endpointsOf({ ...ports, clock }).find(({ endpoint }) => endpoint.startsWith('10.0.0.1'))?.backInMs
  does.set('10.0.0.1', refuse)
  await ask(8)
  expect(backIn()).toBe(10_000)
  clock.advance(10_000)
  await ask(4)
  expect(backIn()).toBe(15_000)
  clock.advance(15_000)
  does.delete('10.0.0.1')
  await ask(4)
  clock.advance(60_000)
  does.set('10.0.0.1', refuse)
  await ask(8)
  expect(backIn()).toBe(10_000)
  await upstream.close()
})

test('while an endpoint is back and not proven it gets one request at a time', async () => {
  const { ask, does, clock, upstream, channels } = setUp({ outlier: outlier() })
  does.set('10.0.0.1', refuse)
  await ask(8)
  clock.advance(10_000)
  does.set('10.0.0.1', () => new Promise<Reply>(() => {}))
  const before = channels.calls.length
  for (let i = 0; i < 20; i += 1) void upstream.forward(sendable({ receivedAt: clock.ticks() })).catch(() => {})
  await settled()
  expect(channels.calls.slice(before).filter(({ endpoint }) => hostOf(endpoint) === '10.0.0.1')).toHaveLength(1)
})

test('a stream whose caller leaves it proves an endpoint', async () => {
  const { ask, does, clock, status, upstream } = setUp({ outlier: outlier() })
  does.set('10.0.0.1', refuse)
  await ask(8)
  clock.advance(10_000)
  async function* endless() {
    for (;;) yield Buffer.from('data: 1\n\n')
  }
  for (const host of ['10.0.0.1', '10.0.0.2']) does.set(host, () => Promise.resolve(httpReply(200, { body: endless() })))
  for (let i = 0; i < 4; i += 1) {
    const reply = await upstream.forward(sendable({ receivedAt: clock.ticks() }))
    const body = reply.kind === 'http' ? (reply.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]() : undefined
    await body?.next()
    await body?.return?.()
  }
  expect(status()['10.0.0.1']).toBe('healthy')
})

test.each([
  ['503 answers', () => Promise.resolve(httpReply(503))],
  ['resets', () => Promise.reject(new Fault('upstream_reset', 'reset'))],
  ['broken protocol', () => Promise.reject(new Fault('upstream_protocol', 'garbage'))],
  [
    'bodies that break off',
    () =>
      Promise.resolve(
        httpReply(200, {
          body: (async function* () {
            yield Buffer.from('half')
            throw new Fault('upstream_reset', 'reset')
          })(),
        }),
      ),
  ],
] as const)('%s eject', async (_what, behaviour) => {
  const { does, status, upstream, clock } = setUp({ outlier: outlier() })
  does.set('10.0.0.1', behaviour)
  for (let i = 0; i < 10; i += 1) {
    try {
      const reply = await upstream.forward(sendable({ receivedAt: clock.ticks() }))
      if (reply.kind === 'http' && reply.body !== undefined) for await (const _chunk of reply.body as AsyncIterable<Uint8Array>);
    } catch {
      // The request failed; what matters is what the gateway learned.
    }
  }
  expect(status()['10.0.0.1']).toBe('ejected')
})

test('500 does not eject unless the policies say so, and success in between starts anew', async () => {
  const plain = setUp({ outlier: outlier() })
  plain.does.set('10.0.0.1', async () => httpReply(500))
  await plain.ask(20)
  expect(plain.status()['10.0.0.1']).toBe('healthy')
  const strict = setUp({ outlier: outlier({ consecutive5xx: 3 }) })
  let turn = 0
  strict.does.set('10.0.0.1', async () => httpReply(turn++ % 3 === 2 ? 200 : 500))
  await strict.ask(20)
  expect(strict.status()['10.0.0.1']).toBe('healthy')
  strict.does.set('10.0.0.1', async () => httpReply(500))
  await strict.ask(10)
  expect(strict.status()['10.0.0.1']).toBe('ejected')
})

test('gRPC statuses count: UNAVAILABLE always, INTERNAL with consecutive5xx, NOT_FOUND never', async () => {
  for (const [code, given, expected] of [
    [14, {}, 'ejected'],
    [13, {}, 'healthy'],
    [13, { consecutive5xx: 3 }, 'ejected'],
    [5, { consecutive5xx: 3 }, 'healthy'],
    [4, { consecutive5xx: 3 }, 'healthy'],
  ] as const) {
    const { does, upstream, status, clock } = setUp({ protocol: 'grpc', outlier: outlier(given) })
    does.set('10.0.0.1', async () => grpcReply([], { code }))
    for (let i = 0; i < 10; i += 1) {
      const reply = await upstream.forward(sendable({ call: grpcCall(), receivedAt: clock.ticks() }))
      if (reply.kind === 'grpc') for await (const _message of reply.messages);
    }
    expect([code, status()['10.0.0.1']]).toEqual([code, expected])
  }
})

test('a frozen endpoint is ejected by deadlines, but nobody ejects one by asking for an answer in no time', async () => {
  const { does, upstream, status, clock } = setUp({ outlier: outlier() })
  const frozen: Behaviour = ({ deadline }) =>
    new Promise((_resolve, reject) => clock.after(deadline - clock.ticks(), () => reject(new Fault('deadline_exceeded', 'late'))))
  const ask = async (timeoutMs: number) => {
    for (let i = 0; i < 12; i += 1) {
      const going = upstream.forward(sendable({ receivedAt: clock.ticks(), route: { timeoutMs } })).catch(() => {})
      await settled()
      clock.advance(timeoutMs)
      await going
    }
  }
  await ask(800)
  for (const host of ['10.0.0.1', '10.0.0.2']) does.set(host, frozen)
  await ask(5)
  expect(status()).toEqual({ '10.0.0.1': 'healthy', '10.0.0.2': 'healthy' })
  does.delete('10.0.0.2')
  await ask(800)
  expect(status()).toEqual({ '10.0.0.1': 'ejected', '10.0.0.2': 'healthy' })
})

test('no more than the share are out, but always one, and never all', async () => {
  for (const [count, maxEjected, expected] of [
    [2, 0, 1],
    [1, 1, 0],
    [4, 0.5, 2],
    [4, 1, 3],
  ] as const) {
    const hosts = Array.from({ length: count }, (_, i) => `10.0.0.${i + 1}`)
    const { does, ask, status } = setUp({ endpoints: at(...hosts.map((host) => `${host}:80`)), outlier: outlier({ maxEjected }) })
    for (const host of hosts) does.set(host, refuse)
    await ask(60)
    expect([count, maxEjected, Object.values(status()).filter((health) => health === 'ejected').length]).toEqual([count, maxEjected, expected])
  }
})

test('a success rate far below the others’ ejects at the end of an interval', async () => {
  const hosts = Array.from({ length: 6 }, (_, i) => `10.0.0.${i + 1}`)
  const rule = outlier({ consecutiveGateway: 0, successRate: { minEndpoints: 5, minRequests: 20, deviations: 1.9 } })
  const { does, ask, status, clock, meter } = setUp({ endpoints: at(...hosts.map((host) => `${host}:80`)), outlier: rule })
  let turn = 0
  does.set('10.0.0.3', async () => httpReply(turn++ % 2 === 0 ? 200 : 500))
  await ask(180)
  expect(Object.values(status())).not.toContain('ejected')
  clock.advance(10_000)
  await ask(1)
  expect(status()['10.0.0.3']).toBe('ejected')
  expect(Object.values(status()).filter((health) => health === 'ejected')).toHaveLength(1)
  expect(meter.total('sallyport_upstream_ejections_total', { cause: 'success_rate' })).toBe(1)
})

test('one that takes many times as long as the others is ejected, one that takes a little longer is not', async () => {
  for (const [slowMs, expected] of [
    [500, 'ejected'],
    [40, 'healthy'],
  ] as const) {
    const rule = outlier({ slow: { times: 5, minRequests: 10 }, intervalMs: 60_000 })
    const { does, upstream, status, clock } = setUp({ endpoints: at('10.0.0.1', '10.0.0.2', '10.0.0.3'), outlier: rule })
    const after =
      (ms: number): Behaviour =>
      () =>
        new Promise((resolve) => clock.after(ms, () => resolve(httpReply(200))))
    does.set('10.0.0.1', after(slowMs))
    for (const host of ['10.0.0.2', '10.0.0.3']) does.set(host, after(10))
    for (let i = 0; i < 60; i += 1) {
      const going = upstream.forward(sendable({ receivedAt: clock.ticks() }))
      await settled()
      clock.advance(10)
      await settled()
      clock.advance(slowMs - 10)
      await going
    }
    clock.advance(60_000)
    const last = upstream.forward(sendable({ receivedAt: clock.ticks() }))
    await settled()
    clock.advance(slowMs)
    await last
    expect([slowMs, status()['10.0.0.1']]).toEqual([slowMs, expected])
  }
})

test('what is known of an endpoint survives a reload, and a short absence', async () => {
  const { does, ask, status, build, upstream, clock } = setUp({ outlier: outlier() })
  does.set('10.0.0.1', refuse)
  await ask(8)
  const next = build()
  await upstream.close()
  expect(status()['10.0.0.1']).toBe('ejected')
  const without = build({ endpoints: at('10.0.0.2:80') })
  await next.close()
  expect(status()).toEqual({ '10.0.0.2': 'healthy' })
  clock.advance(5_000)
  const again = build()
  await without.close()
  expect(status()['10.0.0.1']).toBe('ejected')
  const gone = build({ endpoints: at('10.0.0.2:80') })
  await again.close()
  clock.advance(200_000)
  build()
  await gone.close()
  expect(status()['10.0.0.1']).toBe('healthy')
})

test('what is known of an endpoint survives a reload that changes the cap on connections', async () => {
  const caps = (connections: number | undefined) => ({ caps: { requests: 100, ...(connections !== undefined && { connections }) } })
  const { does, ask, status, build, upstream, clock, lasting } = setUp({ outlier: outlier(), ...caps(20) })
  const answerMs = () => endpointsOf({ lasting, clock }).map((one) => one.answerMs)
  does.set('10.0.0.1', refuse)
  await ask(8)
  const before = answerMs()
  expect(status()['10.0.0.1']).toBe('ejected')
  let last = upstream
  for (const connections of [10, undefined, 30]) {
    const next = build(caps(connections))
    await last.close()
    last = next
    expect(status()).toEqual({ '10.0.0.1': 'ejected', '10.0.0.2': 'healthy' })
    expect(answerMs()).toEqual(before)
  }
  const without = build({ ...caps(30), endpoints: at('10.0.0.2:80') })
  await last.close()
  const again = build(caps(5))
  await without.close()
  expect(status()['10.0.0.1']).toBe('ejected')
  await again.close()
})

test('policies without ejection do not look at what earlier ones ejected', async () => {
  const { does, ask, status, build, upstream, clock } = setUp({ outlier: outlier() })
  does.set('10.0.0.1', refuse)
  await ask(8)
  const next = build({ outlier: undefined })
  await upstream.close()
  expect(status()['10.0.0.1']).toBe('healthy')
  does.delete('10.0.0.1')
  const hosts = new Set<string>()
  for (let i = 0; i < 4; i += 1) {
    const x = sendable({ receivedAt: clock.ticks() })
    await next.forward(x)
    hosts.add(x.sent?.endpoint ?? '')
  }
  expect(hosts.size).toBe(2)
})

test('checks take endpoints out after so many failures and back after so many passes', async () => {
  const { does, ask, status, clock, checksOf, meter } = setUp({ health: check() })
  await settled()
  expect(status()).toEqual({ '10.0.0.1': 'healthy', '10.0.0.2': 'healthy' })
  does.set('10.0.0.1', async (_options, isOfHealth) => httpReply(isOfHealth ? 500 : 200))
  const round = async () => {
    clock.advance(5_500)
    await settled()
  }
  await round()
  await round()
  expect(status()['10.0.0.1']).toBe('healthy')
  await round()
  expect(status()['10.0.0.1']).toBe('unhealthy')
  expect(new Set(await ask(6))).toEqual(new Set(['10.0.0.2']))
  does.delete('10.0.0.1')
  await round()
  expect(status()['10.0.0.1']).toBe('unhealthy')
  await round()
  expect(status()['10.0.0.1']).toBe('healthy')
  expect(new Set(await ask(6)).size).toBe(2)
  expect(checksOf('10.0.0.1')).toBe(6)
  expect(meter.total('sallyport_upstream_health_checks_total', { cluster: 'c', outcome: 'failed' })).toBe(3)
})

test('the first check of all is a verdict, and says why', async () => {
  const { does, clock, lasting, build, upstream } = setUp()
  does.set('10.0.0.1', refuse)
  const checked = build({ health: check() })
  await upstream.close()
  await settled()
  const [first, second] = endpointsOf({ lasting, clock })
  expect(first).toMatchObject({ endpoint: '10.0.0.1:80', health: 'unhealthy', cause: 'refused' })
  expect(second).toMatchObject({ endpoint: '10.0.0.2:80', health: 'healthy', cause: undefined })
  await checked.close()
})

test('a check that hangs fails after its time', async () => {
  const { does, clock, status, channels } = setUp({ health: check() })
  await settled()
  does.set('10.0.0.1', ({ lifeline }) => new Promise((_resolve, reject) => lifeline.onEnd(reject)))
  for (let i = 0; i < 3; i += 1) {
    clock.advance(5_500)
    await settled()
    clock.advance(1_000)
    await settled()
  }
  expect(status()['10.0.0.1']).toBe('unhealthy')
  expect(
    channels.calls
      .filter(({ endpoint }) => isCheck(endpoint))
      .every(({ options }) => options.lifeline.ended === undefined || options.lifeline.ended.code === 'deadline_exceeded'),
  ).toBe(true)
})

test('an endpoint is asked once however many snapshots use it, and not any more when none does', async () => {
  const { build, upstream, clock, checksOf, channels } = setUp({ health: check() })
  const second = build()
  const third = build()
  await settled()
  expect(checksOf('10.0.0.1')).toBe(1)
  await upstream.close()
  await second.close()
  clock.advance(5_500)
  await settled()
  expect(checksOf('10.0.0.1')).toBe(2)
  await third.close()
  clock.advance(60_000)
  await settled()
  expect(checksOf('10.0.0.1')).toBe(2)
  expect(clock.pending).toBe(0)
  expect(channels.released.filter(isCheck)).toHaveLength(2)
})

test('checks say what requests through the sidecar would say', async () => {
  const { channels } = setUp({ health: check(), sidecar: 'linkerd', authority: 'orders.shop:8080' })
  await settled()
  const call = channels.calls.find(({ endpoint }) => isCheck(endpoint))?.call
  if (call?.kind !== 'http') throw new Error('not HTTP')
  expect(call).toMatchObject({ method: 'GET', target: '/healthz', authority: 'orders.shop:8080' })
  expect(Object.fromEntries(call.headers.entries())).toEqual({ 'l5d-dst-override': 'orders.shop:8080', 'user-agent': 'sallyport-health' })
})

test('gRPC health is asked for the service, and only SERVING passes', async () => {
  const { does, channels, status, build, upstream } = setUp({
    protocol: 'grpc',
    endpoints: at('10.0.0.1', '10.0.0.2', '10.0.0.3'),
  })
  does.set('10.0.0.2', async () => grpcReply(['\u0008\u0002']))
  does.set('10.0.0.3', async () => grpcReply([], { code: 12, message: 'what?' }))
  build({ health: check({ ask: { kind: 'grpc', service: 'shop.v1.Orders' } }) })
  await upstream.close()
  await settled()
  await settled()
  const call = channels.calls[0]?.call
  if (call?.kind !== 'grpc') throw new Error('not gRPC')
  expect(call.path).toBe('/grpc.health.v1.Health/Check')
  expect(Buffer.from(call.messages as Uint8Array).toString()).toBe('\n\u000eshop.v1.Orders')
  expect(status()).toEqual({ '10.0.0.1': 'healthy', '10.0.0.2': 'unhealthy', '10.0.0.3': 'unhealthy' })
})

test('a TCP check connects and says nothing', async () => {
  const { does, channels, status, reached, build, upstream } = setUp()
  does.set('10.0.0.1', refuse)
  build({ health: check({ ask: { kind: 'tcp' } }) })
  await upstream.close()
  await settled()
  expect(reached.sort()).toEqual(['10.0.0.1', '10.0.0.2'])
  expect(channels.calls).toEqual([])
  expect(status()).toEqual({ '10.0.0.1': 'unhealthy', '10.0.0.2': 'healthy' })
})

test('the key of a hashing cluster keeps a subject on one endpoint', async () => {
  const { upstream, clock } = setUp({
    balance: 'ring_hash',
    balancing: { key: { kind: 'claim', path: 'sub' }, slowStartMs: 0, panic: 0.5, zones: 'local' },
    endpoints: at('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'),
  })
  const placeOf = async (sub: string) => {
    const x = sendable({ receivedAt: clock.ticks(), sub })
    await upstream.forward(x)
    return x.sent?.endpoint
  }
  const places = new Map<string, string | undefined>()
  for (let i = 0; i < 40; i += 1) places.set(`user ${i}`, await placeOf(`user ${i}`))
  expect(new Set(places.values()).size).toBe(4)
  for (const [sub, place] of places) expect(await placeOf(sub)).toBe(place)
})

test('the metrics count endpoints by health', async () => {
  const { does, ask, meter } = setUp({ outlier: outlier() })
  does.set('10.0.0.1', refuse)
  await ask(8)
  const last = (health: string) => meter.samples.findLast(({ name, labels }) => name === 'sallyport_upstream_endpoints' && labels['health'] === health)?.value
  expect([last('healthy'), last('ejected')]).toEqual([1, 1])
})

test('requests stay in the zone of the gateway, and leave it when nobody there is well', async () => {
  const zoned = (host: string, zone: string) => ({ kind: 'tcp', host, port: 80, weight: 1, zone }) as const
  const endpoints: Cluster['endpoints'] = {
    kind: 'static',
    addresses: [zoned('10.0.0.1', 'a'), zoned('10.0.0.2', 'b'), zoned('10.0.0.3', 'a'), zoned('10.0.0.4', 'b')],
  }
  let dead: readonly string[] = []
  const channels = fakeChannels({ http: (_call, _options, endpoint) => (dead.includes(hostOf(endpoint)) ? refuse() : Promise.resolve(httpReply(200))) })
  const ports = { ...fakePorts({ channels }), zone: 'a' }
  const upstream = buildUpstream(
    emptyPolicy({
      clusters: {
        c: cluster('c', { endpoints, outlier: outlier({ maxEjected: 1 }), balancing: { key: undefined, slowStartMs: 0, panic: 0.1, zones: 'local' } }),
      },
    }),
    ports,
  )
  const ask = async (count: number) => {
    const hosts = new Set<string>()
    for (let i = 0; i < count; i += 1) {
      const x = sendable({ receivedAt: ports.clock.ticks() })
      await upstream.forward(x).catch(() => {})
      hosts.add(x.sent?.endpoint.split(':')[0] ?? '')
    }
    return [...hosts].sort()
  }
  expect(await ask(20)).toEqual(['10.0.0.1', '10.0.0.3'])
  dead = ['10.0.0.1', '10.0.0.3']
  await ask(20)
  expect(await ask(20)).toEqual(['10.0.0.2', '10.0.0.4'])
})

test('behind one address each name has a health of its own: what one answers does not eject the other', async () => {
  const subsets = { v2: { authority: 'v2.test', endpoints: undefined } }
  const { channels, upstream, does, clock, ...ports } = setUp({
    authority: 'v1.test',
    subsets,
    outlier: outlier(),
    endpoints: at('10.0.0.1:80', '10.0.0.2:80'),
  })
  const toV2: string[] = []
  does.set('10.0.0.1', async () => {
    const { call } = channels.calls.at(-1) ?? {}
    return httpReply(call?.kind === 'http' && call.authority === 'v2.test' ? 503 : 200)
  })
  for (let i = 0; i < 12; i += 1) {
    const x = sendable({ receivedAt: clock.ticks(), subset: 'v2', call: httpCall({ authority: 'v2.test' }) })
    await upstream.forward(x)
    toV2.push(x.sent?.endpoint ?? '')
  }
  expect(toV2.slice(-4)).toEqual(Array(4).fill('10.0.0.2:80'))
  const standing = endpointsOf({ ...ports, clock }).filter(({ endpoint }) => endpoint === '10.0.0.1:80')
  expect(Object.fromEntries(standing.map(({ authority, health }) => [authority, health]))).toEqual({ 'v1.test': 'healthy', 'v2.test': 'ejected' })
})

test('checks ask each name behind an address, and believe it of that name alone', async () => {
  const subsets = { v2: { authority: 'v2.test', endpoints: undefined } }
  const { channels, does, clock, ...ports } = setUp({ authority: 'v1.test', subsets, health: check(), endpoints: at('10.0.0.1:80') })
  const asked = channels.calls.flatMap(({ call, endpoint }) => (isCheck(endpoint) && call.kind === 'http' ? [call.authority] : []))
  expect(asked.sort()).toEqual(['v1.test', 'v2.test'])
  does.set('10.0.0.1', async () => {
    const { call } = channels.calls.at(-1) ?? {}
    return httpReply(call?.kind === 'http' && call.authority === 'v2.test' ? 500 : 200)
  })
  for (let i = 0; i < 4; i += 1) {
    clock.advance(6_000)
    await settled()
  }
  const seen = endpointsOf({ ...ports, clock }).map(({ authority, health }) => [authority, health])
  expect(Object.fromEntries(seen)).toEqual({ 'v1.test': 'healthy', 'v2.test': 'unhealthy' })
})

test('after a reload that asks another question only its answers count, the first at once', async () => {
  const { does, status, build, upstream, clock } = setUp({ health: check(), endpoints: at('10.0.0.1:80') })
  await settled()
  expect(status()['10.0.0.1']).toBe('healthy')
  does.set('10.0.0.1', async () => httpReply(500))
  const next = build({ health: check({ ask: { kind: 'tcp' } }) })
  does.set('10.0.0.1', async (options) => httpReply('lifeline' in options ? 500 : 200))
  // The requests of the last policies may be under way for long: their checks go on, and are heard no more.
  for (let i = 0; i < 50; i += 1) {
    clock.advance(600)
    await settled()
    expect(status()['10.0.0.1']).toBe('healthy')
  }
  await next.close()
  for (let i = 0; i < 5; i += 1) {
    clock.advance(6_000)
    await settled()
  }
  expect(status()['10.0.0.1']).toBe('unhealthy')
  await upstream.close()
})

test('a hedge that may not be sent does not use up the turn of an endpoint that is back', async () => {
  const { does, upstream, clock, channels, status } = setUp({ outlier: outlier({ maxEjected: 0.9 }) })
  const hedge = { after: { ms: 50 }, budget: 0.01 } as const
  does.set('10.0.0.1', refuse)
  for (let i = 0; i < 8; i += 1) await upstream.forward(sendable({ receivedAt: clock.ticks() })).catch(() => {})
  expect(status()['10.0.0.1']).toBe('ejected')
  does.delete('10.0.0.1')
  const answer = Promise.withResolvers<Reply>()
  does.set('10.0.0.2', () => answer.promise)
  const slow = upstream.forward(sendable({ receivedAt: clock.ticks(), route: { hedge, timeoutMs: 60_000 } }))
  await settled()
  clock.advance(10_000)
  await settled()
  expect(status()['10.0.0.1']).toBe('probing')
  const before = channels.calls.length
  const x = sendable({ receivedAt: clock.ticks() })
  await upstream.forward(x)
  expect([channels.calls.length - before, x.sent?.endpoint]).toEqual([1, '10.0.0.1:80'])
  answer.resolve(httpReply(200))
  await slow
})

test('nobody ejects an endpoint by giving up while all connections that the cap allows are in use', async () => {
  const { does, upstream, clock, status, channels } = setUp({ outlier: outlier({ consecutiveGateway: 1 }) })
  const late = new Fault('deadline_exceeded', 'the deadline has passed')
  /** One that waits for a connection until its request or its time is over. */
  const waits: Behaviour = (options, _isCheck) =>
    new Promise((_resolve, reject) => {
      options.held?.(true)
      options.lifeline.onEnd(reject)
      clock.after(options.deadline - clock.ticks(), () => reject(late))
    })
  for (const host of ['10.0.0.1', '10.0.0.2']) does.set(host, waits)
  const retry = { attempts: 1, on: ['deadline'], budget: 0.2, methods: ['GET'], withIdempotencyKey: [], maxRetryAfterMs: 0, perTryMs: 500 } as const
  for (const route of [{ timeoutMs: 1_000 }, { timeoutMs: 5_000, retry }]) {
    const asked = upstream.forward(sendable({ receivedAt: clock.ticks(), route })).catch((error: unknown) => error)
    for (let i = 0; i < 50; i += 1) {
      await settled()
      clock.advance(100)
    }
    expect(await asked).toMatchObject({ code: 'deadline_exceeded' })
  }
  expect(channels.calls).toHaveLength(3)
  expect(status()).toEqual({ '10.0.0.1': 'healthy', '10.0.0.2': 'healthy' })
  does.set('10.0.0.1', (options) => {
    options.held?.(true)
    options.held?.(false)
    return waits({ ...options, held: () => {} }, false)
  })
  does.set('10.0.0.2', () => Promise.resolve(httpReply(500)))
  const frozen = [1, 2].map(() => upstream.forward(sendable({ receivedAt: clock.ticks(), route: { timeoutMs: 1_000 } })).catch(() => {}))
  await settled()
  clock.advance(1_000)
  await Promise.all(frozen)
  expect(status()['10.0.0.1']).toBe('ejected')
})

test('a try that may not begin does not use up the turn of an endpoint that is back, though time goes on while it is chosen', async () => {
  const { does, upstream, clock, status } = setUp({
    outlier: outlier({ maxEjected: 0.9 }),
    breaker: { consecutive: 4, failures: 1, minRequests: 100, windowMs: 10_000, openMs: 11_000, probes: 1 },
  })
  const ask = () => upstream.forward(sendable({ receivedAt: clock.ticks() })).catch((error: unknown) => error)
  does.set('10.0.0.1', refuse)
  for (let i = 0; i < 6; i += 1) await ask()
  expect(status()['10.0.0.1']).toBe('ejected')
  does.set('10.0.0.2', refuse)
  for (let i = 0; i < 4; i += 1) await ask()
  clock.advance(10_000)
  const { ticks } = clock
  let steps = 0
  Object.assign(clock, { ticks: () => ticks() + (steps += 0.001) })
  expect(await ask()).toMatchObject({ code: 'circuit_open' })
  Object.assign(clock, { ticks })
  does.clear()
  clock.advance(1_000)
  const x = sendable({ receivedAt: clock.ticks() })
  await upstream.forward(x)
  expect(x.sent?.endpoint).toBe('10.0.0.1:80')
})

test('a try that ends while it waits for a connection does not use up the turn of an endpoint that is back', async () => {
  const { ask, does, clock, status } = setUp({ outlier: outlier({ maxEjected: 0.9 }) })
  does.set('10.0.0.1', refuse)
  await ask(8)
  expect(status()['10.0.0.1']).toBe('ejected')
  clock.advance(10_000)
  does.set('10.0.0.1', (options) => {
    options.held?.(true)
    return Promise.reject(new Fault('overloaded', 'too many connections are in use'))
  })
  expect(await ask()).toEqual(['!10.0.0.1'])
  does.delete('10.0.0.1')
  expect(await ask()).toEqual(['10.0.0.1'])
  expect(status()['10.0.0.1']).toBe('healthy')
})
