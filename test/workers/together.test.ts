import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { type MetricDefinition, metrics } from '../../src/core/observe/metrics.ts'
import { createMeter, figuresText } from '../../src/node/meter.ts'
import { relayLines } from '../../src/node/workers/relay.ts'
import { lasting, together } from '../../src/node/workers/together.ts'

const definitions: Readonly<Record<string, MetricDefinition>> = {
  asked: { kind: 'counter', help: 'Asked.', labels: ['route'] },
  took: { kind: 'histogram', help: 'Took.', labels: [], buckets: [1, 2] },
  open: { kind: 'gauge', help: 'Open.', labels: [], together: 'sum' },
  lost: { kind: 'gauge', help: 'Lost.', labels: [] },
  since: { kind: 'gauge', help: 'Since.', labels: [], together: 'least' },
}

function meter(route: string, figures: readonly [asked: number, took: number, open: number, lost: number, since: number]) {
  const one = createMeter(definitions)
  const [asked, took, open, lost, since] = figures
  one.count('asked', { route }, asked)
  one.count('asked', { route: 'both' })
  one.observe('took', took, {})
  for (const [name, value] of Object.entries({ open, lost, since })) one.gauge(name, value, {})
  return one
}

describe('the figures of several processes', () => {
  it('are added up, or the greatest or the least, as the metric says', () => {
    const text = figuresText(definitions, together(definitions, [meter('a', [2, 0.5, 3, 0, 70]).figures(), meter('b', [5, 1.5, 4, 1, 60]).figures()]))
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
      'asked{route="a"} 2',
      'asked{route="both"} 2',
      'asked{route="b"} 5',
      'took_bucket{le="1"} 1',
      'took_bucket{le="2"} 2',
      'took_bucket{le="+Inf"} 2',
      'took_sum 2',
      'took_count 2',
      'open 7',
      'lost 1',
      'since 60',
    ])
  })

  it('leave those of each process as they are', () => {
    const one = meter('a', [2, 0.5, 3, 0, 70])
    const before = one.text()
    together(definitions, [one.figures(), meter('a', [5, 1.5, 4, 1, 60]).figures()])
    expect(one.text()).toBe(before)
    expect(figuresText(definitions, one.figures())).toBe(before)
  })

  it('lose with a process that is gone what held while it was there, and nothing that was counted', () => {
    expect([...lasting(definitions, meter('a', [2, 0.5, 3, 0, 70]).figures()).keys()]).toEqual(['asked', 'took'])
  })

  it('of the whole catalogue have a rule that fits: what is counted is added up', () => {
    const odd = Object.entries<MetricDefinition>(metrics).filter(([, { kind, together }]) => kind !== 'gauge' && together !== undefined)
    expect(odd).toEqual([])
  })
})

describe('lines of several processes', () => {
  it('are handed on whole, however they come', async () => {
    const taken: string[] = []
    const from = [new PassThrough(), new PassThrough()] as const
    for (const one of from) relayLines(one, (lines) => taken.push(lines))
    const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))
    for (const [at, text] of [
      [0, 'a1'],
      [1, 'b1\nb'],
      [0, ' ü\na2\n'],
      [1, '2\n'],
      [0, 'cut off'],
    ] as const) {
      from[at].write(text)
      await turn()
    }
    from[0].end()
    await turn()
    expect(taken).toEqual(['b1', 'a1 ü\na2', 'b2'])
  })
})
