import { describe, expect, it } from 'vitest'
import { buildStreams } from '../../src/core/egress/stream.ts'
import { buildTunnels } from '../../src/core/egress/tunnel.ts'
import { Live } from '../../src/core/live.ts'
import { noFields } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import { metrics } from '../../src/core/observe/metrics.ts'
import type { Diagnostic } from '../../src/core/policy/diagnostic.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import type { JournalValue } from '../../src/core/ports.ts'
import type { Snapshot } from '../../src/core/snapshot.ts'
import { prepareChange } from '../../src/node/gateway/change.ts'
import { ListenerSet, plansOf } from '../../src/node/gateway/listener-set.ts'
import { Reloader } from '../../src/node/gateway/reloader.ts'
import { createStoreInForce } from '../../src/node/gateway/store-in-force.ts'
import { createMeter } from '../../src/node/meter.ts'
import type { LoadOutcome } from '../../src/node/policy-source.ts'
import { arrival } from '../support/arrival.ts'
import { fakeListeners } from '../support/listeners.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'

const wrong: Diagnostic = {
  severity: 'error',
  code: 'unknown_key',
  file: 'routes.yaml',
  line: 7,
  column: 3,
  message: 'There is no key "timeot".',
  hint: 'Did you mean "timeout"?',
  object: 'routes.orders',
}

interface Built {
  readonly revision: string
  closed: boolean
}

function gateway(first: Policy = emptyPolicy()) {
  const ports = fakePorts()
  const built: Built[] = []
  const build = (policy: Policy): Snapshot => {
    if (policy.revision === 'unbuildable') throw new Error('cannot compile')
    const one: Built = { revision: policy.revision, closed: false }
    built.push(one)
    const walk = Object.assign(
      async () => {
        await new Promise<void>((resolve) => setImmediate(resolve))
        return { status: one.closed ? 500 : 200, headers: noFields, body: new Uint8Array(1) }
      },
      { close: () => {} },
    )
    const close = async () => {
      one.closed = true
    }
    return {
      revision: policy.revision,
      policy,
      ingress: walk,
      egress: walk,
      streams: buildStreams(policy, fakePorts()),
      tunnels: buildTunnels(policy, fakePorts()),
      close,
    }
  }
  const outcomes: LoadOutcome[] = []
  const events: { readonly level: string; readonly event: string; readonly facts: Readonly<Record<string, JournalValue>> | undefined }[] = []
  const net = fakeListeners()
  const live = new Live(build(first))
  const meter = createMeter(metrics)
  const listeners = new ListenerSet(net.open, 1000)
  const log = (level: string, event: string, facts?: Readonly<Record<string, JournalValue>>) => void events.push({ level, event, facts })
  const store = createStoreInForce(undefined, ports)
  const parts = {
    load: async () => outcomes.shift() ?? ({ kind: 'unchanged' } as const),
    publish: async (policy: Policy) => {
      const change = await prepareChange({ build: async (fresh) => build(fresh), plans: plansOf, live, listeners, store, log }, policy)
      return 'obstacle' in change ? change : { lost: await change.commit() }
    },
    inForce: () => live.current,
    now: () => ports.clock.now(),
    log,
    meter,
  }
  return { reloader: new Reloader(parts, []), live, outcomes, events, net, meter, built, listeners, ports }
}

const loaded = (revision: string, more: Partial<Policy> = {}, diagnostics: readonly Diagnostic[] = []): LoadOutcome => ({
  kind: 'loaded',
  policy: emptyPolicy({ revision, ...more }),
  diagnostics,
})

describe('a reload', () => {
  it('puts a good policy in force and closes the old snapshot', async () => {
    const { reloader, live, outcomes, meter, built } = gateway()
    outcomes.push(loaded('rev1'))
    expect(await reloader.reload()).toMatchObject({ outcome: 'published', diagnostics: [] })
    expect(live.current.revision).toBe('rev1')
    expect(built.map(({ revision, closed }) => [revision, closed])).toEqual([
      ['rev0', true],
      ['rev1', false],
    ])
    expect(meter.text()).toContain('sallyport_policy_revision_info{revision="rev1",environment="dev"} 1')
    expect(meter.text()).not.toContain('revision="rev0"')
    expect(meter.text()).toContain('sallyport_reload_total{outcome="published"} 2')
  })

  it('keeps the old snapshot when anything is wrong, and names file, line and column in log and outcome', async () => {
    const { reloader, live, outcomes, meter, events } = gateway()
    outcomes.push(loaded('rev1', {}, [wrong]))
    expect(await reloader.reload()).toMatchObject({ outcome: 'failed', diagnostics: [wrong] })
    expect(live.current.revision).toBe('rev0')
    expect(reloader.inForce).toEqual([])
    expect(events).toContainEqual({
      level: 'error',
      event: 'policy_diagnostic',
      facts: expect.objectContaining({ place: 'routes.yaml:7:3', code: 'unknown_key' }),
    })
    expect(meter.text()).toContain('sallyport_policy_last_reload_success 0')
  })

  it('recovers with the next good write, also when that is the old content', async () => {
    const { reloader, live, outcomes, meter, events } = gateway()
    outcomes.push({ kind: 'failed', diagnostics: [wrong] }, loaded('rev0'))
    await reloader.reload()
    expect(await reloader.reload()).toMatchObject({ outcome: 'unchanged', diagnostics: [] })
    expect(live.current.revision).toBe('rev0')
    expect(events.map(({ event }) => event)).toContain('policy_recovered')
    expect(meter.text()).toContain('sallyport_policy_last_reload_success 1')
  })

  it('lets the last outcome stand when the folder did not change since', async () => {
    const { reloader, outcomes } = gateway()
    outcomes.push({ kind: 'failed', diagnostics: [wrong] }, { kind: 'unchanged' })
    await reloader.reload()
    expect(await reloader.reload()).toMatchObject({ outcome: 'failed' })
  })

  it('takes warnings along without refusing', async () => {
    const { reloader, outcomes, live } = gateway()
    outcomes.push(loaded('rev1', {}, [{ ...wrong, severity: 'warning' }]))
    expect(await reloader.reload()).toMatchObject({ outcome: 'published' })
    expect(live.current.revision).toBe('rev1')
    expect(reloader.inForce).toHaveLength(1)
  })

  it('changes nothing when a policy cannot be compiled, a store has no URL, or an address is taken', async () => {
    const { reloader, outcomes, live, net, listeners } = gateway()
    const at = (port: number) => ({ listeners: { public: undefined, admin: undefined, egress: { address: { host: '127.0.0.1', port } } } })
    net.refuse(7777)
    outcomes.push(loaded('unbuildable', at(1000)), loaded('rev1', { store: { redis: 'env:NOWHERE' } }), loaded('rev2', at(7777)))
    for (const code of ['snapshot_failed', 'store_unavailable', 'listener_unavailable']) {
      expect(await reloader.reload()).toMatchObject({ outcome: 'failed', diagnostics: [{ code }] })
    }
    expect(live.current.revision).toBe('rev0')
    expect(listeners.bound).toEqual([])
    expect(net.names).toEqual([])
  })

  it('survives a loader that throws', async () => {
    const { reloader, live, outcomes } = gateway()
    Object.defineProperty(outcomes, 'shift', {
      value: () => {
        throw new Error('disk gone')
      },
    })
    expect(await reloader.reload()).toMatchObject({ outcome: 'failed', diagnostics: [{ message: 'disk gone.' }] })
    expect(live.current.revision).toBe('rev0')
  })

  it('happens 200 times while requests run, and none of them fails', async () => {
    const { reloader, live, outcomes, built } = gateway()
    const stop = new AbortController()
    const statuses = new Map<number, number>()
    const client = async () => {
      while (!stop.signal.aborted) {
        const lifeline = new Lifeline()
        const { status } = await live.walk('ingress', arrival('GET', '/', {}, { lifeline }))
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        lifeline.settle()
      }
    }
    const clients = Array.from({ length: 8 }, client)
    for (let i = 1; i <= 200; i++) {
      outcomes.push(loaded(`rev${i}`))
      expect(await reloader.reload()).toMatchObject({ outcome: 'published' })
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    stop.abort()
    await Promise.all(clients)
    await live.idle()
    expect([...statuses.keys()]).toEqual([200])
    expect(statuses.get(200)).toBeGreaterThan(200)
    expect(built.filter(({ closed }) => !closed).map(({ revision }) => revision)).toEqual(['rev200'])
  })
})
