import { describe, expect, it } from 'vitest'
import type { VendorQuota } from '../../src/core/model/egress-service.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import { fairShare } from '../../src/core/upstream/quota/ledger.ts'
import { pauseOf } from '../../src/core/upstream/quota/pause.ts'
import { buildUpstream, type SendableOut } from '../../src/core/upstream.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { httpCall } from '../support/calls.ts'
import { fakeClock } from '../support/clock.ts'
import { live, service } from '../support/egress.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakeChannels, fakePorts, seededRandom } from '../support/ports.ts'
import { httpReply, retry } from '../support/sendable.ts'

const plain: VendorQuota = { vendor: { points: 10, windowMs: 1_000, shareBy: 'caller' }, cost: undefined, maxRetryAfterMs: 0, onStoreFailure: 'local' }

interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly takesMs?: number
}

/** A vendor on a fake clock: it notes when each call reached it, which is at random between its beginning and its answer. */
function house(quota: Partial<VendorQuota> = {}, answer: (nth: number) => Answer = () => ({}), tries = 0) {
  const clock = fakeClock()
  const random = seededRandom(7)
  const arrivals: number[] = []
  const by: string[] = []
  const channels = fakeChannels({
    http: async (call) => {
      const { status = 200, headers = {}, takesMs = 0 } = answer(arrivals.length)
      arrivals.push(clock.ticks() + random.unit() * takesMs)
      by.push(call.headers.get('x-test-caller') ?? '')
      if (takesMs > 0) await new Promise<void>((resolve) => void clock.after(takesMs, resolve))
      return { ...httpReply(status), headers: new FieldList(Object.entries(headers)) }
    },
  })
  const ports = fakePorts({ clock, channels, counters: createMemoryCounters(clock) })
  const of = service('pay', { quota: { ...plain, ...quota }, ...(tries > 0 ? { retry: retry({ attempts: tries, maxRetryAfterMs: 60_000 }) } : {}) })
  const upstream = buildUpstream(emptyPolicy(), ports)
  const ask = async (name = 'checkout', environment = 'test') => {
    const slots = {
      lifeline: new Lifeline(),
      receivedAt: clock.ticks(),
      deadline: Number.POSITIVE_INFINITY,
      sent: undefined,
      request: { headers: new FieldList() },
      service: of,
      target: live(environment, 'https://pay.example'),
      vet: () => undefined,
      caller: { kind: 'caller', name },
      call: httpCall({ scheme: 'https', authority: 'pay.example', headers: new FieldList([['x-test-caller', name]]) }),
    }
    try {
      // The other slots belong to other rooms, and permits are minted by them alone.
      const reply = await upstream.forwardOut(slots as unknown as SendableOut)
      slots.lifeline.settle()
      return reply.kind === 'http' ? `${reply.status}` : 'grpc'
    } catch (error) {
      return Fault.from(error).code
    }
  }
  const after = (ms: number) => run(clock, ms)
  return { ask, after, arrivals, by, ports, clock }
}

/** Lets time pass in small steps, and everything that waits for it happen. */
async function run(clock: ReturnType<typeof fakeClock>, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5) {
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(5)
  }
  await new Promise((resolve) => setImmediate(resolve))
}

/** The most arrivals in any stretch of that time. */
function most(arrivals: readonly number[], windowMs: number): number {
  const sorted = arrivals.toSorted((a, b) => a - b)
  return Math.max(0, ...sorted.map((from) => sorted.filter((at) => at >= from && at < from + windowMs).length))
}

const count = (by: readonly string[], name: string) => by.filter((one) => one === name).length

describe('a quota at a vendor', () => {
  it('is never exceeded in any window at the vendor, however long calls are under way, and is used', async () => {
    const { ask, after, arrivals, clock } = house({ maxRetryAfterMs: 60_000 }, (nth) => ({ takesMs: (nth * 37) % 900 }))
    for (let i = 0; i < 60; i++) void ask(i % 3 === 0 ? 'checkout' : 'billing')
    await after(14_000)
    expect(arrivals.length).toBe(60)
    expect(most(arrivals, 1_000)).toBeLessThanOrEqual(10)
    expect(clock.ticks()).toBeLessThan(20_000)
  })

  it('counts retries like calls', async () => {
    const { ask, after, arrivals } = house({ vendor: { points: 3, windowMs: 1_000, shareBy: 'none' } }, () => ({ status: 502 }), 2)
    const asked = [ask(), ask()]
    await after(900)
    expect(arrivals.length).toBe(3)
    // The try that the quota refused is none: what the vendor said last is the answer.
    expect(await Promise.all(asked)).toEqual(['502', '502'])
  })

  it('refuses at once what would wait too long, says when to come again, and sends nothing', async () => {
    const { ask, arrivals } = house()
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask()))
    expect(answers.filter((one) => one === '200').length).toBe(10)
    expect(answers.filter((one) => one === 'quota_exceeded').length).toBe(2)
    expect(arrivals.length).toBe(10)
  })

  it('is of one environment', async () => {
    const { ask } = house()
    await Promise.all(Array.from({ length: 10 }, () => ask()))
    expect([await ask('checkout', 'test'), await ask('checkout', 'dev')]).toEqual(['quota_exceeded', '200'])
  })
})

describe('callers that share a quota', () => {
  it('one alone may use all of it', async () => {
    const { ask, by } = house()
    await Promise.all(Array.from({ length: 30 }, () => ask('greedy')))
    expect(count(by, 'greedy')).toBe(10)
  })

  it('get the same when all want more, and what one leaves goes to the others', async () => {
    const { ask, after, by } = house()
    let before = 0
    for (let tick = 0; tick < 600; tick++) {
      // What was asked for within the last window is known from then on.
      if (tick === 200) before = by.length
      for (let i = 0; i < 5; i++) void ask('greedy')
      if (tick % 2 === 0) void ask('steady')
      if (tick % 60 === 0) void ask('modest')
      await after(10)
    }
    const settled = by.slice(before)
    // Six asked, at most two in a second.
    expect(count(settled, 'modest')).toBeGreaterThanOrEqual(5)
    expect(count(settled, 'steady') / count(settled, 'greedy')).toBeGreaterThan(0.7)
    expect(count(settled, 'steady') / count(settled, 'greedy')).toBeLessThan(1.4)
    expect(settled.length).toBeGreaterThan(30)
  })

  it('are served as they come where the policy says so', async () => {
    const { ask, after, by } = house({ vendor: { points: 10, windowMs: 1_000, shareBy: 'none' } })
    for (let tick = 0; tick < 200; tick++) {
      for (let i = 0; i < 5; i++) void ask('greedy')
      void ask('steady')
      await after(10)
    }
    expect(count(by, 'steady')).toBeLessThan(3)
  })

  it.each([
    [[1, 2], 10, Number.POSITIVE_INFINITY],
    [[100, 100], 10, 5],
    [[1, 100], 10, 9],
    [[2, 3, 100, 100], 15, 5],
    [[100, 100, 100], 10, 10 / 3],
  ])('who ask for %j of %d get at most %d each', (asked, points, share) => {
    expect(fairShare(asked, points)).toBe(share)
  })
})

describe('what a vendor says about its limits', () => {
  const now = Date.UTC(2026, 0, 1)
  it.each([
    [429, {}, 1_000],
    [429, { 'retry-after': '7' }, 7_000],
    [503, { 'retry-after': '7' }, 7_000],
    [503, { 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT' }, 9_000],
    [429, { 'retry-after': '999999999' }, 3_600_000],
    [200, { 'retry-after': '7' }, undefined],
    [503, {}, undefined],
    [200, { ratelimit: '"default";r=0;t=30' }, 30_000],
    [200, { ratelimit: '"a";r=5;t=90, "b";r=0;t=3' }, 3_000],
    [200, { ratelimit: '"default";r=1;t=30' }, undefined],
    [200, { 'ratelimit-remaining': '0', 'ratelimit-reset': '4' }, 4_000],
    [200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': `${now / 1_000 + 5}` }, 5_000],
    [200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': `${now + 6_000}` }, 6_000],
    [200, { 'x-rate-limit-remaining': '3', 'x-rate-limit-reset': '4' }, undefined],
    [429, { 'retry-after': 'soon' }, 1_000],
    [429, { 'retry-after': '2', ratelimit: '"default";r=0;t=30' }, 30_000],
  ])('%d with %j means %s ms', (status, headers, ms) => {
    expect(pauseOf(status, new FieldList(Object.entries(headers)), now)).toBe(ms)
  })

  it('pauses the service for everybody in the environment, and nobody else', async () => {
    const { ask, after, arrivals, ports } = house({ vendor: undefined }, (nth) => (nth === 0 ? { status: 429, headers: { 'retry-after': '3' } } : {}))
    expect(await ask('checkout')).toBe('429')
    expect([await ask('checkout'), await ask('billing'), await ask('checkout', 'dev')]).toEqual(['vendor_paused', 'vendor_paused', '200'])
    expect(arrivals.length).toBe(2)
    await after(3_000)
    expect(await ask('billing')).toBe('200')
    expect(ports.meter.total('sallyport_egress_pauses_total')).toBe(1)
    expect(ports.meter.total('sallyport_egress_quota_total', { outcome: 'paused' })).toBe(2)
  })

  it('is waited for where it is short, and not past the deadline', async () => {
    const { ask, after, arrivals } = house({ vendor: undefined, maxRetryAfterMs: 5_000 }, (nth) =>
      nth === 0 ? { status: 503, headers: { 'retry-after': '3' } } : {},
    )
    await ask()
    const waiting = ask()
    await after(2_900)
    expect(arrivals.length).toBe(1)
    await after(200)
    expect(await waiting).toBe('200')
  })
})

describe('a vendor that answers a plain 503', () => {
  const forever = { vendor: undefined, maxRetryAfterMs: 60_000 }
  const gaps = (arrivals: readonly number[]) => arrivals.slice(1).map((at, i) => at - (arrivals[i] ?? 0))

  it('twice in a row is left alone for a moment, longer each time, at random by half, and never for more than ten seconds', async () => {
    const { ask, after, arrivals } = house(forever, () => ({ status: 503 }))
    void (async () => {
      for (let i = 0; i < 10; i++) await ask()
    })()
    await after(60_000)
    const [first = -1, ...others] = gaps(arrivals)
    expect(first).toBeLessThan(10)
    for (const [i, gap] of others.entries()) {
      const most = Math.min(10_000, 500 * 2 ** i)
      expect(gap).toBeGreaterThanOrEqual(most / 2 - 5)
      expect(gap).toBeLessThanOrEqual(most + 10)
    }
    expect(others.length).toBe(8)
    expect(new Set(others.slice(-3)).size).toBeGreaterThan(1)
  })

  it('counts once for all that were under way together, and anew after any other answer', async () => {
    const together = house(forever, (nth) => ({ status: nth < 20 ? 503 : 200, takesMs: 100 }))
    for (let i = 0; i < 20; i++) void together.ask()
    await together.after(120)
    const next = together.ask()
    await together.after(120)
    expect(await next).toBe('200')

    const limited = house({ vendor: undefined }, (nth) => (nth === 1 ? { headers: { 'ratelimit-remaining': '0', 'ratelimit-reset': '1' } } : { status: 503 }))
    expect([await limited.ask(), await limited.ask()]).toEqual(['503', '200'])
    await limited.after(1_000)
    expect([await limited.ask(), await limited.ask()]).toEqual(['503', '503'])
    const between = house({ vendor: undefined }, (nth) => ({ status: nth % 2 === 0 ? 503 : 200 }))
    for (let i = 0; i < 6; i++) {
      expect(await between.ask()).toBe(i % 2 === 0 ? '503' : '200')
      await between.after(5)
    }
  })

  it('is left alone by everybody in that environment alone, and whoever cannot wait is told', async () => {
    const { ask, after, arrivals, ports } = house({ vendor: undefined }, () => ({ status: 503 }))
    expect(await ask('checkout')).toBe('503')
    await after(5)
    expect(await ask('checkout')).toBe('503')
    expect([await ask('billing'), await ask('checkout'), await ask('checkout', 'dev')]).toEqual(['vendor_paused', 'vendor_paused', '503'])
    expect(arrivals.length).toBe(3)
    expect(ports.meter.total('sallyport_egress_pauses_total')).toBe(1)
  })
})

describe('what calls cost', () => {
  it('is counted for every try, and no call goes that the month cannot pay', async () => {
    const cost = { perCall: 0.25, currency: 'EUR', calls: 3 }
    const { ask, ports, arrivals } = house({ vendor: undefined, cost, maxRetryAfterMs: 60_000 })
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual(['200', '200', '200', 'cost_exceeded'])
    expect(arrivals.length).toBe(3)
    expect(ports.meter.total('sallyport_egress_cost_total', { service: 'pay', environment: 'test', currency: 'EUR' })).toBe(0.75)
  })

  it('is counted without a cap too', async () => {
    const { ask, ports } = house({ vendor: undefined, cost: { perCall: 2, currency: 'USD', calls: undefined } })
    await ask()
    expect(ports.meter.total('sallyport_egress_cost_total')).toBe(2)
  })
})
