import { describe, expect, it } from 'vitest'
import type { JournalRecord } from '../../src/core/ports.ts'
import { type Hand, openHand } from '../../src/node/workers/hand.ts'
import type { Order } from '../../src/node/workers/orders.ts'
import { Supervisor } from '../../src/node/workers/supervisor.ts'
import { fakeClock } from '../support/clock.ts'

/** Everything that waits for nothing but promises has happened. */
const settled = () => new Promise<void>((resolve) => void setImmediate(resolve))

interface Fake extends Hand {
  end(how: string): void
}

function supervised(count: number, begin: (hand: Hand) => Promise<void> = async () => {}) {
  const clock = fakeClock()
  const events: JournalRecord[] = []
  const forked: Fake[] = []
  const lost: Hand[] = []
  const reasons: string[] = []
  const fork = (): Hand => {
    const over = Promise.withResolvers<string>()
    const end = (how: string) => over.resolve(how)
    const hand: Fake = {
      pid: forked.length + 1,
      order: () => Promise.reject(new Error('not asked here')),
      ended: over.promise,
      kill: () => end('SIGKILL'),
      end,
    }
    forked.push(hand)
    return hand
  }
  const supervisor = new Supervisor({
    count,
    clock,
    log: (_, event, facts) => void events.push({ event, ...facts }),
    fork,
    begin,
    lost: (hand) => void lost.push(hand),
    gaveUp: (why) => void reasons.push(why),
  })
  const end = async (pid: number, how = 'SIGKILL') => {
    forked[pid - 1]?.end(how)
    await settled()
  }
  const pids = () => supervisor.serving.map(({ pid }) => pid)
  return { supervisor, clock, events, forked, lost, reasons, end, pids }
}

describe('worker processes', () => {
  it('serve once all have begun, and one that ends is replaced at once in its place', async () => {
    const { supervisor, clock, end, pids, lost, events } = supervised(3)
    await supervisor.start()
    expect(pids()).toEqual([1, 2, 3])
    clock.advance(60_000)
    await end(2)
    expect(pids()).toEqual([1, 3, 4])
    expect(lost.map(({ pid }) => pid)).toEqual([2])
    expect(events.slice(3)).toEqual([
      { event: 'worker_ended', worker: 1, pid: 2, how: 'SIGKILL', again_ms: 0 },
      { event: 'worker_started', worker: 1, pid: 4 },
    ])
  })

  it('that end young again and again wait longer each time, and are given up', async () => {
    const { supervisor, clock, end, pids, reasons, forked, events } = supervised(2)
    await supervisor.start()
    let last = 1
    const early: (readonly number[])[] = []
    for (const wait of [0, 200, 400, 800, 1600]) {
      await end(last, 'status 7')
      clock.advance(Math.max(0, wait - 1))
      await settled()
      early.push(pids())
      clock.advance(1)
      await settled()
      last = forked.length
      expect(pids()).toEqual([2, last])
    }
    expect(early).toEqual([[2, 3], [2], [2], [2], [2]])
    expect(reasons).toEqual([])
    await end(last, 'status 7')
    clock.advance(60_000)
    await settled()
    expect(pids()).toEqual([2])
    expect(reasons).toEqual(['worker 0 ended 6 times in a row, each within 10 s of its start, the last time (process 7) by status 7'])
    expect(events.filter(({ event }) => event === 'worker_ended')).toHaveLength(5)
  })

  it('that lived long in between begin to count anew', async () => {
    const { supervisor, clock, end, forked, reasons, pids } = supervised(1)
    await supervisor.start()
    for (let i = 0; i < 20; i++) {
      clock.advance(i % 4 === 3 ? 10_000 : 1000)
      await end(forked.length)
      clock.advance(5000)
      await settled()
    }
    expect(reasons).toEqual([])
    expect(pids()).toEqual([21])
  })

  it('none of which is left when one cannot begin at the start', async () => {
    const { supervisor, forked, events } = supervised(3, ({ pid }) => (pid === 2 ? Promise.reject(new Error('no such address')) : Promise.resolve()))
    await expect(supervisor.start()).rejects.toThrow('no such address')
    expect(supervisor.alive).toEqual([])
    expect(await Promise.all(forked.map(({ ended }) => ended))).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL'])
    await settled()
    expect(forked).toHaveLength(3)
    expect(events.some(({ event }) => event === 'worker_ended')).toBe(false)
  })

  it('that cannot begin later are tried again, and given up like any other', async () => {
    let broken = false
    const { supervisor, clock, end, reasons, pids } = supervised(1, () => (broken ? Promise.reject(new Error('no')) : Promise.resolve()))
    await supervisor.start()
    clock.advance(60_000)
    broken = true
    await end(1)
    for (let i = 0; i < 2; i++) {
      await settled()
      clock.advance(2000)
    }
    await settled()
    broken = false
    clock.advance(2000)
    await settled()
    expect(pids()).toHaveLength(1)
    expect(reasons).toEqual([])
    broken = true
    await end(supervisor.serving[0]?.pid ?? 0)
    for (let i = 0; i < 4; i++) {
      clock.advance(2000)
      await settled()
    }
    expect(reasons).toHaveLength(1)
  })

  it('are not replaced once they are told to stop', async () => {
    const { supervisor, clock, end, forked } = supervised(2)
    await supervisor.start()
    supervisor.stop()
    await end(1, 'status 0')
    await end(2, 'status 0')
    clock.advance(60_000)
    await settled()
    expect(forked).toHaveLength(2)
    expect(supervisor.alive).toEqual([])
  })
})

describe('an order to a worker', () => {
  const open = () => {
    const posted: Order[] = []
    const over = Promise.withResolvers<string>()
    const { hand, hear } = openHand({ pid: 7, post: (order) => void posted.push(order), ended: over.promise, kill: () => {} })
    return { hand, hear, posted, end: over.resolve }
  }

  it('settles with the answer to it, in whatever order answers come', async () => {
    const { hand, hear, posted } = open()
    const asked = [hand.order('abort', undefined, 1000), hand.order('prepare', { policy: undefined as never, ports: {} }, 1000)]
    hear({ cmd: 'something else' })
    hear({ done: posted[1]?.order, is: 'obstacle' })
    hear({ done: posted[0]?.order, is: undefined })
    expect(await Promise.all(asked)).toEqual([undefined, 'obstacle'])
  })

  it('rejects with what the worker says, and when it ends before', async () => {
    const { hand, hear, posted, end } = open()
    const asked = [hand.order('abort', undefined, 1000), hand.order('commit', undefined, 1000)]
    hear({ done: posted[0]?.order, failed: 'no', diagnostics: [] })
    end('SIGKILL')
    await expect(asked[0]).rejects.toThrow('no')
    await expect(asked[1]).rejects.toThrow('worker 7 ended by SIGKILL')
  })
})
