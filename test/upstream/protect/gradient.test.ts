import { expect, test } from 'vitest'
import { Gradient } from '../../../src/core/upstream/protect/gradient.ts'
import { fakeClock } from '../../support/clock.ts'
import { seededRandom } from '../../support/ports.ts'
import { queueServer } from '../../support/queue-server.ts'

/** Requests at random moments to a service of 10 workers, 20 ms each (500 a second), under a limit; callers go away after `patienceMs`. */
function simulation({ limited, patienceMs = 500 }: { limited: boolean; patienceMs?: number }) {
  const clock = fakeClock()
  const { unit } = seededRandom(7)
  const server = queueServer(clock, 10, 20)
  const gradient = new Gradient(() => 1_024)
  const run = (rate: number, forMs: number) => {
    const end = clock.ticks() + forMs
    const seen = { good: 0, late: 0, refused: 0, peak: 0 }
    while (clock.ticks() < end) {
      clock.advance((-Math.log(1 - unit()) / rate) * 1_000)
      if (limited && !gradient.hasRoom) {
        seen.refused += 1
        continue
      }
      gradient.enter()
      seen.peak = Math.max(seen.peak, gradient.inFlight)
      const began = clock.ticks()
      let over = false
      const finish = (good: boolean) => {
        if (over) return
        over = true
        seen[good ? 'good' : 'late'] += 1
        gradient.sample(clock.ticks() - began, clock.ticks())
        gradient.leave(clock.ticks())
      }
      const patience = clock.after(patienceMs, () => finish(false))
      server.serve(() => {
        patience.cancel()
        finish(true)
      })
    }
    return { ...seen, perSecond: (seen.good / forMs) * 1_000 }
  }
  return { run, server, gradient }
}

test('at three times what the service can do, it keeps doing at least 80 % of its best; without a limit it collapses', () => {
  const { run } = simulation({ limited: true })
  run(400, 3_000)
  const peak = run(490, 5_000).perSecond
  run(1_500, 3_000)
  const over = run(1_500, 20_000)
  expect(over.perSecond).toBeGreaterThan(0.8 * peak)
  const bare = simulation({ limited: false })
  bare.run(400, 3_000)
  bare.run(1_500, 3_000)
  expect(bare.run(1_500, 10_000).perSecond).toBeLessThan(0.2 * peak)
})

test('a gateway that starts under overload finds the limit all the same, and keeps it for minutes', () => {
  const { run, gradient } = simulation({ limited: true })
  run(1_500, 5_000)
  expect(run(1_500, 10_000).perSecond).toBeGreaterThan(400)
  expect(run(1_500, 180_000).perSecond).toBeGreaterThan(400)
  expect(gradient.limit).toBeLessThan(60)
})

test('a service that slows to a crawl is backed off, and gets its load again when it is back', () => {
  const { run, server } = simulation({ limited: true, patienceMs: 5_000 })
  expect(run(400, 10_000).refused).toBe(0)
  server.takesMs = 1_000
  run(400, 20_000)
  // It can do 10 a second now. What it cannot do is refused at once: without a limit 2,000 would wait, all in vain.
  const crawling = run(400, 20_000)
  expect(crawling.peak).toBeLessThanOrEqual(40)
  expect(crawling.perSecond).toBeGreaterThan(6)
  server.takesMs = 20
  run(400, 5_000)
  const after = run(400, 10_000)
  expect(after.refused / (after.good + after.refused)).toBeLessThan(0.02)
})

test('hiccups cost little: a tenth of a second in each, with load that fits', () => {
  const { run, server } = simulation({ limited: true })
  run(300, 3_000)
  const seen = { good: 0, all: 0 }
  for (let second = 0; second < 30; second += 1) {
    server.takesMs = 60
    const slow = run(400, 100)
    server.takesMs = 20
    const fast = run(400, 900)
    seen.good += slow.good + fast.good
    seen.all += slow.good + fast.good + slow.refused + fast.refused + slow.late + fast.late
  }
  expect(seen.good / seen.all).toBeGreaterThan(0.97)
})

test('a limit that nobody uses does not grow, and load that fits is not refused', () => {
  const { run, gradient } = simulation({ limited: true })
  const before = gradient.limit
  const seen = run(100, 60_000)
  expect(seen.refused).toBe(0)
  expect(gradient.limit).toBeLessThanOrEqual(before)
})
