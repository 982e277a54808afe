import { describe, expect, it, vi } from 'vitest'
import type { Policy } from '../../../src/core/policy/policy.ts'
import type { JournalValue } from '../../../src/core/ports.ts'
import { createChannels } from '../../../src/node/channels.ts'
import { createClock } from '../../../src/node/clock.ts'
import { DriftWatch } from '../../../src/node/drift/drift-watch.ts'
import { createResolve } from '../../../src/node/resolve.ts'
import { createSecrets } from '../../../src/node/secrets.ts'
import { fakeClock } from '../../support/clock.ts'
import { openGateway } from '../../support/gateway.ts'
import { untilTheEnd } from '../../support/keep.ts'
import { clean, loadBeside } from '../../support/load.ts'
import { fakePorts, memoryMeter } from '../../support/ports.ts'
import { descriptorsFrom } from '../../support/protos.ts'
import { openReflecting } from '../../support/reflecting.ts'
import { house } from '../../support/shop.ts'

const keep = untilTheEnd()

const setOf = (extra = '') =>
  descriptorsFrom({ 'a.proto': `syntax = "proto3";\npackage a.v1;\nservice S { rpc Get(In) returns (In); }\nmessage In { string id = 1; ${extra} }` })

const cluster = (port: number, drift: string) => `clusters:
  a: { protocol: grpc, address: "127.0.0.1:${port}", descriptors: { file: a.binpb${drift} } }
routes:
  a: { match: { grpc: a.v1.S }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: a }
`

const policyOf = async (port: number, set: Uint8Array, drift = ', drift: 10m'): Promise<Policy> =>
  clean(await loadBeside(cluster(port, drift), { assets: { 'a.binpb': set } }))

/** A server whose descriptors can be changed, at one port. */
async function changing(first: Uint8Array) {
  let close = () => {}
  const open = (set: Uint8Array, port = 0, paths?: readonly string[]) =>
    openReflecting(keep, set, { port, onClose: (how) => (close = how), ...(paths === undefined ? {} : { paths }) })
  const port = await open(first)
  return {
    port,
    async become(set: Uint8Array, paths?: readonly string[]) {
      close()
      await open(set, port, paths)
    },
    stop: () => close(),
  }
}

function watching() {
  const clock = fakeClock()
  const dialling = createClock()
  const dial = { clock: dialling, resolve: createResolve(dialling), secrets: createSecrets({}) }
  const events: (readonly [level: string, event: string, facts: Readonly<Record<string, JournalValue>> | undefined])[] = []
  const forgotten: string[] = []
  const samples = memoryMeter()
  const meter = { ...samples, forget: (name: string) => void forgotten.push(name) }
  const watch = new DriftWatch({
    discover: fakePorts().discover,
    channels: createChannels(dial),
    clock,
    random: { unit: () => 0.5 },
    meter,
    log: (level, event, facts) => void events.push([level, event, facts]),
  })
  keep(() => watch.close())
  const looks = () => samples.samples.filter(({ name }) => name === 'sallyport_descriptor_checks_total')
  const gauges = () => samples.samples.filter(({ kind }) => kind === 'gauge').map(({ value, labels }) => [labels['kind'], value])
  /** Lets the next look fall due, and waits until it is over. */
  const look = async (ms: number) => {
    const before = looks().length
    clock.advance(ms)
    await vi.waitFor(() => expect(looks().length).toBe(before + 1), { timeout: 8000, interval: 5 })
    await vi.waitFor(() => expect(clock.pending).toBe(1), { timeout: 8000, interval: 5 })
    return looks().at(-1)?.labels['outcome']
  }
  return { watch, clock, events, gauges, look, looks, forgotten }
}

describe('a running gateway looks at what servers say of their descriptors', () => {
  it('at its interval, and tells a change once: in the metric and in one event, until it is gone', async () => {
    const [pinned, other] = [await setOf('int64 n = 2;'), await setOf('int32 n = 2; bool b = 3;')]
    const server = await changing(pinned)
    const { watch, events, gauges, look, clock, looks } = watching()
    watch.follow(await policyOf(server.port, pinned))
    clock.advance(14_999)
    expect(looks()).toEqual([])
    expect(await look(1)).toBe('same')
    expect([gauges(), events]).toEqual([
      [
        ['breaking', 0],
        ['addition', 0],
      ],
      [],
    ])
    await server.become(other)
    expect(await look(600_000)).toBe('drifted')
    expect(gauges().slice(2)).toEqual([
      ['breaking', 1],
      ['addition', 1],
    ])
    const differences = [
      'breaking: a.proto: a.v1.In.n: the type is int32, was int64',
      'addition: a.proto: a.v1.In.b: the field is new (number 3, singular bool)',
    ]
    expect(events).toEqual([['warn', 'descriptor_drift', { cluster: 'a', descriptors: 'a.binpb', breaking: 1, addition: 1, differences }]])
    expect(await look(600_000)).toBe('drifted')
    expect(events).toHaveLength(1)
    await server.become(pinned)
    expect(await look(600_000)).toBe('same')
    expect(events.slice(1)).toEqual([['info', 'descriptor_drift_gone', { cluster: 'a', descriptors: 'a.binpb' }]])
  })

  it('and fails quietly: a server without reflection, or none at all, is an event and leaves the last figures', async () => {
    const pinned = await setOf()
    const server = await changing(await setOf('bool b = 2;'))
    const { watch, events, gauges, look } = watching()
    watch.follow(await policyOf(server.port, pinned))
    expect(await look(30_000)).toBe('drifted')
    await server.become(pinned, [])
    expect(await look(600_000)).toBe('unreflected')
    server.stop()
    expect(await look(600_000)).toBe('failed')
    expect(events.map(([level, event]) => [level, event])).toEqual([
      ['warn', 'descriptor_drift'],
      ['info', 'descriptor_unreflected'],
      ['warn', 'descriptor_check_failed'],
    ])
    expect(gauges()).toEqual([
      ['breaking', 0],
      ['addition', 1],
    ])
  })

  it('never where the policies give no interval, and not after they took it away', async () => {
    const pinned = await setOf()
    const server = await changing(pinned)
    const { watch, clock, look, looks, forgotten } = watching()
    const silent = await policyOf(server.port, pinned, '')
    watch.follow(silent)
    expect(clock.pending).toBe(0)
    watch.follow(await policyOf(server.port, pinned))
    expect(await look(30_000)).toBe('same')
    watch.follow(await policyOf(server.port, pinned))
    expect(clock.pending).toBe(1)
    watch.follow(silent)
    expect(clock.pending).toBe(0)
    clock.advance(86_400_000)
    expect(looks()).toHaveLength(1)
    expect(forgotten).toContain('sallyport_descriptor_drift')
  })

  it('in the real gateway: the metric stands in /metrics, and a reload with the new set clears it', async () => {
    const [pinned, other] = [await setOf('int64 n = 2;'), await setOf('int32 n = 2;')]
    const server = await changing(other)
    const files = { 'house.yaml': house, 'a.yaml': `sallyport: v1\n${cluster(server.port, ', drift: 10s')}`, 'a.binpb': pinned }
    const gateway = await openGateway(keep, files)
    const metrics = async () => await (await fetch(`http://127.0.0.1:${gateway.port('admin')}/metrics`)).text()
    await vi.waitFor(async () => expect(await metrics()).toContain('sallyport_descriptor_drift{cluster="a",kind="breaking"} 1'), {
      timeout: 20_000,
      interval: 50,
    })
    await gateway.policies.write('a.binpb', other)
    await gateway.running.reload()
    await vi.waitFor(async () => expect(await metrics()).toContain('sallyport_descriptor_drift{cluster="a",kind="breaking"} 0'), {
      timeout: 20_000,
      interval: 50,
    })
  }, 45_000)
})
