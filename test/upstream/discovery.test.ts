import { expect, test } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Cluster } from '../../src/core/policy/linked/clusters.ts'
import type { Endpoints } from '../../src/core/policy/linked/endpoints.ts'
import type { Files, NamedAddresses, Names } from '../../src/core/ports.ts'
import { buildUpstream, partsOf, sourcesOf, type Upstream } from '../../src/core/upstream.ts'
import { fakeClock } from '../support/clock.ts'
import { emptyPolicy } from '../support/policy.ts'
import { type FakePorts, fakeChannels, fakeDiscover, fakePorts } from '../support/ports.ts'
import { at, cluster, foundBy, httpReply, sendable } from '../support/sendable.ts'

const named = foundBy({ kind: 'dns', name: 'c.mesh', port: 8080 })

type Answer = readonly string[] | Error | NamedAddresses | Promise<NamedAddresses>

function setUp() {
  const channels = fakeChannels({ http: async () => httpReply(200) })
  const asked: string[] = []
  let answer: Answer = new Error('DNS answers SERVFAIL')
  const names: Names = {
    async addresses(host) {
      asked.push(host)
      if (answer instanceof Error) throw answer
      return 'length' in answer ? { addresses: answer, ttlMs: 5_000 } : answer
    },
    services: async () => ({ services: [], ttlMs: undefined }),
  }
  const clock = fakeClock()
  const ports = fakePorts({ channels, clock, discover: fakeDiscover({ clock, names }) })
  const say = (next: Answer) => {
    answer = next
  }
  return { ...ports, ports, asked, say }
}

const open = (ports: Omit<FakePorts, never>, endpoints: Endpoints, given: Partial<Cluster> = {}) =>
  buildUpstream(emptyPolicy({ clusters: { c: cluster('c', { endpoints, ...given }) } }), ports)

async function hostOf(upstream: Upstream, subset?: string): Promise<string | undefined> {
  const x = sendable({ receivedAt: Number.MAX_SAFE_INTEGER / 2, ...(subset !== undefined && { subset }) })
  await upstream.forward(x)
  return x.sent?.endpoint
}

/** Every endpoint that a few requests in a row go to. */
async function hostsOf(upstream: Upstream, subset?: string): Promise<readonly string[]> {
  const hosts = new Set<string>()
  for (let i = 0; i < 40; i += 1) hosts.add((await hostOf(upstream, subset)) ?? 'nowhere')
  return [...hosts].sort((a, b) => (a < b ? -1 : 1))
}

/** Lets what was started in the background come to its end. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

const ip = (last: number) => `10.0.0.${last}`
const dialled = (...lasts: readonly number[]) => lasts.map((last) => `10.0.0.${last}:8080`)

test('a source is asked before the first request, and again when the time to live of its answer is over', async () => {
  const { ports, say, asked, clock } = setUp()
  say({ addresses: [ip(1)], ttlMs: 20_000 })
  const upstream = open(ports, named)
  await settle()
  expect(asked).toEqual(['c.mesh'])
  say([ip(9)])
  clock.advance(19_999)
  await settle()
  expect(await hostOf(upstream)).toBe('10.0.0.1:8080')
  expect(asked.length).toBe(1)
  clock.advance(1)
  await settle()
  expect(await hostOf(upstream)).toBe('10.0.0.9:8080')
  expect(asked.length).toBe(2)
})

test.each([
  ['none', 0, 1_000],
  ['a week', 7 * 86_400_000, 300_000],
  ['unknown', undefined, 5_000],
])('a time to live of %s has its bounds', async (_name, ttlMs, asksAfter) => {
  const { ports, say, asked, clock } = setUp()
  say({ addresses: [ip(1)], ttlMs })
  open(ports, named)
  await settle()
  clock.advance(asksAfter - 1)
  await settle()
  expect(asked.length).toBe(1)
  clock.advance(1)
  await settle()
  expect(asked.length).toBe(2)
})

test('an empty or failed answer never empties the cluster, and the age of the set grows', async () => {
  const { ports, say, clock, meter } = setUp()
  say([ip(1)])
  const upstream = open(ports, named)
  await settle()
  for (const bad of [[], new Error('DNS answers SERVFAIL'), []]) {
    say(bad)
    clock.advance(31_000)
    await settle()
    expect(await hostOf(upstream)).toBe('10.0.0.1:8080')
  }
  const [status] = sourcesOf(ports.lasting)
  expect(status).toMatchObject({ source: 'dns c.mesh:8080', clusters: ['c'], endpoints: 1, kept: 0, ageMs: 93_000 })
  expect(status?.problem).toBeDefined()
  expect(meter.total('sallyport_discovery_failures_total', { reason: 'empty' })).toBeGreaterThan(0)
  expect(meter.total('sallyport_discovery_failures_total', { reason: 'failed' })).toBeGreaterThan(0)
  say([ip(1)])
  clock.advance(31_000)
  await settle()
  expect(sourcesOf(ports.lasting)[0]).toMatchObject({ problem: undefined })
  expect(sourcesOf(ports.lasting)[0]?.ageMs).toBeLessThan(31_000)
})

test('a request before the first answer waits for it', async () => {
  const { ports, say } = setUp()
  let answer: (found: NamedAddresses) => void = () => {}
  say(
    new Promise<NamedAddresses>((resolve) => {
      answer = resolve
    }),
  )
  const upstream = open(ports, named)
  const waiting = Promise.all([hostOf(upstream), hostOf(upstream)])
  await settle()
  answer({ addresses: [ip(1)], ttlMs: undefined })
  expect(await waiting).toEqual(dialled(1, 1))
})

test('a request waits no longer than its deadline, nor than its downstream does', async () => {
  const { ports, say, clock } = setUp()
  say(new Promise<NamedAddresses>(() => {}))
  const upstream = open(ports, named)
  const late = upstream.forward(sendable({ deadline: clock.ticks() + 500 }))
  const lifeline = new Lifeline()
  const gone = upstream.forward(sendable({ lifeline, receivedAt: Number.MAX_SAFE_INTEGER / 2 }))
  const outcome = Promise.allSettled([late, gone])
  await settle()
  clock.advance(500)
  lifeline.end(new Fault('client_closed', 'the downstream is gone'))
  expect(await outcome).toMatchObject([{ reason: { code: 'upstream_unavailable' } }, { reason: { code: 'client_closed' } }])
})

test('a name that never had an address is unavailable at once, and is asked again', async () => {
  const { ports, say, clock } = setUp()
  const upstream = open(ports, named)
  await expect(hostOf(upstream)).rejects.toMatchObject({
    code: 'upstream_unavailable',
    message: 'no endpoint',
    detail: { internal: expect.stringMatching(/SERVFAIL/) },
  })
  say([ip(1)])
  clock.advance(1_000)
  await settle()
  expect(await hostOf(upstream)).toBe('10.0.0.1:8080')
})

test('a source that fails is left alone for longer and longer, up to half a minute', async () => {
  const { ports, asked, clock } = setUp()
  open(ports, named)
  await settle()
  const gaps: number[] = []
  for (let i = 0, before = 0; i < 12; i += 1, before = clock.ticks()) {
    const count = asked.length
    before = clock.ticks()
    while (asked.length === count) {
      clock.advance(100)
      await settle()
    }
    gaps.push(clock.ticks() - before)
  }
  expect(gaps[0]).toBeLessThanOrEqual(1_000)
  for (const gap of gaps.slice(7)) {
    expect(gap).toBeGreaterThanOrEqual(15_000)
    expect(gap).toBeLessThanOrEqual(30_000)
  }
})

test('an address that is gone gives its channel back; those that stay keep theirs', async () => {
  const { ports, say, clock, channels } = setUp()
  say([ip(1), ip(2)])
  open(ports, named)
  await settle()
  say([ip(2), ip(3)])
  clock.advance(5_000)
  await settle()
  const hosts = (list: readonly { address: unknown }[]) => list.map(({ address }) => (address as { host: string }).host)
  expect(hosts(channels.acquired)).toEqual([ip(1), ip(2), ip(3)])
  expect(hosts(channels.released)).toEqual([ip(1)])
})

test('one of two address families that cannot be asked keeps what it had', async () => {
  const { ports, say, clock } = setUp()
  say([ip(1), '2001:db8::1'])
  const upstream = open(ports, named)
  await settle()
  say({ addresses: [ip(2)], ttlMs: 5_000, missing: 'ipv6' })
  clock.advance(5_000)
  await settle()
  expect(await hostsOf(upstream)).toEqual(['10.0.0.2:8080', '[2001:db8::1]:8080'])
})

test('a reload acquires before it releases and asks nothing, so that what both snapshots use is never given back', async () => {
  for (const endpoints of [named, at('10.0.0.1:8080')]) {
    const { ports, say, asked, channels, clock } = setUp()
    say([ip(1)])
    const before = open(ports, endpoints)
    await settle()
    const after = open(ports, endpoints)
    await before.close()
    expect(channels.released).toEqual([])
    expect(await hostOf(after)).toBe('10.0.0.1:8080')
    expect(channels.acquired.length).toBe(1)
    expect(asked.length).toBe(endpoints.kind === 'dns' ? 1 : 0)
    await after.close()
    expect(channels.released.length).toBe(1)
    // Nobody asks for what nobody uses.
    clock.advance(600_000)
    await settle()
    expect(asked.length).toBe(endpoints.kind === 'dns' ? 1 : 0)
    expect(sourcesOf(ports.lasting)).toEqual([])
  }
})

test('a reload that changes only what is believed keeps the endpoints, also while the source is away', async () => {
  const { ports, say, channels } = setUp()
  say([ip(1)])
  const before = open(ports, named)
  await settle()
  say(new Error('DNS answers SERVFAIL'))
  const after = open(ports, foundBy({ kind: 'dns', name: 'c.mesh', port: 8080 }, { share: 0.1 }))
  await settle()
  await before.close()
  expect(await hostOf(after)).toBe('10.0.0.1:8080')
  expect(channels.released).toEqual([])
})

test('a set that lacks more than the share is taken only when it was said for long enough; what is new counts at once', async () => {
  const { ports, say, clock } = setUp()
  say([1, 2, 3, 4, 5].map(ip))
  const upstream = open(ports, named)
  await settle()
  say([ip(5), ip(6)])
  clock.advance(5_000)
  await settle()
  expect(await hostsOf(upstream)).toEqual(dialled(1, 2, 3, 4, 5, 6))
  expect(sourcesOf(ports.lasting)[0]).toMatchObject({ endpoints: 6, kept: 4, problem: expect.stringMatching(/2 of 5/) })
  for (let i = 0; i < 5; i += 1) {
    clock.advance(5_000)
    await settle()
  }
  expect((await hostsOf(upstream)).length).toBe(6)
  clock.advance(5_000)
  await settle()
  expect(await hostsOf(upstream)).toEqual(dialled(5, 6))
  expect(sourcesOf(ports.lasting)[0]).toMatchObject({ endpoints: 2, kept: 0, problem: undefined })
})

test('a set that lacks no more than the share is taken at once', async () => {
  const { ports, say, clock } = setUp()
  say([1, 2, 3, 4].map(ip))
  const upstream = open(ports, named)
  await settle()
  say([ip(1), ip(2)])
  clock.advance(5_000)
  await settle()
  expect(await hostsOf(upstream)).toEqual(dialled(1, 2))
})

test('a source that flaps or fails meanwhile has not said so for long enough', async () => {
  const { ports, say, clock } = setUp()
  say([1, 2, 3].map(ip))
  const upstream = open(ports, named)
  await settle()
  for (let i = 0; i < 20; i += 1) {
    say(i % 4 === 3 ? (i % 8 === 3 ? new Error('lost') : [1, 2, 3].map(ip)) : [ip(3)])
    clock.advance(5_000)
    await settle()
  }
  expect(await hostsOf(upstream)).toEqual(dialled(1, 2, 3))
})

test('with empty: take a source that names nobody for long enough is believed', async () => {
  const { ports, say, clock } = setUp()
  say([ip(1)])
  const upstream = open(ports, foundBy({ kind: 'dns', name: 'c.mesh', port: 8080 }, { empty: 'take' }))
  await settle()
  say([])
  clock.advance(5_000)
  await settle()
  clock.advance(29_000)
  await settle()
  expect(await hostOf(upstream)).toBe('10.0.0.1:8080')
  clock.advance(1_000)
  await settle()
  await expect(hostOf(upstream)).rejects.toMatchObject({ code: 'upstream_unavailable' })
  say([ip(2)])
  clock.advance(5_000)
  await settle()
  expect(await hostOf(upstream)).toBe('10.0.0.2:8080')
})

test('a subset takes the endpoints that have all of its labels', async () => {
  const { ports } = setUp()
  const endpoints: Endpoints = {
    kind: 'static',
    addresses: [
      { kind: 'tcp', host: ip(1), port: 8080, weight: 1, labels: { version: 'v1', track: 'stable' } },
      { kind: 'tcp', host: ip(2), port: 8080, weight: 1, labels: { version: 'v2', track: 'stable' } },
      { kind: 'tcp', host: ip(3), port: 8080, weight: 1, labels: { version: 'v2' } },
    ],
  }
  const part = (labels: Readonly<Record<string, string>>) => ({ authority: undefined, endpoints: undefined, labels })
  const subsets = { v2: part({ version: 'v2' }), stable2: part({ version: 'v2', track: 'stable' }), v9: part({ version: 'v9' }) }
  const upstream = open(ports, endpoints, { subsets })
  expect(await hostsOf(upstream)).toEqual(dialled(1, 2, 3))
  expect(await hostsOf(upstream, 'v2')).toEqual(dialled(2, 3))
  expect(await hostsOf(upstream, 'stable2')).toEqual(dialled(2))
  await expect(hostOf(upstream, 'v9')).rejects.toMatchObject({ code: 'upstream_unavailable' })
})

test('a subset whose labels fit nobody any more keeps the endpoints it had, over a reload too', async () => {
  const clock = fakeClock()
  let text = '- { address: "10.0.0.1:8080", labels: { version: v1 } }\n- { address: "10.0.0.2:8080", labels: { version: v2 } }\n'
  let heard = () => {}
  const files: Files = {
    read: async () => text,
    watch: (_path, changed) => {
      heard = changed
      return { close() {} }
    },
  }
  const channels = fakeChannels({ http: async () => httpReply(200) })
  const ports = fakePorts({ channels, clock, discover: fakeDiscover({ clock, files }) })
  const subsets = { v2: { authority: undefined, endpoints: undefined, labels: { version: 'v2' } } }
  const build = () => open(ports, foundBy({ kind: 'file', path: '/run/c.yaml' }), { subsets })
  const before = build()
  await settle()
  expect(await hostsOf(before, 'v2')).toEqual(dialled(2))
  text = text.replace('v2', 'v1')
  heard()
  await settle()
  clock.advance(100)
  await settle()
  expect(await hostsOf(before, 'v2')).toEqual(dialled(2))
  const upstream = build()
  await before.close()
  expect(await hostsOf(upstream, 'v2')).toEqual(dialled(2))
  // The source answers as ever: only this tells.
  clock.advance(60_000)
  expect(sourcesOf(ports.lasting)).toMatchObject([{ kept: 0, problem: undefined, leftBehind: [{ cluster: 'c', subset: 'v2', endpoints: 1, ageMs: 60_000 }] }])
  text = '- { address: "10.0.0.1:8080", labels: { version: v2 }, zone: a, weight: 3 }\n- "10.0.0.2:8080"\n'
  heard()
  await settle()
  clock.advance(100)
  await settle()
  expect(await hostsOf(upstream, 'v2')).toEqual(dialled(1))
  expect(sourcesOf(ports.lasting)[0]?.leftBehind).toEqual([])
})

test('an SRV target whose addresses nobody can tell keeps those it had, and the others count; it is named', async () => {
  const clock = fakeClock()
  const silent = new Set(['b.mesh'])
  const names: Names = {
    async addresses(host) {
      if (silent.has(host)) throw new Error('DNS answers SERVFAIL')
      return { addresses: [host === 'a.mesh' ? ip(1) : host === 'b.mesh' ? ip(2) : ip(3)], ttlMs: 5_000 }
    },
    services: async () => ({
      services: [1, 1, 2].map((priority, i) => ({ priority, weight: 1, host: `${'abc'[i]}.mesh`, port: 8080 })),
      ttlMs: undefined,
    }),
  }
  const ports = fakePorts({ channels: fakeChannels({ http: async () => httpReply(200) }), clock, discover: fakeDiscover({ clock, names }) })
  const upstream = open(ports, foundBy({ kind: 'srv', name: '_http._tcp.c.mesh' }, { confirmMs: 1_000 }))
  const later = async () => {
    clock.advance(5_000)
    await settle()
  }
  await settle()
  expect(await hostsOf(upstream)).toEqual(dialled(1))
  expect(sourcesOf(ports.lasting)).toMatchObject([{ ageMs: 0, problem: 'no addresses of b.mesh: DNS answers SERVFAIL' }])
  expect(ports.meter.total('sallyport_discovery_failures_total', { source: 'srv _http._tcp.c.mesh', reason: 'partial' })).toBe(1)
  silent.clear()
  await later()
  expect([await hostsOf(upstream), sourcesOf(ports.lasting)[0]?.problem]).toEqual([dialled(1, 2), undefined])
  silent.add('b.mesh')
  await later()
  expect(await hostsOf(upstream)).toEqual(dialled(1, 2))
  // All of one priority silent, with nothing known of them: the next one is better than nobody.
  const fresh = open(ports, foundBy({ kind: 'srv', name: '_grpc._tcp.c.mesh' }))
  silent.add('a.mesh')
  await later()
  expect(await hostsOf(upstream)).toEqual(dialled(1, 2))
  silent.add('c.mesh')
  const none = open(ports, foundBy({ kind: 'srv', name: '_none._tcp.c.mesh' }))
  await settle()
  await expect(hostOf(none)).rejects.toMatchObject({ detail: { internal: expect.stringContaining('no addresses of a.mesh, b.mesh, c.mesh') } })
  await Promise.all([upstream.close(), fresh.close(), none.close()])
})

test('questions of the gateway itself go to what a source names now, part by part', async () => {
  const { ports, say } = setUp()
  say([ip(2), ip(1), ip(2)])
  const given = cluster('c', {
    endpoints: named,
    subsets: { v2: { authority: undefined, endpoints: at('10.0.0.9:80'), labels: { version: 'v2' } } },
  })
  const parts = await partsOf(given, ports)
  expect(parts.map((part) => ('places' in part ? part.places.map(({ endpoint }) => endpoint.address) : part.problem))).toEqual([
    [1, 2].map((last) => ({ kind: 'tcp', host: ip(last), port: 8080 })),
    'no endpoint has the labels of the subset',
  ])
  say([])
  expect(await partsOf(cluster('c', { endpoints: named }), ports)).toMatchObject([{ name: 'dns c.mesh:8080', problem: 'it names no endpoint' }])
})
