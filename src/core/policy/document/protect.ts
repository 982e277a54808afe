import * as z from 'zod'
import { defaulted, overridable } from './build.ts'
import { durationBetween, percent } from './fields.ts'

/** When a place that fails is left alone, on clusters and egress services alike. */
export const breaker = z.strictObject({
  failures: defaulted(overridable(percent), 'clusters.breaker.failures', 'Share of failed tries in the window that opens it.'),
  minRequests: defaulted(
    overridable(z.int().min(1).max(1_000_000)),
    'clusters.breaker.minRequests',
    'With fewer tries in the window the share does not count.',
  ),
  window: defaulted(overridable(durationBetween('100ms', '1h')), 'clusters.breaker.window', 'The time that is looked at.'),
  consecutive: defaulted(overridable(z.int().min(0).max(10_000)), 'clusters.breaker.consecutive', 'Failures in a row that open it, however few; 0 for never.'),
  open: defaulted(overridable(durationBetween('100ms', '1h')), 'clusters.breaker.open', 'For so long everything is refused at once.'),
  probes: defaulted(overridable(z.int().min(1).max(1_000)), 'clusters.breaker.probes', 'Then so many requests are let through; when all go well it closes.'),
})

/** A second try beside a slow first one. */
export const hedge = z.strictObject({
  after: defaulted(
    overridable(
      z
        .string()
        .regex(/^(?:p(?:50|[5-9]\d|9\d\.\d{1,2})|[1-9]\d{0,5}(?:ms|s))$/)
        .meta({ title: 'percentile or duration', examples: ['p95', '50ms'] }),
    ),
    'routes.hedge.after',
    'When the first try has taken longer than this share of answers (p50 to p99.99), or than so long.',
  ),
  budget: defaulted(overridable(percent), 'routes.hedge.budget', 'Share of the requests that may be sent twice.'),
})

export type BreakerDocument = z.output<typeof breaker>
export type HedgeDocument = z.output<typeof hedge>
