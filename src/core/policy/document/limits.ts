import * as z from 'zod'
import { defaulted, describe, overridable } from './build.ts'
import { quota, rate } from './fields.ts'

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

export const limit = z.strictObject({
  rate: describe(overridable(rate), 'Requests (or cost points) per window. The window is at least 1s.').optional(),
  quota: describe(overridable(quota), 'Requests (or cost points) in each hour, day, week (from Monday) or month of the calendar.').optional(),
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
  mode: defaulted(z.enum(['enforce', 'audit']), 'limits.mode', 'audit: counted and recorded, never refused.'),
})

export type LimitDocument = z.output<typeof limit>
