import * as z from 'zod'
import { checkJsonPath } from '../../json-path.ts'
import { checked, defaulted, describe, filled, overridable, section } from './build.ts'
import {
  address,
  assetPath,
  cidr,
  claimPath,
  claimValue,
  durationBetween,
  egressTarget,
  headerName,
  method,
  name,
  path,
  pattern,
  pem,
  percent,
  proxyHost,
  rate,
  safeUrl,
  secret,
  size,
  spiffeId,
  text,
  url,
} from './fields.ts'
import { egressTls } from './listeners.ts'
import { breaker } from './protect.ts'
import { retry } from './routes.ts'

const callerClaim = z.union([claimValue, z.array(claimValue).min(1), z.strictObject({ present: z.literal(true).meta({ description: 'The claim is there.' }) })])

export const caller = z.strictObject({
  listener: defaulted(
    z
      .string()
      .regex(/^egress(?::[a-z0-9][a-z0-9_-]*)?$/)
      .meta({ title: 'egress listener', examples: ['egress', 'egress:payments'] }),
    'callers.listener',
    'Whoever comes by it is this caller: egress (the shared port and every own port), or egress:SERVICE (one own port).',
  ),
  spiffe: describe(
    z.union([spiffeId, z.array(spiffeId).min(1)]).optional(),
    'SPIFFE id of the certificate that it shows, or ids of which one; `*` stands for one segment of the path, and at the end for everything below.',
  ),
  token: describe(
    z
      .strictObject({
        issuer: describe(name, 'Issuer of the JWT that it brings.'),
        claims: describe(filled(z.record(claimPath, callerClaim)), 'Claims by dotted path: a value, a list of values, or {present: true}. All must fit.'),
      })
      .optional(),
    'The token that it brings, in proxy-authorization.',
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

const tokens = (scope: 'egress.environments.oauth2.scope' | 'egress.environments.exchange.scope') => ({
  tokenUrl: describe(safeUrl, 'Token endpoint, https.'),
  clientId: describe(text, 'Client id.'),
  clientSecret: describe(secret.optional(), 'Where the client secret is.'),
  key: describe(secret.optional(), 'Where the private key is, PEM or JWK: of private_key_jwt, or of the certificate.'),
  keyId: describe(text.optional(), 'With private_key_jwt: kid of the assertion, where the key is no JWK that says it.'),
  issuer: describe(text.optional(), 'With private_key_jwt: audience of the assertion; without it the URL of the token endpoint.'),
  certificate: describe(pem.optional(), 'With tls_client_auth: the client certificate, PEM.'),
  ca: describe(pem.optional(), "Certificate authorities of the token endpoint in place of the system's, PEM."),
  auth: describe(
    z.enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth']).optional(),
    'How the client proves itself. Left out: tls_client_auth with a certificate, private_key_jwt with a key alone, else client_secret_basic.',
  ),
  scope: defaulted(z.array(text), scope, 'Scopes to ask for.'),
  audience: describe(text.optional(), 'Audience to ask for.'),
  resource: describe(z.array(url).min(1).optional(), 'Where the token is to be used (RFC 8707).'),
  ...shape,
})

const oauth2 = z.strictObject(tokens('egress.environments.oauth2.scope'))

const exchange = z.strictObject(tokens('egress.environments.exchange.scope'))

const scopePart = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/)
  .meta({ title: 'AWS name', examples: ['eu-central-1', 's3'] })

const sigv4 = z.strictObject({
  region: describe(scopePart, 'Region that is signed for.'),
  service: describe(scopePart, 'Service that is signed for, such as s3 or execute-api.'),
  accessKeyId: describe(secret, 'Where the access key id is.'),
  secretAccessKey: describe(secret, 'Where the secret access key is.'),
  sessionToken: describe(secret.optional(), 'Where the session token of temporary keys is.'),
  payload: defaulted(z.enum(['signed', 'unsigned']), 'egress.environments.sigv4.payload', 'unsigned leaves the body out of the signature, and streams it.'),
  ...shape,
})

const hmac = z.strictObject({
  secret: describe(secret, 'Where the key is.'),
  algorithm: defaulted(z.enum(['sha256', 'sha384', 'sha512']), 'egress.environments.hmac.algorithm', 'Hash of the HMAC.'),
  message: describe(
    z
      .string()
      .min(1)
      .meta({ title: 'message template', examples: ['{timestamp}.{method}.{path}.{body}'] }),
    'What is signed, of {method}, {host}, {path}, {query}, {timestamp}, {body} and {bodyHash}.',
  ),
  header: describe(headerName, 'Header that carries the signature.'),
  format: defaulted(
    z
      .string()
      .regex(/^[\x20-\x7e]*\{signature\}[\x20-\x7e]*$/)
      .meta({ title: 'format that holds {signature}', examples: ['t={timestamp},v1={signature}'] }),
    'egress.environments.hmac.format',
    'Value of the header, of {signature} and {timestamp}.',
  ),
  encoding: defaulted(z.enum(['hex', 'base64']), 'egress.environments.hmac.encoding', 'How the signature is written.'),
  timestampHeader: describe(headerName.optional(), 'Header that carries {timestamp}, in seconds since 1970.'),
  ...shape,
})

const targetTls = z.strictObject({
  certificate: describe(pem, 'Client certificate that is shown to the target, PEM.'),
  key: describe(secret, 'Its private key, PEM.'),
})

const jsonPath = checked(checkJsonPath, { title: 'path to a member of JSON', examples: ['$.card.number', '$..pan'] })

const guardHost = z
  .string()
  .regex(/^(?:[a-z0-9]([a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/)
  .meta({ title: 'host or host:port in lower case', examples: ['api.pay.example'] })

const faultShare = describe(overridable(percent), 'Share of the calls.')

const faults = filled(
  z.strictObject({
    latency: describe(
      z.strictObject({ percent: faultShare, for: describe(durationBetween('1ms', '1h'), 'How long each waits.') }).optional(),
      'Keeps calls waiting before they go on.',
    ),
    reset: describe(z.strictObject({ percent: faultShare }).optional(), 'Breaks calls off, as if the vendor had.'),
    status: describe(
      z
        .strictObject({
          percent: faultShare,
          status: defaulted(z.int().min(400).max(599), 'egress.environments.faults.status.status', 'HTTP status of the answer.'),
        })
        .optional(),
      'Answers in place of the vendor.',
    ),
    bandwidth: describe(
      z.strictObject({ percent: faultShare, perSecond: describe(size, 'So much of the answer comes in a second.') }).optional(),
      'Lets answers trickle.',
    ),
  }),
)

export const target = z.strictObject({
  mode: describe(
    z.enum(['live', 'mock', 'record', 'replay', 'deny']).optional(),
    'live calls the target, mock answers from a file, record calls the target and writes down what it answers (nonprod only), replay answers from what was recorded, deny refuses. Left out: live with target, mock with mock.',
  ),
  target: describe(egressTarget.optional(), 'URL of the third party, with an optional path prefix; with kind: tcp host:port.'),
  mock: describe(assetPath.optional(), 'File of canned answers, a path under the policies folder.'),
  cassette: describe(name.optional(), 'With mode record or replay: the folder of recorded answers, under SALLYPORT_CASSETTES.'),
  match: section(
    {
      headers: defaulted(z.array(headerName), 'egress.environments.match.headers', 'Request headers that count, beside method, path and query.'),
      body: defaulted(z.boolean(), 'egress.environments.match.body', 'Whether the request body counts.'),
    },
    'With mode record or replay: what makes a request the one that was recorded.',
  ),
  faults: describe(faults.optional(), 'Faults that are injected here, in nonprod only.'),
  inject: describe(inject.optional(), 'A secret in a header or query parameter.'),
  basic: describe(basic.optional(), 'HTTP Basic.'),
  oauth2: describe(oauth2.optional(), 'OAuth2 client credentials.'),
  exchange: describe(exchange.optional(), "A token in exchange for the caller's own (RFC 8693)."),
  sigv4: describe(sigv4.optional(), 'AWS Signature Version 4.'),
  hmac: describe(hmac.optional(), 'An HMAC over the call.'),
  tls: describe(
    z.union([targetTls, z.enum(['verify-full', 'none'])]).optional(),
    'A client certificate of our own, beside any other credential. With kind: tcp: verify-full (TLS from the first byte, with protocol: postgres once the server has agreed; verified against the name) or none. Left out: none; in prod it must be said.',
  ),
  vend: describe(
    z
      .strictObject({
        callers: describe(z.array(name).min(1), 'Who may fetch it, of the callers of the service.'),
        prod: defaulted(z.boolean(), 'egress.environments.vend.prod', 'To be said in an environment of class prod.'),
      })
      .optional(),
    'Hands the short-lived credential of this target itself (a token of oauth2, AWS keys with a sessionToken) to workloads that ask: GET /.sallyport/credentials.',
  ),
  hosts: describe(
    z.array(proxyHost).min(1).optional(),
    'With kind: proxy: the hosts that may be called, by exact name, or *.x for one label in place of the star; addresses only when allowAddresses holds them.',
  ),
  ports: defaulted(
    z.array(z.int().min(1).max(65_535)).min(1),
    'egress.environments.ports',
    'With kind: proxy: the ports of these hosts. Nothing goes to 443 in the clear, and to 80 nothing else.',
  ),
  guardHosts: defaulted(
    z.array(guardHost),
    'egress.environments.guardHosts',
    'Further hosts of this vendor; in prod environments they are denied to every nonprod process.',
  ),
  allowAddresses: defaulted(z.array(cidr), 'egress.environments.allowAddresses', 'Networks that may be dialled beside public ones.'),
  sharesAddressWithProd: defaulted(
    z.boolean(),
    'egress.environments.sharesAddressWithProd',
    'This target is known to share an address and port with a production one. With kind: proxy: these hosts may be those of the same service in prod.',
  ),
  ca: describe(pem.optional(), "Certificate authorities in place of the system's, PEM."),
  reason: describe(text.optional(), 'With mode deny: why, shown to the caller.'),
})

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

export type CallerDocument = z.output<typeof caller>
export type EgressDocument = z.output<typeof egress>
export type TargetDocument = z.output<typeof target>
export type HmacDocument = z.output<typeof hmac>
export type SigV4Document = z.output<typeof sigv4>
export type TokensDocument = z.output<typeof oauth2>
