import * as z from 'zod'
import { balance } from './balance.ts'
import { defaulted, describe, overridable, section } from './build.ts'
import { endpoints, labels } from './endpoints.ts'
import { assetPath, authority, durationBetween, endpointAddress, host, name, pem, sha256, spiffeId } from './fields.ts'
import { health, outlier } from './health.ts'
import { breaker } from './protect.ts'

const where = {
  address: describe(overridable(endpointAddress).optional(), 'One endpoint: host:port, or unix:/path.'),
  endpoints: describe(endpoints.optional(), 'Several endpoints: a fixed list, or where they are found: file, dns with a port, srv, consul or kubernetes.'),
  authority: describe(overridable(authority).optional(), "What the upstream reads as Host or :authority; without it the downstream's own."),
}

const subset = z.strictObject({
  ...where,
  labels: describe(overridable(labels).optional(), 'Labels that an endpoint must have to be of this part.'),
})

const descriptors = z.strictObject({
  file: describe(assetPath, 'Serialized FileDescriptorSet, a path under the policies folder.'),
  sha256: describe(sha256.optional(), 'Digest that the file must have: what `sallyport proto pull` and `sallyport check` print.'),
  drift: describe(
    overridable(durationBetween('10s', '1d')).optional(),
    'How often a running gateway asks the service by reflection whether the set still holds; without it never.',
  ),
})

export const cluster = z.strictObject({
  sidecar: defaulted(z.enum(['envoy', 'istio', 'linkerd', 'consul', 'none']), 'clusters.sidecar', 'Hand-off conventions of the proxy beside the gateway.'),
  protocol: defaulted(z.enum(['http', 'h2', 'grpc']), 'clusters.protocol', 'What the upstream speaks.'),
  ...where,
  descriptors: describe(
    z.union([assetPath, descriptors]).optional(),
    'Serialized FileDescriptorSet of its gRPC services: a path under the policies folder, or {file, sha256, drift}.',
  ),
  subsets: describe(
    z.record(name, subset).optional(),
    'Parts, such as versions: endpoints with certain labels, or an authority, address or endpoints of their own.',
  ),
  balance: defaulted(balance, 'clusters.balance', 'Which endpoint gets the next request: a name, or {policy, key, slowStart, panic, zones}.'),
  health: describe(health.optional(), 'Asks every endpoint how it is: one of path, grpc and tcp.'),
  outlier: describe(
    z.union([z.literal('off'), outlier]).optional(),
    'Ejects endpoints whose requests fail; off for none. Without it: as its defaults say, but off with a sidecar.',
  ),
  tls: describe(
    z
      .strictObject({
        serverName: describe(host.optional(), 'Name in the certificate; without it the authority.'),
        spiffe: describe(
          z.union([spiffeId, z.array(spiffeId).min(1)]).optional(),
          'Whose certificate it must be: its SPIFFE id; `*` stands for one segment of the path, and at the end for everything below. Its other names count for nothing then.',
        ),
        ca: describe(pem.optional(), 'Who signs its certificate, PEM.'),
        certificate: describe(pem.optional(), "The gateway's own certificate, PEM."),
        key: describe(pem.optional(), 'Its private key, PEM.'),
      })
      .optional(),
    'TLS to the upstream; without it clear text.',
  ),
  connectTimeout: defaulted(overridable(durationBetween('1ms', '1m')), 'clusters.connectTimeout', 'Time to connect.'),
  caps: section(
    {
      requests: defaulted(overridable(z.int().min(1).max(1_000_000)), 'clusters.caps.requests', 'Requests at a time; more wait or are refused.'),
      pending: defaulted(
        overridable(z.int().min(0).max(1_000_000)),
        'clusters.caps.pending',
        'So many wait for a place, until their deadline; more are refused.',
      ),
      connections: describe(
        overridable(z.int().min(1).max(1_000_000)).optional(),
        'Connections at a time, over all endpoints: over HTTP/1.1 as many requests as well, of h2 an endpoint always has one; without it as many as it takes.',
      ),
      retries: describe(overridable(z.int().min(0).max(1_000_000)).optional(), 'Requests that are being repeated at a time, whatever budgets allow.'),
    },
    'Circuit caps of one process.',
  ),
  breaker: describe(breaker.optional(), 'Leaves the cluster (each subset by itself) alone when it fails; without it never.'),
  concurrency: describe(
    overridable(z.literal('adaptive')).optional(),
    'adaptive: how many requests it gets at a time follows from how long it takes to answer, up to caps.requests.',
  ),
})

/** What a cluster says of its descriptors, whichever way it is written. */
export function descriptorsIn(said: ClusterDocument['descriptors']): z.output<typeof descriptors> | undefined {
  return typeof said === 'string' ? { file: said } : said
}

export type ClusterDocument = z.output<typeof cluster>
export type WhereDocument = Pick<ClusterDocument, 'address' | 'endpoints' | 'authority'>
