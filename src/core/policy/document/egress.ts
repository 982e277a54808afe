import * as z from 'zod'
import { checkJsonPath } from '../../json-path.ts'
import { checked, defaulted, describe, overridable, section } from './build.ts'
import { address, durationBetween, headerName, method, name, path, rate, size } from './fields.ts'
import { egressTls } from './listeners.ts'
import { breaker } from './protect.ts'
import { retry } from './routes.ts'
import { target } from './targets.ts'

const jsonPath = checked(checkJsonPath, { title: 'path to a member of JSON', examples: ['$.card.number', '$..pan'] })

const allowRule = z.strictObject({
  id: describe(name.optional(), 'Name in records; without it allow-1, allow-2 and so on.'),
  methods: describe(z.array(method).min(1), 'HTTP methods; GET implies HEAD.'),
  path: describe(path, 'Path template.'),
  mode: defaulted(
    z.enum(['enforce', 'audit']),
    'egress.allow.mode',
    'audit: lets pass what no other rule does, and records that it would be refused: to find out what an allow-list needs.',
  ),
})

export const egress = z.strictObject({
  listen: describe(overridable(address).optional(), 'Its own port: 127.0.0.1:9101.'),
  host: describe(
    z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/)
      .meta({ title: 'host name in lower case', examples: ['payments.egress.internal'] })
      .optional(),
    'Name that stands for it on the shared egress listener.',
  ),
  kind: defaulted(
    z.enum(['http', 'tcp', 'proxy']),
    'egress.kind',
    'tcp: a port that carries bytes to host:port. proxy: hosts that are called through the forward proxy (listeners.egress.proxy).',
  ),
  tls: describe(egressTls.optional(), 'Certificate of its own port; without it the port speaks clear text.'),
  connect: defaulted(z.boolean(), 'egress.connect', 'With kind: proxy: whether its callers may open tunnels (CONNECT) that carry TLS.'),
  clientHelloTimeout: defaulted(
    overridable(durationBetween('1ms', '1m')),
    'egress.clientHelloTimeout',
    'With connect: until the ClientHello is there, before which nothing is sent to the target.',
  ),
  callers: defaulted(z.array(name), 'egress.callers', 'Who may call it.'),
  allow: defaulted(z.array(allowRule), 'egress.allow', 'What may be asked for; without it everything.'),
  timeout: section(
    {
      connect: defaulted(overridable(durationBetween('1ms', '1m')), 'egress.timeout.connect', 'Time to connect.'),
      total: defaulted(overridable(durationBetween('1ms', '1h')), 'egress.timeout.total', 'From arrival to the end of the answer.'),
    },
    'How long a call may take.',
  ),
  protocol: describe(
    z.enum(['postgres']).optional(),
    'With kind: tcp: what is spoken there, so that a drain knows when a session rests, and TLS is begun as the server expects.',
  ),
  connections: section(
    {
      max: defaulted(
        overridable(z.int().min(1).max(100_000)),
        'egress.connections.max',
        'With kind: tcp, or connect: connections at a time, per process; more are refused at once.',
      ),
      idle: defaulted(overridable(durationBetween('1s', '7d')), 'egress.connections.idle', 'A connection without a byte for so long is closed.'),
      lifetime: defaulted(overridable(durationBetween('1s', '30d')), 'egress.connections.lifetime', 'A connection ends after this time, when it rests.'),
    },
    'With kind: tcp, or connect: how many connections, and how long each.',
  ),
  switch: section(
    {
      mode: defaulted(z.enum(['drain', 'pin']), 'egress.switch.mode', 'drain ends connections to a target that is no longer in force; pin leaves them.'),
      drainTimeout: defaulted(overridable(durationBetween('1ms', '1h')), 'egress.switch.drainTimeout', 'A connection that does not rest for so long is reset.'),
    },
    'With kind: tcp, or connect: what becomes of connections when the target changes.',
  ),
  retry: describe(retry.optional(), 'Repeats failed tries; without it nothing is repeated.'),
  quota: describe(
    z
      .strictObject({
        vendor: describe(
          z
            .strictObject({
              rate: describe(rate, 'Calls in any such window, every try counted; the window is from 1s to 24h.'),
              shareBy: defaulted(z.enum(['caller', 'none']), 'egress.quota.vendor.shareBy', 'caller: callers that want more than there is get fair shares.'),
            })
            .optional(),
          'What the vendor lets us call, in each environment.',
        ),
        cost: describe(
          z
            .strictObject({
              perCall: describe(z.number().positive().max(1_000_000), 'What one call (every try) costs.'),
              currency: describe(
                z
                  .string()
                  .regex(/^[A-Z]{3}$/)
                  .meta({ title: 'currency', examples: ['EUR'] }),
                'ISO 4217.',
              ),
              monthlyCap: describe(z.number().positive().max(1_000_000_000).optional(), 'No more is spent in a calendar month (UTC), in each environment.'),
            })
            .optional(),
          'What calls cost.',
        ),
        maxRetryAfter: defaulted(
          durationBetween('0s', '1h'),
          'egress.quota.maxRetryAfter',
          'A call waits no longer for the vendor or the quota, and is refused at once if it would have to.',
        ),
        onStoreFailure: defaulted(
          z.enum(['local', 'deny']),
          'egress.quota.onStoreFailure',
          'While the store does not answer: count in this process, or refuse.',
        ),
      })
      .optional(),
    "What was agreed with the vendor; with it, the vendor's own words (Retry-After, RateLimit) pause the service for everybody.",
  ),
  cache: describe(
    z
      .strictObject({
        maxBytes: defaulted(overridable(size), 'egress.cache.maxBytes', 'Most that is stored, in each process; what was not used for longest goes first.'),
        maxEntry: defaulted(overridable(size), 'egress.cache.maxEntry', 'Longest body that is stored.'),
      })
      .optional(),
    'Stores answers that the vendor lets be stored (RFC 9111), for each caller, credential and environment apart; without it none.',
  ),
  idempotency: describe(
    z
      .strictObject({
        header: defaulted(headerName, 'egress.idempotency.header', 'Header that carries the key; retry.withIdempotencyKey looks at it.'),
        generate: defaulted(z.boolean(), 'egress.idempotency.generate', 'POST and PATCH without a key get one, the same for every try of the call.'),
      })
      .optional(),
    'By what the vendor knows that a call is the same one again.',
  ),
  breaker: describe(breaker.optional(), 'Leaves the service alone when it fails, each environment by itself; without it never.'),
  mask: section(
    {
      headers: defaulted(z.array(headerName), 'egress.mask.headers', 'Headers whose values never stand in a record.'),
      jsonPaths: defaulted(
        z.array(jsonPath),
        'egress.mask.jsonPaths',
        'Members of JSON bodies that stand in no cassette; with responses: true they are masked in answers too.',
      ),
      responses: defaulted(z.boolean(), 'egress.mask.responses', 'Injected secrets and jsonPaths are masked in answers too.'),
    },
    'What records and answers must not show.',
  ),
  environments: describe(z.record(name, target), 'Where it lives, per environment. Nothing is inherited from one to another.'),
})

export type EgressDocument = z.output<typeof egress>
