import * as z from 'zod'
import { defaulted, describe, overridable, section } from './build.ts'
import { assetPath, authority, durationBetween, endpointAddress, host, name, pem, sha256, spiffeId } from './fields.ts'

const weight = z.int().min(1).max(1_000_000)

const staticEndpoint = z.union([
  endpointAddress,
  z.strictObject({
    address: describe(endpointAddress, 'host:port or unix:/path.'),
    weight: defaulted(weight, 'clusters.weight', 'Share of the requests, relative to the others.'),
  }),
])

const endpoints = overridable(
  z.strictObject({
    static: describe(z.array(staticEndpoint).min(1).optional(), 'Fixed endpoints.'),
    dns: describe(host.optional(), 'A name whose addresses are the endpoints.'),
    port: describe(z.int().min(1).max(65_535).optional(), 'Their port, with dns.'),
  }),
)

const where = {
  address: describe(overridable(endpointAddress).optional(), 'One endpoint: host:port, or unix:/path.'),
  endpoints: describe(endpoints.optional(), 'Several endpoints: a fixed list, or dns with a port.'),
  authority: describe(overridable(authority).optional(), "What the upstream reads as Host or :authority; without it the downstream's own."),
}

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
  subsets: describe(z.record(name, z.strictObject(where)).optional(), 'Labelled parts, such as versions: their own authority, address or endpoints.'),
  balance: defaulted(z.enum(['round_robin', 'least_request', 'peak_ewma', 'random']), 'clusters.balance', 'Which endpoint gets the next request.'),
  tls: describe(
    z
      .strictObject({
        serverName: describe(host.optional(), 'Name in the certificate; without it the authority.'),
        spiffe: describe(
          z.union([spiffeId, z.array(spiffeId).min(1)]).optional(),
          'Whose certificate it must be: its SPIFFE id, or spiffe://domain/path/* for everything below. Its other names count for nothing then.',
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
    { requests: defaulted(overridable(z.int().min(1).max(1_000_000)), 'clusters.caps.requests', 'Requests at a time; more are refused.') },
    'Circuit caps.',
  ),
})

/** What a cluster says of its descriptors, whichever way it is written. */
export function descriptorsIn(said: ClusterDocument['descriptors']): z.output<typeof descriptors> | undefined {
  return typeof said === 'string' ? { file: said } : said
}

export type ClusterDocument = z.output<typeof cluster>
export type WhereDocument = Pick<ClusterDocument, 'address' | 'endpoints' | 'authority'>
