import * as z from 'zod'
import { defaulted, describe, overridable, section } from './build.ts'
import { address, cidr, durationBetween, pem, rate, size } from './fields.ts'

const listenerAddress = describe(overridable(address), 'Where it listens: host:port.')

const tls = z.strictObject({
  certificate: describe(pem, 'Certificate chain, PEM.'),
  key: describe(pem, 'Private key, PEM.'),
  clientAuth: defaulted(z.enum(['none', 'optional', 'required']), 'listeners.public.tls.clientAuth', 'Whether downstreams are asked for a certificate.'),
  clientCa: describe(pem.optional(), 'Who signs the certificates of downstreams, PEM.'),
})

const limits = section(
  {
    headers: defaulted(overridable(size), 'listeners.public.limits.headers', 'All header fields of a request.'),
    headerCount: defaulted(overridable(z.int().min(1).max(1000)), 'listeners.public.limits.headerCount', 'Header fields of a request.'),
    body: defaulted(overridable(size), 'listeners.public.limits.body', 'The body of a request; a route may say otherwise.'),
    requests: defaulted(overridable(durationBetween('1ms', '1h')), 'listeners.public.limits.requests', 'Time for the whole request to arrive.'),
    idle: defaulted(overridable(durationBetween('1ms', '1d')), 'listeners.public.limits.idle', 'Time a connection or stream may be silent.'),
    newConnections: describe(overridable(rate).optional(), 'New connections of one client network, per 1s to 1h; more are closed at once. Without it any.'),
  },
  'What a downstream may send.',
)

export const publicListener = z.strictObject({
  address: listenerAddress,
  protocols: defaulted(z.array(z.enum(['http/1.1', 'h2'])).min(1), 'listeners.public.protocols', 'Without tls, h2 is h2c by prior knowledge.'),
  tls: describe(tls.optional(), 'Certificate of the listener; without it the listener speaks clear text.'),
  trustedProxies: defaulted(z.array(cidr), 'listeners.public.trustedProxies', 'Networks of peers that may say X-Forwarded-For or Forwarded.'),
  limits,
})

export const plainListener = z.strictObject({ address: listenerAddress })

/** Of the ports by which workloads come: whom they know by a certificate they ask for one, and take everybody else without. */
export const egressTls = z.strictObject({
  certificate: describe(pem, 'Certificate chain, PEM.'),
  key: describe(pem, 'Private key, PEM.'),
  clientCa: describe(pem.optional(), 'Who signs the certificates of callers, PEM; callers are then asked for one.'),
})

export const egressListener = z.strictObject({
  address: listenerAddress,
  tls: describe(egressTls.optional(), 'Certificate of the port; without it the port speaks clear text.'),
  proxy: defaulted(z.boolean(), 'listeners.egress.proxy', 'Whether it is a forward proxy too: absolute-form requests and CONNECT.'),
})

/** The fixed names. */
export const listeners = {
  public: describe(publicListener, 'Where external downstreams come in.'),
  egress: describe(egressListener, 'The shared port of the ambassador: one host name per service.'),
  admin: describe(plainListener, 'Health, metrics and the admin API.'),
}

export type PublicListenerDocument = z.output<typeof publicListener>
export type PlainListenerDocument = z.output<typeof plainListener>
export type EgressListenerDocument = z.output<typeof egressListener>
export type EgressTlsDocument = z.output<typeof egressTls>
