import type { Clock, Fetch, JournalRecord, Meter } from '../core/ports.ts'
import { attributes, type Span, spanOf } from './otlp-span.ts'

/** Where spans go, and how many may wait. */
export interface OtlpOptions {
  /** Full URL of the traces signal, `…/v1/traces`. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly serviceName: string
  /** `deployment.environment.name` of the resource. */
  readonly environment: string
  readonly batch: number
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly queue: number
}

export const otlpDefaults = { batch: 512, intervalMs: 2000, timeoutMs: 10_000, queue: 4096 } as const

/** Sends a span for each sampled record of a request. */
export interface SpanExporter {
  /** Takes a record; anything that is not a sampled request is left alone. */
  take(record: JournalRecord): void
  /** Sends what waits, and settles when it was sent or lost. */
  flush(): Promise<void>
  close(): Promise<void>
}

interface Batch {
  readonly spans: readonly Span[]
  readonly tried: boolean
}

/** OTLP/HTTP with JSON (OpenTelemetry Protocol 1.x, "OTLP/HTTP Request", ids in hex). */
export function createSpanExporter(options: OtlpOptions, ports: { readonly fetch: Fetch; readonly clock: Clock; readonly meter: Meter }): SpanExporter {
  let waiting: Span[] = []
  let again: Batch | undefined
  let timer: { cancel(): void } | undefined
  let sending: Promise<void> | undefined
  let closed = false

  const drop = (reason: string, count: number) => {
    if (count > 0) ports.meter.count('sallyport_spans_dropped_total', { reason }, count)
  }
  const next = (): Batch | undefined => {
    const retry = again
    again = undefined
    if (retry !== undefined) return retry
    const spans = waiting.slice(0, options.batch)
    waiting = waiting.slice(spans.length)
    return spans.length === 0 ? undefined : { spans, tried: false }
  }
  const post = async (batch: Batch): Promise<boolean> => {
    const outcome = await send(ports.fetch, options, batch.spans)
    if (outcome === 'sent') return true
    if (outcome === 'refused' || batch.tried) drop(outcome === 'refused' ? 'refused' : 'unreachable', batch.spans.length)
    else again = { spans: batch.spans, tried: true }
    return false
  }
  /** Sends until nothing waits or the collector does not answer. */
  const sendAll = async (): Promise<void> => {
    for (let batch = next(); batch !== undefined; batch = next()) {
      if (!(await post(batch))) return
    }
  }
  const flush = (): Promise<void> => {
    timer?.cancel()
    timer = undefined
    sending ??= sendAll().finally(() => {
      sending = undefined
      schedule()
    })
    return sending
  }
  const schedule = () => {
    if (closed || timer !== undefined || (waiting.length === 0 && again === undefined)) return
    timer = ports.clock.after(options.intervalMs, () => void flush())
  }
  return {
    take(record) {
      if (closed || record['kind'] !== 'request' || record['sampled'] !== true) return
      if (waiting.length >= options.queue) return drop('queue', 1)
      const span = spanOf(record)
      if (span === undefined) return
      waiting.push(span)
      if (waiting.length >= options.batch && sending === undefined && again === undefined) void flush()
      else schedule()
    },
    flush,
    async close() {
      closed = true
      timer?.cancel()
      await sending
      await sendAll()
      drop('closing', waiting.length + (again?.spans.length ?? 0))
      waiting = []
      again = undefined
    },
  }
}

/** `later`: worth one more try. `refused`: the collector will not take these spans. */
async function send(fetch: Fetch, options: OtlpOptions, spans: readonly Span[]): Promise<'sent' | 'later' | 'refused'> {
  const resource = attributes({ 'service.name': options.serviceName, 'deployment.environment.name': options.environment })
  const body = JSON.stringify({ resourceSpans: [{ resource: { attributes: resource }, scopeSpans: [{ scope: { name: 'sallyport' }, spans }] }] })
  try {
    const { status } = await fetch({
      url: options.url,
      method: 'POST',
      headers: { ...options.headers, 'content-type': 'application/json' },
      body,
      timeoutMs: options.timeoutMs,
      limit: 64 * 1024,
    })
    if (status >= 200 && status < 300) return 'sent'
    // The statuses the protocol calls retryable.
    return [429, 502, 503, 504].includes(status) ? 'later' : 'refused'
  } catch {
    return 'later'
  }
}
