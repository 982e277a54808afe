import { describe, expect, it } from 'vitest'
import { buildStreams } from '../../src/core/egress/stream.ts'
import { buildTunnels } from '../../src/core/egress/tunnel.ts'
import { Live } from '../../src/core/live.ts'
import type { EgressService } from '../../src/core/model/egress-service.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import type { PublicListener } from '../../src/core/policy/linked/listeners.ts'
import type { Snapshot } from '../../src/core/snapshot.ts'
import { type ListenerPlan, ListenerSet, plansOf } from '../../src/node/gateway/listener-set.ts'
import { drain } from '../../src/node/gateway/shutdown.ts'
import { arrival } from '../support/arrival.ts'
import { fakeClock } from '../support/clock.ts'
import { fakeListeners } from '../support/listeners.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'

const plan = (name: string, port: number, settings?: Partial<PublicListener>): ListenerPlan => ({
  name,
  address: { host: '127.0.0.1', port },
  settings: settings as PublicListener | undefined,
})

async function bound(...plans: readonly ListenerPlan[]) {
  const net = fakeListeners()
  const set = new ListenerSet(net.open, 25_000)
  await (await set.prepare(plans)).commit()
  net.events.length = 0
  const change = async (...next: readonly ListenerPlan[]) => (await set.prepare(next)).commit()
  return { net, set, change }
}

describe('the listeners of a policy', () => {
  it('are the fixed ones and a port for each service that wants its own', () => {
    const address = { host: '127.0.0.1', port: 9100 }
    const service = { name: 'payments', listen: '[::1]:9101' } as EgressService
    const other = { name: 'crm', listen: undefined } as EgressService
    const policy = emptyPolicy({
      listeners: { public: undefined, egress: { address }, admin: { address } },
      egress: { payments: { service, targets: {} }, crm: { service: other, targets: {} } },
    })
    expect(plansOf(policy)).toEqual([
      { name: 'egress', address, settings: undefined },
      { name: 'egress:payments', address: { host: '::1', port: 9101 }, settings: undefined },
      { name: 'admin', address, settings: undefined },
    ])
  })
})

describe('a change of listeners', () => {
  it('leaves alone what stays the same, port 0 included', async () => {
    const { net, change, set } = await bound(plan('public', 8080), plan('admin', 0))
    expect(await change(plan('admin', 0), plan('public', 8080))).toEqual([])
    expect(net.events).toEqual([])
    expect(set.bound.map(({ name, port }) => [name, port])).toEqual([
      ['admin', 40_000],
      ['public', 8080],
    ])
  })

  it('binds the new address before it lets go of the old', async () => {
    const { net, change } = await bound(plan('public', 8080), plan('egress', 9100))
    await change(plan('public', 8081), plan('egress', 9100), plan('egress:pay', 9101))
    expect(net.events).toEqual(['open public 8081', 'open egress:pay 9101', 'close public 8080 after 0 within 25000'])
  })

  it('rebinds an address whose settings change, after a rehearsal on a free port', async () => {
    const { net, change } = await bound(plan('public', 8080, { protocols: ['h2'] }))
    expect(await change(plan('public', 8080, { protocols: ['http/1.1'] }))).toEqual([])
    expect(net.events).toEqual(['open public 0', 'close public 0 after 0 within 0', 'close public 8080 after 0 within 25000', 'open public 8080'])
  })

  it('passes an address from one listener to another', async () => {
    const { net, change } = await bound(plan('egress:a', 9101), plan('egress:b', 9102))
    expect(await change(plan('egress:a', 9102), plan('egress:b', 9101))).toEqual([])
    expect(net.names.toSorted()).toEqual(['egress:a', 'egress:b'])
  })

  it('changes nothing when one address cannot be bound, and says which', async () => {
    const { net, set } = await bound(plan('public', 8080))
    net.refuse(9101)
    await expect(set.prepare([plan('egress', 9100), plan('egress:pay', 9101)])).rejects.toThrow('listener egress:pay cannot be bound to 127.0.0.1:9101: EACCES')
    expect(net.names).toEqual(['public'])
    expect(set.bound.map(({ name }) => name)).toEqual(['public'])
  })

  it('can be called off', async () => {
    const { net, set } = await bound(plan('public', 8080))
    await (await set.prepare([plan('public', 8081)])).abort()
    expect(net.names).toEqual(['public'])
    expect(set.bound.map(({ port }) => port)).toEqual([8080])
  })
})

describe('the shutdown', () => {
  const idle = () => new Live({ revision: 'r', policy: emptyPolicy(), close: async () => {} } as Snapshot)
  const times = { lameDuckMs: 5000, drainMs: 25_000 }
  const turns = () => new Promise<void>((resolve) => setImmediate(resolve))

  it('ends everything but the admin listener, with a lame duck and a drain', async () => {
    const { net, set } = await bound(plan('public', 8080), plan('admin', 9901))
    const clock = fakeClock()
    await drain(set, idle(), times, clock, new AbortController().signal)
    expect(net.events).toEqual(['close public 8080 after 5000 within 25000'])
    expect(net.names).toEqual(['admin'])
    expect(clock.pending).toBe(0)
  })

  it('cuts what drains when it is told to hurry', async () => {
    const { net, set } = await bound(plan('public', 8080))
    net.hold()
    const hurry = new AbortController()
    const done = drain(set, idle(), times, fakeClock(), hurry.signal)
    await turns()
    expect(net.events).toEqual(['close public 8080 after 5000 within 25000'])
    hurry.abort()
    await done
    expect(net.events).toEqual(['close public 8080 after 5000 within 25000', 'cut public'])
  })

  it('also ends what an earlier reload left draining', async () => {
    const { net, set, change } = await bound(plan('public', 8080))
    net.hold()
    await change(plan('public', 8081))
    net.events.length = 0
    const done = drain(set, idle(), times, fakeClock(), AbortSignal.abort())
    await done
    expect(net.events).toEqual(['close public 8081 after 5000 within 25000', 'cut public', 'cut public'])
  })

  it('leaves nothing behind of a reload that was under way', async () => {
    const { net, set } = await bound(plan('public', 8080))
    const prepared = await set.prepare([plan('public', 8081)])
    await set.close({ lameDuckMs: 0, drainMs: 0 })
    expect(await prepared.commit()).toEqual([])
    expect(net.names).toEqual([])
    await expect(set.prepare([plan('public', 8080)])).rejects.toThrow('stopping')
  })

  it('does not wait for a walk that never ends', async () => {
    const { set } = await bound()
    const stuck = new Promise<Outbound>(() => {})
    const walk = Object.assign(() => stuck, { close: () => {} })
    const live = new Live({
      revision: 'r',
      policy: emptyPolicy(),
      ingress: walk,
      egress: walk,
      streams: buildStreams(emptyPolicy(), fakePorts()),
      tunnels: buildTunnels(emptyPolicy(), fakePorts()),
      close: async () => {},
    })
    void live.walk('ingress', arrival('GET', '/'))
    const clock = fakeClock()
    const done = drain(set, live, times, clock, new AbortController().signal)
    await turns()
    clock.advance(1000)
    await expect(done).resolves.toBeUndefined()
  })
})
