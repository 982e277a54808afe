import type { MetricDefinition } from '../core/observe/metrics.ts'
import type { Labels, Meter } from '../core/ports.ts'

/** The process's own registry: what rooms count, in the form Prometheus reads. */
export interface Registry extends Meter {
  /** Forgets every series of a metric: for a gauge whose labels say what holds now. */
  forget(name: string): void
  /** Runs `refresh` before each reading, for gauges that are asked and not told. Returns a way to stop. */
  beforeReading(refresh: () => void): () => void
  /** Text exposition format 0.0.4. */
  text(): string
  /** All figures as plain data. They are the registry's own: to be read or sent at once. */
  figures(): Figures
}

export interface Series {
  /** `a="x",b="y"` */
  readonly labels: string
  /** One cell for counters and gauges; for histograms a cell per bucket, then the overflow cell, then the sum. */
  readonly cells: Float64Array
}

/** The series of every metric that has any, by its name. */
export type Figures = ReadonlyMap<string, readonly Series[]>

interface Family {
  readonly name: string
  readonly definition: MetricDefinition
  readonly series: Map<string, Series>
}

/** More series than this in one metric are counted together: a mistake in labels must not eat the memory. */
const seriesLimit = 20_000
const spilled = '\u0000spilled'

/** Keeps the metrics of the catalogue. A name outside of it is a mistake in the code: it is counted as a bug and costs no request. */
export function createMeter(definitions: Readonly<Record<string, MetricDefinition>>): Registry {
  const families = new Map<string, Family>()
  for (const [name, definition] of Object.entries(definitions)) families.set(name, { name, definition, series: new Map() })
  const refreshes = new Set<() => void>()
  const familyOf = (name: string): Family | undefined => {
    const family = families.get(name)
    if (family === undefined) add(families.get('sallyport_bugs_total'), { kind: 'metric' }, 1)
    return family
  }
  return {
    count: (name, labels, by = 1) => add(familyOf(name), labels, by),
    observe(name, value, labels) {
      const family = familyOf(name)
      if (family !== undefined) record(seriesOf(family, labels).cells, family.definition.buckets ?? [], value)
    },
    gauge(name, value, labels) {
      const family = familyOf(name)
      if (family !== undefined) seriesOf(family, labels).cells[0] = value
    },
    forget: (name) => familyOf(name)?.series.clear(),
    beforeReading(refresh) {
      refreshes.add(refresh)
      return () => void refreshes.delete(refresh)
    },
    text() {
      for (const refresh of refreshes) refresh()
      return [...families.values()].map(({ name, definition, series }) => familyText(name, definition, [...series.values()])).join('')
    },
    figures() {
      for (const refresh of refreshes) refresh()
      return new Map([...families.values()].flatMap(({ name, series }) => (series.size === 0 ? [] : [[name, [...series.values()]]])))
    },
  }
}

function add(family: Family | undefined, labels: Labels, by: number): void {
  if (family === undefined) return
  const cells = seriesOf(family, labels).cells
  cells[0] = (cells[0] as number) + by
}

function seriesOf(family: Family, labels: Labels): Series {
  const names = family.definition.labels
  let key = ''
  for (const name of names) key += `${labels[name] ?? ''}\u0000`
  return family.series.get(key) ?? addSeries(family, key, labels)
}

function addSeries(family: Family, key: string, labels: Labels): Series {
  const names = family.definition.labels
  const full = family.series.size >= seriesLimit
  const known = full ? family.series.get(spilled) : undefined
  if (known !== undefined) return known
  const text = names.map((name) => `${name}="${full ? 'other' : escapeLabel(labels[name] ?? '')}"`).join(',')
  const size = family.definition.kind === 'histogram' ? (family.definition.buckets?.length ?? 0) + 2 : 1
  const series = { labels: text, cells: new Float64Array(size) }
  family.series.set(full ? spilled : key, series)
  return series
}

function record(cells: Float64Array, buckets: readonly number[], value: number): void {
  let at = 0
  while (at < buckets.length && value > (buckets[at] as number)) at += 1
  cells[at] = (cells[at] as number) + 1
  const sum = buckets.length + 1
  cells[sum] = (cells[sum] as number) + value
}

/** Text exposition format 0.0.4 of metrics that are kept elsewhere. */
export function figuresText(definitions: Readonly<Record<string, MetricDefinition>>, figures: Figures): string {
  return Object.entries(definitions)
    .map(([name, definition]) => familyText(name, definition, figures.get(name) ?? []))
    .join('')
}

function familyText(name: string, definition: MetricDefinition, series: readonly Series[]): string {
  if (series.length === 0) return ''
  const head = `# HELP ${name} ${definition.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${definition.kind}\n`
  const write = definition.kind === 'histogram' ? histogramText : plainText
  return head + series.map((one) => write(name, one, definition.buckets ?? [])).join('')
}

function plainText(name: string, { labels, cells }: Series): string {
  return `${name}${labels === '' ? '' : `{${labels}}`} ${numberText(cells[0] as number)}\n`
}

/** Buckets are kept apart and written added up, as the format wants them. */
function histogramText(name: string, { labels, cells }: Series, buckets: readonly number[]): string {
  const lead = labels === '' ? '' : `${labels},`
  const braces = labels === '' ? '' : `{${labels}}`
  let total = 0
  let text = ''
  for (let i = 0; i <= buckets.length; i++) {
    total += cells[i] as number
    text += `${name}_bucket{${lead}le="${i === buckets.length ? '+Inf' : numberText(buckets[i] as number)}"} ${total}\n`
  }
  return `${text}${name}_sum${braces} ${numberText(cells[buckets.length + 1] as number)}\n${name}_count${braces} ${total}\n`
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
