import { describe, expect, it } from 'vitest'
import type { LimitSpec } from '../../src/core/ports.ts'
import { type Asked, createCallWriter, readAnswers } from '../../src/node/counters/limit-call.ts'
import { createPeriods } from '../../src/node/counters/periods.ts'

const spec = (name: string, given: Partial<LimitSpec> = {}): LimitSpec => ({
  name,
  algorithm: { kind: 'sliding' },
  points: 3,
  windowMs: 60_000,
  burst: 1,
  onStoreFailure: 'local',
  ...given,
})
const [sliding, hour] = [spec('s'), spec('c', { algorithm: { kind: 'calendar', per: 'hour', zone: 'UTC' }, windowMs: 3_600_000 })]
const asked = (given: Partial<Asked>): Asked => ({
  mode: 'take',
  descriptors: [{ limit: sliding, key: 'k', cost: 1 }],
  lease: '',
  wallMs: 5_400_000,
  wanted: [],
  ...given,
})

describe('what is asked of the store', () => {
  const write = createCallWriter(createPeriods())

  it('names each limit once, and each kind of request that follows another once', () => {
    const both = [
      { limit: sliding, key: 'a', cost: 1 },
      { limit: hour, key: 'b', cost: 2 },
    ]
    const { keys, text } = write([asked({}), asked({ descriptors: both }), asked({ descriptors: both.toReversed().toReversed() }), asked({ mode: 'peek' })])
    expect(keys).toEqual([
      'sallyport:limit:s:1:s:{k}',
      ...['a', 'a'].flatMap(() => ['sallyport:limit:s:1:s:{a}', 'sallyport:limit:c:1:c:{b}']),
      'sallyport:limit:s:1:s:{k}',
    ])
    expect(JSON.parse(text)).toEqual([
      [
        ['sliding', 3, 60_000_000, 1],
        ['calendar', 3, 3_600_000_000, 1, 0, 3_600_000, 7_200_000, 10_800_000],
      ],
      [
        ['take', '', 1, 1, 0],
        ['take', '', 1, 1, 0, 2, 2, 0],
        ['peek', '', 1, 1, 0],
      ],
      [1, 2, 2, 3],
    ])
  })

  it.each([
    ['another cost', { descriptors: [{ limit: sliding, key: 'k', cost: 2 }] }],
    ['points in advance', { wanted: [7] }],
    ['a lease', { lease: 'one"two' }],
    ['another limit', { descriptors: [{ limit: hour, key: 'k', cost: 1 }] }],
  ])('is another kind with %s', (_, given) => {
    const [, kinds, which] = JSON.parse(write([asked({}), asked(given)]).text) as readonly [unknown, readonly unknown[], readonly number[]]
    expect(kinds).toHaveLength(2)
    expect(which).toEqual([1, 2])
  })
})

describe('what the store answers', () => {
  it('is read for each request: what fits, what does not, and points in advance', () => {
    const answers = readAnswers([2, 60_000, 5, -3, 1000], [asked({ wanted: [9] }), asked({ mode: 'give' }), asked({ mode: 'peek' })])
    expect(answers.map(({ refusedBy, standings }) => ({ refusedBy, standings }))).toEqual([
      { refusedBy: undefined, standings: [{ fits: true, remaining: 2, resetMs: 60_000, more: 5 }] },
      { refusedBy: undefined, standings: [] },
      { refusedBy: 's', standings: [{ fits: false, remaining: 2, resetMs: 1000, more: 0 }] },
    ])
  })

  it.each([['OK'], [null], [[]], [[1]], [[1, '2']], [[1, 2, 3]], [[1, Number.NaN, 3]]])('is an error when it is %j', (reply) => {
    expect(() => readAnswers(reply, [asked({})])).toThrow('what no limit says')
  })
})
