import * as z from 'zod'
import { checked, defaulted, describe, overridable } from './build.ts'
import { durationBetween, text } from './fields.ts'

/** Headers that mean something else, to the gateway or to whoever stands before or behind it. */
const taken =
  /^(?:accept|accept-.*|authorization|connection|content-.*|cookie|cookie2|date|dpop|expect|forwarded|from|grpc-.*|host|idempotency-key|if-.*|keep-alive|origin|proxy|proxy-.*|range|referer|set-cookie|te|trailer|traceparent|tracestate|transfer-encoding|upgrade|user-agent|via|l5d-.*|x-b3-.*|x-egress-.*|x-envoy-.*|x-forwarded-.*|x-http-method.*|x-method-override|x-original-url|x-real-ip|x-request-id|x-rewrite-url|x-sallyport-.*)$/

const header = checked(
  (value) => {
    if (!/^[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(value)) return `"${value}" is not a header name of lower-case letters, digits and "-".`
    return taken.test(value) ? `The header ${value} means something else.` : undefined
  },
  { title: 'header for a key', examples: ['x-api-key', 'api-key'], pattern: '^[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?$' },
  () => 'Write a header of its own, such as x-api-key.',
)

const store = z
  .string()
  .regex(/^(?:redis|file:\/[^\p{Cc}]+)$/u)
  .meta({ title: '`redis`, or `file:` and an absolute path', examples: ['redis', 'file:/var/lib/sallyport/partners.json'] })

export const apiKeys = z.strictObject({
  store: describe(
    overridable(store),
    'Where the keys are kept, hashed: in `store.redis`, or in a file of at most 1 MiB (some thousand keys), outside the policies folder. `sallyport keys` writes both.',
  ),
  header: defaulted(header, 'apiKeys.header', 'Where a request has its key. No rule, limit or upstream ever sees this header.'),
  scopes: describe(z.array(text).min(1).optional(), 'A key never has other scopes than these. Left out: those it was given.'),
  refresh: defaulted(durationBetween('100ms', '30s'), 'apiKeys.refresh', 'How soon a change of a key is seen.'),
  staleFor: defaulted(
    durationBetween('0s', '1h'),
    'apiKeys.staleFor',
    '`store: redis`: how long known keys go on while the store does not answer; then 503. A file that cannot be read leaves its last good keys without an end.',
  ),
})

export type ApiKeysDocument = z.output<typeof apiKeys>
