import { expect, test } from 'vitest'
import type { Endpoints } from '../../src/core/policy/policy.ts'
import { buildUpstream, type Upstream } from '../../src/core/upstream.ts'
import { emptyPolicy } from '../support/policy.ts'
import { type FakePorts, fakeChannels, fakePorts, fakeResolve } from '../support/ports.ts'
import { at, cluster, httpReply, sendable } from '../support/sendable.ts'

const named: Endpoints = { kind: 'dns', name: 'c.mesh', port: 8080 }

function setUp() {
  const channels = fakeChannels({ http: async () => httpReply(200) })
  const ports = fakePorts({ channels, resolve: fakeResolve() })
  return { ...ports, ports }
}

const open = (ports: Omit<FakePorts, never>, endpoints: Endpoints) => buildUpstream(emptyPolicy({ clusters: { c: cluster('c', { endpoints }) } }), ports)

async function hostOf(upstream: Upstream): Promise<string | undefined> {
  const x = sendable({ receivedAt: Number.MAX_SAFE_INTEGER / 2 })
  await upstream.forward(x)
  return x.sent?.endpoint
}

/** Lets what was started in the background come to its end. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

test('a name is asked at the first request and again when its answer is older than 5 s, in the background', async () => {
  const { ports, resolve, clock } = setUp()
  resolve.on('c.mesh', ['10.0.0.1'])
  const upstream = open(ports, named)
  expect(await hostOf(upstream)).toBe('10.0.0.1:8080')
  resolve.on('c.mesh', ['10.0.0.9'])
  clock.advance(4_999)
  expect(await hostOf(upstream)).toBe('10.0.0.1:8080')
  expect(resolve.asked.length).toBe(1)
  clock.advance(1)
  expect(await hostOf(upstream)).toBe('10.0.0.1:8080')
  await settle()
  expect(await hostOf(upstream)).toBe('10.0.0.9:8080')
  expect(resolve.asked.length).toBe(2)
})

test('an empty or failed answer never empties the cluster', async () => {
  const { ports, resolve, clock } = setUp()
  resolve.on('c.mesh', ['10.0.0.1'])
  const upstream = open(ports, named)
  await hostOf(upstream)
  resolve.on('c.mesh', [])
  for (let i = 0; i < 3; i += 1) {
    clock.advance(10_000)
    expect(await hostOf(upstream)).toBe('10.0.0.1:8080')
    await settle()
  }
})

test('a name that never had an address is unavailable, and is asked again', async () => {
  const { ports, resolve, clock } = setUp()
  const upstream = open(ports, named)
  await expect(hostOf(upstream)).rejects.toMatchObject({ code: 'upstream_unavailable' })
  resolve.on('c.mesh', ['10.0.0.1'])
  clock.advance(5_000)
  expect(await hostOf(upstream)).toBe('10.0.0.1:8080')
})

test('requests that come together ask once', async () => {
  const { ports, resolve } = setUp()
  resolve.on('c.mesh', ['10.0.0.1'])
  const upstream = open(ports, named)
  await Promise.all([hostOf(upstream), hostOf(upstream), hostOf(upstream)])
  expect(resolve.asked.length).toBe(1)
})

test('an address that is gone gives its channel back; those that stay keep theirs', async () => {
  const { ports, resolve, clock, channels } = setUp()
  resolve.on('c.mesh', ['10.0.0.1', '10.0.0.2'])
  const upstream = open(ports, named)
  await hostOf(upstream)
  resolve.on('c.mesh', ['10.0.0.2', '10.0.0.3'])
  clock.advance(5_000)
  await hostOf(upstream)
  await settle()
  await hostOf(upstream)
  const hosts = (list: readonly { address: unknown }[]) => list.map(({ address }) => (address as { host: string }).host)
  expect(hosts(channels.acquired)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  expect(hosts(channels.released)).toEqual(['10.0.0.1'])
})

test('a reload acquires before it releases, so that what both snapshots use is never given back', async () => {
  for (const endpoints of [named, at('10.0.0.1:8080')]) {
    const { ports, resolve, channels } = setUp()
    resolve.on('c.mesh', ['10.0.0.1'])
    const before = open(ports, endpoints)
    await hostOf(before)
    const after = open(ports, endpoints)
    await before.close()
    expect(channels.released).toEqual([])
    expect(await hostOf(after)).toBe('10.0.0.1:8080')
    expect(channels.acquired.length).toBe(1)
    // Only the name itself was asked, by the first.
    expect(resolve.asked.length).toBe(endpoints.kind === 'dns' ? 1 : 0)
    await after.close()
    expect(channels.released.length).toBe(1)
  }
})
