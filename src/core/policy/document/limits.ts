import * as z from 'zod'
import { defaulted, describe, overridable } from './build.ts'
import { rate } from './fields.ts'

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
  rate: describe(overridable(rate), 'Requests (or cost points) per window. The window is at least 1s.'),
  burst: defaulted(overridable(z.int().min(0).max(1_000_000_000)), 'limits.burst', 'Allowed on top of the rate in one window.'),
  key: describe(z.array(keyPart).min(1), 'What is counted apart: parts of one key.'),
  missing: defaulted(z.enum(['shared', 'skip']), 'limits.missing', 'A request whose key part is missing is counted under one shared key, or not at all.'),
  onStoreFailure: defaulted(z.enum(['local', 'allow', 'deny']), 'limits.onStoreFailure', 'While the store does not answer: count here, let pass, or refuse.'),
  mode: defaulted(z.enum(['enforce', 'audit']), 'limits.mode', 'audit: counted and recorded, never refused.'),
})

export type LimitDocument = z.output<typeof limit>
