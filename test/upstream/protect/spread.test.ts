import { expect, test } from 'vitest'
import { Spread } from '../../../src/core/upstream/protect/spread.ts'

test('few answers say nothing', () => {
  const spread = new Spread()
  for (let i = 0; i < 99; i += 1) spread.add(10)
  expect(spread.quantile(0.5)).toBeUndefined()
  spread.add(10)
  expect(spread.quantile(0.5)).toBeDefined()
})

test('a quantile lies between two times a fifth apart', () => {
  const spread = new Spread()
  for (let ms = 1; ms <= 1_000; ms += 1) spread.add(ms)
  for (const share of [0.01, 0.5, 0.95, 0.99]) {
    const { fromMs, toMs } = spread.quantile(share) ?? { fromMs: Number.NaN, toMs: Number.NaN }
    expect(fromMs).toBeLessThanOrEqual(share * 1_000)
    expect(toMs).toBeGreaterThanOrEqual(share * 1_000)
    expect(toMs / fromMs).toBeLessThan(1.2)
  }
})

test('what was long ago fades', () => {
  const spread = new Spread()
  for (let i = 0; i < 2_000; i += 1) spread.add(1)
  for (let i = 0; i < 8_000; i += 1) spread.add(100)
  expect(spread.quantile(0.1)?.fromMs).toBeGreaterThan(50)
})

test('nothing is too short or too long to be counted', () => {
  const spread = new Spread()
  for (let i = 0; i < 100; i += 1) spread.add(i % 2 === 0 ? 0 : 1e12)
  expect(spread.quantile(0.1)?.fromMs).toBe(0)
  expect(spread.quantile(0.9)?.fromMs).toBeGreaterThan(60_000)
})
