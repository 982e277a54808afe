import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type MetricDefinition, metrics } from '../../src/core/observe/metrics.ts'
import { createMeter } from '../../src/node/meter.ts'

const definitions = {
  hits_total: { kind: 'counter', help: 'Hits.\nAll of them, with a \\.', labels: ['who'] },
  level: { kind: 'gauge', help: 'Level.', labels: [] },
  wait_seconds: { kind: 'histogram', help: 'Wait.', labels: ['who'], buckets: [0.1, 1] },
  sallyport_bugs_total: { kind: 'counter', help: 'Bugs.', labels: ['kind'] },
} as const satisfies Record<string, MetricDefinition>

describe('the text form', () => {
  it('is exposition format 0.0.4, with escaped help and labels', () => {
    const meter = createMeter(definitions)
    meter.count('hits_total', { who: 'a "quoted\\\n' })
    meter.count('hits_total', { who: 'a "quoted\\\n' }, 2)
    meter.gauge('level', 0.5, {})
    expect(meter.text()).toBe(
      [
        '# HELP hits_total Hits.\\nAll of them, with a \\\\.',
        '# TYPE hits_total counter',
        'hits_total{who="a \\"quoted\\\\\\n"} 3',
        '# HELP level Level.',
        '# TYPE level gauge',
        'level 0.5',
        '',
      ].join('\n'),
    )
  })

  it('adds buckets up, and an observation on a bound belongs below it', () => {
    const meter = createMeter(definitions)
    for (const value of [0.05, 0.1, 0.5, 3]) meter.observe('wait_seconds', value, { who: 'x' })
    expect(meter.text()).toBe(
      [
        '# HELP wait_seconds Wait.',
        '# TYPE wait_seconds histogram',
        'wait_seconds_bucket{who="x",le="0.1"} 2',
        'wait_seconds_bucket{who="x",le="1"} 3',
        'wait_seconds_bucket{who="x",le="+Inf"} 4',
        'wait_seconds_sum{who="x"} 3.65',
        'wait_seconds_count{who="x"} 4',
        '',
      ].join('\n'),
    )
  })
})

describe('the registry', () => {
  it('asks for gauges right before a reading, until it is told to stop', () => {
    const meter = createMeter(definitions)
    let level = 1
    const stop = meter.beforeReading(() => meter.gauge('level', level++, {}))
    expect(meter.text()).toContain('level 1\n')
    expect(meter.text()).toContain('level 2\n')
    stop()
    expect(meter.text()).toContain('level 2\n')
  })

  it('forgets the series of a metric', () => {
    const meter = createMeter(definitions)
    meter.count('hits_total', { who: 'a' })
    meter.forget('hits_total')
    expect(meter.text()).toBe('')
  })

  it('counts series beyond the limit together', () => {
    const meter = createMeter(definitions)
    for (let i = 0; i < 20_010; i++) meter.count('hits_total', { who: `w${i}` })
    const lines = meter.text().split('\n')
    expect(lines).toContain('hits_total{who="other"} 10')
    expect(lines).toHaveLength(2 + 20_001 + 1)
  })

  it('takes a metric that nobody declared as a bug, not as the end of the request', () => {
    const meter = createMeter(definitions)
    meter.count('made_up', {})
    meter.observe('made_up', 1, {})
    meter.gauge('made_up', 1, {})
    expect(meter.text()).toContain('sallyport_bugs_total{kind="metric"} 3')
  })
})

it('every metric named in the source is in the catalogue', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const named = files.flatMap((file) => readFileSync(join('src', file), 'utf8').match(/'sallyport_[a-z0-9_]+'/g) ?? [])
  expect(named.length).toBeGreaterThan(5)
  expect([...new Set(named.map((name) => name.slice(1, -1)))].filter((name) => !Object.hasOwn(metrics, name))).toEqual([])
})
