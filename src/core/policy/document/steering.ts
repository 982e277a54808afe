import * as z from 'zod'
import { defaulted } from './build.ts'
import { durationBetween, percent } from './fields.ts'

/** How much worse than the others a version may do before it loses its weight. */
export const guard = z.strictObject({
  errorRateDelta: defaulted(percent, 'routes.guard.errorRateDelta', 'Its share of errors may be this much above that of the others.'),
  p95Ratio: defaulted(z.number().min(1.05).max(100), 'routes.guard.p95Ratio', 'Its p95 may be this many times that of the others.'),
  minSamples: defaulted(z.int().min(50).max(1_000_000), 'routes.guard.minSamples', 'Answers of each side within the window before anything is said.'),
  window: defaulted(durationBetween('10s', '1h'), 'routes.guard.window', 'How far back it looks.'),
})

export type GuardDocument = z.output<typeof guard>
