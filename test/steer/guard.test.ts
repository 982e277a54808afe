import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSurelyFrom, lowerShare, mayBeFrom, upperShare } from '../../src/core/ingress/steer/guard/bounds.ts'
import { Canary } from '../../src/core/ingress/steer/guard/canary.ts'
import { Tally } from '../../src/core/ingress/steer/guard/tally.ts'
import { goodVersion, plainGuard, play } from '../support/guarded.ts'
import { fakePorts } from '../support/ports.ts'

const runs = (count: number, run: Parameters<typeof play>[1]) => Array.from({ length: count }, (_, seed) => play(seed + 1, run))

describe('a guard, in simulated runs', () => {
  it('aborts at most one good version in a hundred, of 1,000 that are watched for two windows each', () => {
    const found = runs(1_000, { canary: goodVersion, perSecond: 5, share: 0.25, seconds: 600 })
    expect(found.filter((at) => at !== undefined).length).toBeLessThanOrEqual(10)
  }, 120_000)

  it('aborts no version either that is exactly as much worse as it may be', () => {
    const found = runs(200, { canary: { errorRate: 0.015, median: 26, spread: 0.6 }, perSecond: 10, share: 0.25, seconds: 600 })
    expect(found.filter((at) => at !== undefined).length).toBeLessThanOrEqual(2)
  }, 60_000)

  it.each([
    ['that fails often', { errorRate: 0.05, median: 20, spread: 0.6 }],
    ['whose p95 is twice that of the others', { errorRate: 0.005, median: 40, spread: 0.6 }],
    ['that fails always, and fast', { errorRate: 1, median: 1, spread: 0 }],
  ])(
    'aborts one %s within its window, of 200 runs in all',
    (_, canary) => {
      const found = runs(200, { canary, perSecond: 20, share: 0.1, seconds: 300 })
      expect(found.filter((at) => at === undefined)).toEqual([])
    },
    60_000,
  )

  it('aborts one that turns bad after an hour within its window too', () => {
    const found = runs(20, { canary: { errorRate: 0.1, median: 20, spread: 0.6 }, perSecond: 10, share: 0.5, seconds: 3_900, goodForSeconds: 3_600 })
    expect(found.filter((at) => at === undefined || at <= 0)).toEqual([])
  }, 60_000)

  it('blames nobody for what hits all versions alike', () => {
    const outage = { errorRate: 0.9, median: 900, spread: 0.6 }
    expect(runs(100, { canary: outage, others: outage, perSecond: 20, share: 0.2, seconds: 300 }).filter((at) => at !== undefined)).toEqual([])
  }, 60_000)
})

describe('bounds of a share', () => {
  it('hold the truth far more often than they may miss it, for rare hits too', () => {
    // e^-4.6 is one per cent. All 400 outcomes of 400 draws at a true share of 1 %, by their exact probabilities.
    const share = 0.01
    let missed = 0
    let probability = (1 - share) ** 400
    for (let hits = 0; hits <= 400; hits++) {
      if (lowerShare(hits, 400, 4.6) > share || upperShare(hits, 400, 4.6) < share) missed += probability
      probability *= ((400 - hits) / (hits + 1)) * (share / (1 - share))
    }
    expect(missed).toBeLessThan(0.02)
    expect(missed).toBeGreaterThan(0)
  })

  it('are compared with a share without being searched for', () => {
    const drawn = fc.nat(2_000).chain((of) => fc.record({ of: fc.constant(of), hits: fc.nat(of), share: fc.double({ min: 0.001, max: 0.999, noNaN: true }) }))
    fc.assert(
      fc.property(drawn, fc.double({ min: 0.1, max: 30, noNaN: true }), ({ of, hits, share }, doubt) => {
        const [least, most] = [lowerShare(hits, of, doubt), upperShare(hits, of, doubt)]
        // The search ends within 1e-12 of the bound.
        if (Math.min(Math.abs(least - share), Math.abs(most - share)) < 1e-9) return
        expect([isSurelyFrom(share, hits, of, doubt), mayBeFrom(share, hits, of, doubt)]).toEqual([least >= share, most >= share])
      }),
      { numRuns: 2_000 },
    )
  })

  it('close in on what was seen', () => {
    expect(lowerShare(50, 1_000, 10)).toBeGreaterThan(0.02)
    expect(upperShare(50, 1_000, 10)).toBeLessThan(0.09)
    expect([lowerShare(0, 10, 10), upperShare(10, 10, 10), upperShare(0, 0, 10)]).toEqual([0, 1, 1])
  })
})

describe('what a guard remembers', () => {
  it('slides out of the window in steps, and all of it after a long silence', () => {
    const tally = new Tally(10_000, 0)
    for (let second = 0; second < 10; second++) tally.add(second === 0 ? undefined : 5, second * 1_000)
    expect([tally.answers, tally.errors, tally.good]).toEqual([10, 1, 9])
    tally.slide(10_000)
    expect([tally.answers, tally.errors]).toEqual([9, 0])
    tally.slide(1_000_000)
    expect(tally.answers).toBe(0)
    expect(tally.timeWhere(() => true, 'upper')).toBeUndefined()
  })

  it('knows times to 3 %', () => {
    const tally = new Tally(10_000, 0)
    for (let ms = 1; ms <= 1_000; ms++) tally.add(ms, 0)
    const p95 = (edge: 'upper' | 'lower') => tally.timeWhere((within, all) => within >= 0.95 * all, edge) ?? 0
    expect(p95('lower')).toBeLessThanOrEqual(950)
    expect(p95('upper')).toBeGreaterThanOrEqual(950)
    expect(p95('upper') / p95('lower')).toBeCloseTo(1.03, 5)
  })
})

describe('an abort', () => {
  const guarded = { route: 'orders', destination: { cluster: 'orders', subset: 'v2' }, guard: { ...plainGuard, minSamples: 100 } }

  /** As many replicas as asked for, on one store and one clock. */
  function replicas(count: number) {
    const ports = fakePorts()
    const each = Array.from({ length: count }, () => new Canary('steer.guard:k', guarded, ports))
    const [here = each[0] as never] = each
    const fail = (canary: Canary = here) => {
      for (let i = 0; i < 400; i++) {
        canary.note('others', { kind: 'good', tookMs: 5 })
        canary.note('canary', { kind: 'error' })
      }
    }
    const heard = async () => {
      ports.clock.advance(1_000)
      for (const canary of each) canary.hear()
      await new Promise((done) => setImmediate(done))
    }
    return { ports, each, here, fail, heard }
  }

  it('is written as an event with its figures, counted and shown', () => {
    const { ports, here, fail } = replicas(1)
    fail()
    expect(here.aborted?.why).toMatch(/^errors at least \d+\.\d\d %, others at most \d+\.\d\d % \(of \d+ and \d+ answers\)$/)
    const labels = { route: 'orders', destination: 'orders/v2' }
    expect(ports.journal.records).toEqual([{ event: 'guard_aborted', ...labels, by: 'here', why: here.aborted?.why, answers: 100, others: 100 }])
    expect(ports.meter.total('sallyport_guard_aborts_total', { ...labels, reason: 'errors' })).toBe(1)
    expect(ports.meter.samples.filter(({ name }) => name === 'sallyport_guard_aborted').map(({ value }) => value)).toEqual([0, 1])
  })

  it('is final: whatever the canary answers after it changes nothing', () => {
    const { here, fail, ports } = replicas(1)
    fail()
    for (let i = 0; i < 10_000; i++) here.note('canary', { kind: 'good', tookMs: 1 })
    ports.clock.advance(10_000_000)
    here.note('canary', { kind: 'good', tookMs: 1 })
    expect(here.aborted).toBeDefined()
  })

  it('waits for as many answers of both sides as the guard asks for', () => {
    const { here } = replicas(1)
    for (let i = 0; i < 5_000; i++) here.note('canary', { kind: 'error' })
    for (let i = 0; i < 99; i++) here.note('others', { kind: 'good', tookMs: 5 })
    expect(here.aborted).toBeUndefined()
  })

  it('is followed by every replica with the same store, once', async () => {
    const { ports, each, fail, heard } = replicas(3)
    fail()
    expect(each.map((canary) => canary.aborted !== undefined)).toEqual([true, false, false])
    await heard()
    await heard()
    expect(each.map((canary) => canary.aborted !== undefined)).toEqual([true, true, true])
    expect(ports.journal.records.map((record) => record['by'])).toEqual(['here', 'replica', 'replica'])
  })

  it('is lifted by an operator on every replica, which then judge anew', async () => {
    const { each, here, fail, heard, ports } = replicas(2)
    fail()
    await heard()
    await heard()
    ports.clock.advance(60_000)
    await each[1]?.rearm()
    await heard()
    expect(each.map((canary) => canary.aborted)).toEqual([undefined, undefined])
    expect(here.status.canary).toEqual({ answers: 0, errors: 0 })
    ports.clock.advance(60_000)
    fail()
    expect(here.aborted).toBeDefined()
  })

  it('outlives a store that forgets it, and one that does not answer', async () => {
    const { ports, here, fail, heard, each } = replicas(2)
    const { get, set } = ports.shared
    Object.assign(ports.shared, { get: () => Promise.reject(new Error('down')), set: () => Promise.reject(new Error('down')) })
    fail()
    await heard()
    expect(each.map((canary) => canary.aborted !== undefined)).toEqual([true, false])
    Object.assign(ports.shared, { get, set })
    await heard()
    await heard()
    expect(each[1]?.aborted).toBeDefined()
    await ports.shared.delete('steer.guard:k')
    await heard()
    expect(here.aborted).toBeDefined()
    await expect(ports.shared.get('steer.guard:k')).resolves.toContain('aborted')
  })

  it('is not made by nonsense in the store', async () => {
    const { ports, here, heard } = replicas(1)
    for (const text of ['', 'null', '7', '{"state":"aborted"}', '{"state":"gone","at":9e15}']) {
      await ports.shared.set('steer.guard:k', text, undefined)
      await heard()
    }
    expect(here.aborted).toBeUndefined()
  })
})
