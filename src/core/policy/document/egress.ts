import * as z from 'zod'
import { defaulted, describe, overridable, section } from './build.ts'
import { address, assetPath, cidr, durationBetween, egressTarget, headerName, method, name, path, pattern, pem, safeUrl, secret, text } from './fields.ts'
import { breaker } from './protect.ts'
import { retry } from './routes.ts'

export const caller = z.strictObject({
  listener: defaulted(
    z
      .string()
      .regex(/^egress(?::[a-z0-9][a-z0-9_-]*)?$/)
      .meta({ title: 'egress listener', examples: ['egress', 'egress:payments'] }),
    'callers.listener',
    'Whoever comes by it is this caller: egress (the shared port and every own port), or egress:SERVICE (one own port).',
  ),
  environment: describe(name.optional(), "Environment of its calls; without it the process's."),
  mayChooseEnv: defaulted(z.array(name), 'callers.mayChooseEnv', 'Environments that it may ask for with x-egress-env.'),
})

const shape = {
  pattern: describe(pattern.optional(), 'RE2 pattern that the value must hold.'),
  forbidPattern: describe(pattern.optional(), 'RE2 pattern that the value must not hold.'),
}

const inject = z.strictObject({
  header: describe(headerName.optional(), 'Header that carries it.'),
  query: describe(
    z
      .string()
      .regex(/^[^\s&=#]{1,128}$/)
      .meta({ title: 'query parameter', examples: ['api_key'] })
      .optional(),
    'Query parameter that carries it.',
  ),
  format: defaulted(
    z
      .string()
      .regex(/^[^\p{Cc}]*\{secret\}[^\p{Cc}]*$/u)
      .meta({ title: 'format that holds {secret} once', examples: ['Bearer {secret}'], 'x-secret': true }),
    'egress.environments.inject.format',
    'Value of the header; {secret} stands for the secret, once.',
  ),
  secret: describe(secret, 'Where the secret is.'),
  ...shape,
})

const basic = z.strictObject({
  username: describe(text, 'User name.'),
  password: describe(secret, 'Where the password is.'),
  ...shape,
})

const oauth2 = z.strictObject({
  tokenUrl: describe(safeUrl, 'Token endpoint, https.'),
  clientId: describe(text, 'Client id.'),
  clientSecret: describe(secret, 'Where the client secret is.'),
  auth: defaulted(z.enum(['client_secret_basic', 'client_secret_post']), 'egress.environments.oauth2.auth', 'How the client proves itself.'),
  scope: defaulted(z.array(text), 'egress.environments.oauth2.scope', 'Scopes to ask for.'),
  audience: describe(text.optional(), 'Audience to ask for.'),
  ...shape,
})

const guardHost = z
  .string()
  .regex(/^(?:[a-z0-9]([a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/)
  .meta({ title: 'host or host:port in lower case', examples: ['api.pay.example'] })

export const target = z.strictObject({
  mode: describe(
    z.enum(['live', 'mock', 'deny']).optional(),
    'live calls the target, mock answers from a file, deny refuses. Left out: live with target, mock with mock.',
  ),
  target: describe(egressTarget.optional(), 'URL of the third party, with an optional path prefix; with kind: tcp host:port.'),
  tls: describe(
    z.enum(['verify-full', 'none']).optional(),
    'With kind: tcp: TLS from the first byte, verified against the name, or none. Left out: none; in prod it must be said.',
  ),
  mock: describe(assetPath.optional(), 'File of canned answers, a path under the policies folder.'),
  inject: describe(inject.optional(), 'A secret in a header or query parameter.'),
  basic: describe(basic.optional(), 'HTTP Basic.'),
  oauth2: describe(oauth2.optional(), 'OAuth2 client credentials.'),
  guardHosts: defaulted(
    z.array(guardHost),
    'egress.environments.guardHosts',
    'Further hosts of this vendor; in prod environments they are denied to every nonprod process.',
  ),
  allowAddresses: defaulted(z.array(cidr), 'egress.environments.allowAddresses', 'Networks that may be dialled beside public ones.'),
  sharesAddressWithProd: defaulted(
    z.boolean(),
    'egress.environments.sharesAddressWithProd',
    'This target is known to share an address and port with a production one.',
  ),
  ca: describe(pem.optional(), "Certificate authorities in place of the system's, PEM."),
  reason: describe(text.optional(), 'With mode deny: why, shown to the caller.'),
})

const allowRule = z.strictObject({
  id: describe(name.optional(), 'Name in records; without it allow-1, allow-2 and so on.'),
  methods: describe(z.array(method).min(1), 'HTTP methods; GET implies HEAD.'),
  path: describe(path, 'Path template.'),
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
  kind: defaulted(z.enum(['http', 'tcp']), 'egress.kind', 'tcp: a port that carries bytes to host:port.'),
  callers: defaulted(z.array(name), 'egress.callers', 'Who may call it.'),
  allow: defaulted(z.array(allowRule), 'egress.allow', 'What may be asked for; without it everything.'),
  timeout: section(
    {
      connect: defaulted(overridable(durationBetween('1ms', '1m')), 'egress.timeout.connect', 'Time to connect.'),
      total: defaulted(overridable(durationBetween('1ms', '1h')), 'egress.timeout.total', 'From arrival to the end of the answer.'),
    },
    'How long a call may take.',
  ),
  protocol: describe(z.enum(['postgres']).optional(), 'With kind: tcp: what is spoken there, so that a drain knows when a session rests.'),
  connections: section(
    {
      max: defaulted(
        overridable(z.int().min(1).max(100_000)),
        'egress.connections.max',
        'With kind: tcp: connections at a time, per process; more are closed at once.',
      ),
      idle: defaulted(overridable(durationBetween('1s', '7d')), 'egress.connections.idle', 'A connection without a byte for so long is closed.'),
      lifetime: defaulted(overridable(durationBetween('1s', '30d')), 'egress.connections.lifetime', 'A connection ends after this time, when it rests.'),
    },
    'With kind: tcp: how many connections, and how long each.',
  ),
  switch: section(
    {
      mode: defaulted(z.enum(['drain', 'pin']), 'egress.switch.mode', 'drain ends connections to a target that is no longer in force; pin leaves them.'),
      drainTimeout: defaulted(overridable(durationBetween('1ms', '1h')), 'egress.switch.drainTimeout', 'A connection that does not rest for so long is reset.'),
    },
    'With kind: tcp: what becomes of connections when the target changes.',
  ),
  retry: describe(retry.optional(), 'Repeats failed tries; without it nothing is repeated.'),
  breaker: describe(breaker.optional(), 'Leaves the service alone when it fails, each environment by itself; without it never.'),
  mask: section(
    {
      headers: defaulted(z.array(headerName), 'egress.mask.headers', 'Headers whose values never stand in a record.'),
      responses: defaulted(z.boolean(), 'egress.mask.responses', 'Injected secrets are masked in answers too.'),
    },
    'What records and answers must not show.',
  ),
  environments: describe(z.record(name, target), 'Where it lives, per environment. Nothing is inherited from one to another.'),
})

export type CallerDocument = z.output<typeof caller>
export type EgressDocument = z.output<typeof egress>
export type TargetDocument = z.output<typeof target>
