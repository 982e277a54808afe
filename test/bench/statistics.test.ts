import { describe, expect, test } from 'vitest'
import { medianInterval, orderOf, percentile, ratiosWithin, spreadOf } from '../../bench/report/statistics.ts'

describe('statistics of the bench', () => {
  test('the median of an odd list is its middle, of an even one the mean of the middle two', () => {
    expect(spreadOf([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9 })
    expect(spreadOf([10, 2, 4, 1])).toEqual({ median: 3, min: 1, max: 10 })
  })

  test('numbers are put in order as numbers, not as text', () => {
    expect(spreadOf([100, 9, 20])).toEqual({ median: 20, min: 9, max: 100 })
  })

  test('there is no spread of nothing', () => {
    expect(() => spreadOf([])).toThrow(RangeError)
    expect(() => percentile([], 0.5)).toThrow(RangeError)
  })

  test('a percentile is a value of the list that the share does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
    expect(percentile(hundred, 0.99)).toBe(99)
    expect(percentile(hundred, 0.5)).toBe(50)
    expect(percentile([7], 0.99)).toBe(7)
  })

  test('ratios are taken round by round, so a slow round of both cancels out', () => {
    expect(ratiosWithin([10, 40, 12], [5, 20, 6])).toEqual([2, 2, 2])
  })

  test('a round that the reference lacks gives no ratio', () => {
    expect(ratiosWithin([10, 40], [5])).toEqual([2])
    expect(ratiosWithin([10, 40], [0, 20])).toEqual([2])
  })

  test('every second round runs backwards', () => {
    expect(orderOf(0, 3)).toEqual([0, 1, 2])
    expect(orderOf(1, 3)).toEqual([2, 1, 0])
    expect(orderOf(2, 3)).toEqual([0, 1, 2])
  })
})

test('the interval of a median leaves out as many values on each side as chance explains', () => {
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1)
  // Ranks of the sign test: 10 and 21 of 30, 40 and 61 of 100; of a handful nothing can be left out.
  expect(medianInterval(upTo(30))).toEqual([10, 21])
  expect(medianInterval(upTo(100))).toEqual([40, 61])
  expect(medianInterval([3, 1, 2])).toEqual([1, 3])
  expect(() => medianInterval([])).toThrow(RangeError)
})
