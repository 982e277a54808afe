import * as z from 'zod'
import { defaulted, describe, overridable } from './build.ts'
import { claimPath, quota, rate } from './fields.ts'

/** A key is stored, counted and shown: nothing that proves who somebody is may stand in one. */
export const secretHeader = /^header\.(?:authorization|cookie|proxy-authorization|x-api-key)$/i

const keyPart = z
  .string()
  .regex(
    /^(?:issuer|subject|clientId|apiKey|client\.network|client\.address|route|host|claim\.[^\s]{1,200}|header\.(?!(?:authorization|cookie|proxy-authorization|x-api-key)$)[a-z0-9!#$%&'*+.^_`|~-]{1,128})$/,
  )
  .meta({
    title: 'key part',
    examples: ['issuer', 'subject', 'clientId', 'apiKey', 'client.network', 'client.address', 'route', 'host', 'claim.tenant', 'header.x-tenant'],
  })

/** A number that a verified claim says, of one measure. */
function claimed<S extends z.ZodType>(measure: S) {
  return z.strictObject({
    claim: describe(claimPath, 'A claim of who asks, as verified; never a header.'),
    map: z
      .record(z.string().regex(/^[^\p{Cc}]{1,128}$/u), measure)
      .check((context) => {
        if (Object.keys(context.value).length === 0)
          context.issues.push({ code: 'custom', message: 'The map is empty: everybody would have the default.', input: context.value, params: {} })
      })
      .meta({ description: 'What each value of the claim stands for.', minProperties: 1 })
      .optional(),
    ceiling: describe(measure, 'Instead of map: the claim is itself the number, an integer from 1, and never counts for more than this.').optional(),
    default: describe(measure, 'For everybody else: no claim, or one that says nothing known.'),
  })
}

export const limit = z.strictObject({
  rate: describe(
    overridable(z.union([rate, claimed(rate)])),
    'Requests (or cost points) per window, for all alike or as a claim says. The window is at least 1s.',
  ).optional(),
  quota: describe(
    overridable(z.union([quota, claimed(quota)])),
    'Requests (or cost points) in each hour, day, week (from Monday) or month of the calendar, for all alike or as a claim says.',
  ).optional(),
  concurrent: describe(overridable(z.int().min(1).max(100_000)), 'Requests at a time; a place is free when the answer is complete.').optional(),
  algorithm: describe(
    z.enum(['sliding', 'gcra', 'calendar', 'concurrency']),
    'How it counts. rate: sliding (no window, wherever it begins, holds more than rate and burst; when left out) or gcra (burst at once, then evenly at the rate). quota: calendar. concurrent: concurrency.',
  ).optional(),
  burst: defaulted(
    overridable(z.int().min(0).max(1_000_000_000)),
    'limits.burst',
    'sliding: allowed on top of the rate in one window. gcra: what may come at once, from 1 to the rate.',
  ),
  zone: defaulted(z.string().min(1).max(64), 'limits.zone', 'Where the calendar of a quota is kept: an IANA time zone.'),
  key: describe(z.array(keyPart).min(1), 'What is counted apart: parts of one key.'),
  missing: defaulted(z.enum(['shared', 'skip']), 'limits.missing', 'A request whose key part is missing is counted under one shared key, or not at all.'),
  onStoreFailure: defaulted(z.enum(['local', 'allow', 'deny']), 'limits.onStoreFailure', 'While the store does not answer: count here, let pass, or refuse.'),
  counts: defaulted(
    z.enum(['requests', 'failures']),
    'limits.counts',
    'failures: only answers 401 and 403 count, and while they are over, requests are refused before authentication.',
  ),
  when: defaulted(
    z.enum(['after_access', 'before_authentication']),
    'limits.when',
    'before_authentication: asked first of all, so that a flood costs no signature; its key is then of client, host, route and headers.',
  ),
  mode: defaulted(z.enum(['enforce', 'audit']), 'limits.mode', 'audit: counted and recorded, never refused.'),
})

export type LimitDocument = z.output<typeof limit>
