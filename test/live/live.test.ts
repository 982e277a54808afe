import { describe, expect, it } from 'vitest'
import { buildStreams } from '../../src/core/egress/stream.ts'
import { buildTunnels } from '../../src/core/egress/tunnel.ts'
import { Live } from '../../src/core/live.ts'
import type { Arrival } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { noFields } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import type { Snapshot } from '../../src/core/snapshot.ts'
import { arrival } from '../support/arrival.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'

interface Double extends Snapshot {
  closed: boolean
  readonly failures: string[]
}

/** A snapshot whose walk yields some turns of the event loop and fails when it was closed under way. */
function snapshot(revision: string, walk: (arrival: Arrival) => Promise<void> = async () => {}): Double {
  const run = async (came: Arrival) => {
    if (double.closed) double.failures.push(`${revision} was closed before ${came.target}`)
    await walk(came)
    if (double.closed) double.failures.push(`${revision} was closed under ${came.target}`)
    return answer(revision)
  }
  const double: Double = {
    revision,
    policy: {} as Policy,
    closed: false,
    failures: [],
    ingress: Object.assign(run, { close: () => {} }),
    egress: Object.assign(run, { close: () => {} }),
    streams: buildStreams(emptyPolicy(), fakePorts()),
    tunnels: buildTunnels(emptyPolicy(), fakePorts()),
    async close() {
      double.closed = true
    },
  }
  return double
}

const answer = (text: string): Outbound => ({ status: 200, headers: noFields, body: new TextEncoder().encode(text) })
const request = (lifeline = new Lifeline()) => arrival('GET', '/', {}, { lifeline })

describe('Live', () => {
  it('closes a snapshot at once when nobody uses it', async () => {
    const first = snapshot('a')
    const live = new Live(first)
    await live.publish(snapshot('b'))
    expect(first.closed).toBe(true)
    expect(live.current.revision).toBe('b')
  })

  it('keeps a snapshot open until the walk and the answer of its last request are over', async () => {
    const gate = Promise.withResolvers<void>()
    const first = snapshot('a', () => gate.promise)
    const live = new Live(first)
    const lifeline = new Lifeline()
    const walking = live.walk('ingress', request(lifeline))
    const closing = live.publish(snapshot('b'))
    gate.resolve()
    await walking
    expect(first.closed).toBe(false)
    lifeline.settle()
    await closing
    expect(first.closed).toBe(true)
    expect(live.inFlight).toBe(0)
  })

  it('keeps it open when the downstream goes away before the walk ends', async () => {
    const gate = Promise.withResolvers<void>()
    const first = snapshot('a', () => gate.promise)
    const live = new Live(first)
    const lifeline = new Lifeline()
    const walking = live.walk('egress', request(lifeline))
    const closing = live.publish(snapshot('b'))
    lifeline.end(new Fault('client_closed', 'gone'))
    expect(live.inFlight).toBe(1)
    gate.resolve()
    await walking
    await closing
    expect(first.failures).toEqual([])
  })

  it('counts a request out once, even when its walk rejects', async () => {
    const live = new Live(snapshot('a', () => Promise.reject(new Error('bug'))))
    const lifeline = new Lifeline()
    await expect(live.walk('ingress', request(lifeline))).rejects.toThrow('bug')
    lifeline.end(new Fault('internal', 'bug'))
    lifeline.settle()
    expect(live.inFlight).toBe(0)
    await live.idle()
  })

  it('keeps a snapshot open under a tunnel that is decided about, and asks none while egress calls are held', async () => {
    const first = snapshot('a')
    const live = new Live(first)
    const gate = Promise.withResolvers<void>()
    const asking = live.ask(async ({ revision }) => {
      await gate.promise
      return [revision, first.closed]
    })
    await Promise.resolve()
    const closing = live.publish(snapshot('b'))
    const letGo = live.hold()
    const later = live.ask(async ({ revision }) => revision)
    gate.resolve()
    expect(await asking).toEqual(['a', false])
    await closing
    expect(first.closed).toBe(true)
    expect(live.inFlight).toBe(0)
    void live.publish(snapshot('c'))
    letGo()
    expect(await later).toBe('c')
  })

  it('passes on what closing the old snapshot threw', async () => {
    const live = new Live({ ...snapshot('a'), close: () => Promise.reject(new Error('stuck')) })
    await expect(live.publish(snapshot('b'))).rejects.toThrow('stuck')
  })

  it('publishes 200 times while requests run, and no request ever meets a closed snapshot', async () => {
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
    const all: Double[] = []
    const make = (i: number) => {
      const made = snapshot(`r${i}`, async () => {
        await turn()
        await Promise.resolve()
        await turn()
      })
      all.push(made)
      return made
    }
    const live = new Live(make(0))
    const closings: Promise<void>[] = []
    const stop = new AbortController()
    let answered = 0
    const client = async () => {
      while (!stop.signal.aborted) {
        const lifeline = new Lifeline()
        const out = await live.walk('ingress', request(lifeline))
        expect(out.status).toBe(200)
        await turn()
        lifeline.settle()
        answered += 1
      }
    }
    const clients = Array.from({ length: 16 }, client)
    for (let i = 1; i <= 200; i++) {
      closings.push(live.publish(make(i)))
      await turn()
    }
    stop.abort()
    await Promise.all(clients)
    await Promise.all(closings)
    expect(answered).toBeGreaterThan(200)
    expect(all.flatMap((one) => one.failures)).toEqual([])
    expect(all.filter((one) => !one.closed).map((one) => one.revision)).toEqual(['r200'])
  })
})
