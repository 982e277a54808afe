import * as z from 'zod'
import { defaulted, describe, filled, overridable, section } from './build.ts'
import { basic, exchange, hmac, inject, oauth2, sigv4 } from './credentials.ts'
import { assetPath, cidr, durationBetween, egressTarget, headerName, name, pem, percent, proxyHost, secret, size, text } from './fields.ts'

const targetTls = z.strictObject({
  certificate: describe(pem, 'Client certificate that is shown to the target, PEM.'),
  key: describe(secret, 'Its private key, PEM.'),
})

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

export type TargetDocument = z.output<typeof target>
