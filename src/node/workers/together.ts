import type { MetricDefinition } from '../../core/observe/metrics.ts'
import type { Figures, Series } from '../meter.ts'

type Definitions = Readonly<Record<string, MetricDefinition>>

/** The figures of several processes as one: counters and histograms added up, gauges as their definitions say. */
export function together(definitions: Definitions, all: readonly Figures[]): Figures {
  const joined = new Map<string, readonly Series[]>()
  for (const [name, definition] of Object.entries(definitions)) {
    const byLabels = new Map<string, Series>()
    for (const figures of all) for (const series of figures.get(name) ?? []) join(byLabels, series, ruleOf(definition))
    if (byLabels.size > 0) joined.set(name, [...byLabels.values()])
  }
  return joined
}

/** What of a process's figures still counts when it is gone: what was counted. What held while it was there does not. */
export function lasting(definitions: Definitions, figures: Figures): Figures {
  return new Map([...figures].filter(([name]) => definitions[name]?.kind !== 'gauge'))
}

type Rule = (one: number, other: number) => number

function ruleOf({ kind, together }: MetricDefinition): Rule {
  if (kind !== 'gauge' || together === 'sum') return (one, other) => one + other
  return together === 'least' ? Math.min : Math.max
}

function join(byLabels: Map<string, Series>, { labels, cells }: Series, rule: Rule): void {
  const there = byLabels.get(labels)
  byLabels.set(labels, { labels, cells: there === undefined ? cells : cells.map((cell, at) => rule(there.cells[at] ?? 0, cell)) })
}
