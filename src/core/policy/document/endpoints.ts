import * as z from 'zod'
import { defaulted, describe, overridable } from './build.ts'
import { durationBetween, endpointAddress, host, pem, percent, safeUrl, secret, url } from './fields.ts'

/*
 * Where the endpoints of a cluster or subset are found.
 */

const weight = z.int().min(1).max(1_000_000)

const label = z
  .string()
  .regex(/^[^\s\p{Cc}]{1,253}$/u)
  .meta({ title: 'label', examples: ['version'] })

/** Labels by name. */
export const labels = z.record(label, z.string().max(1_000))

const zone = z
  .string()
  .regex(/^[^\s\p{Cc}]{1,253}$/u)
  .meta({ title: 'zone', examples: ['eu-central-1a'] })

const staticEndpoint = z.union([
  endpointAddress,
  z.strictObject({
    address: describe(endpointAddress, 'host:port or unix:/path.'),
    weight: defaulted(weight, 'clusters.weight', 'Share of the requests, relative to the others.'),
    zone: describe(zone.optional(), 'Where it runs.'),
    labels: describe(labels.optional(), 'What subsets choose it by.'),
  }),
])

const absolutePath = z
  .string()
  .regex(/^\/[^\p{Cc}]+$/u)
  .meta({ title: 'absolute path', examples: ['/run/sallyport/orders.yaml'] })

const srvName = z
  .string()
  .regex(/^(?:[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/)
  .meta({ title: 'name of SRV records', examples: ['_grpc._tcp.orders.example'] })

/** DNS-1123 label, as names of Kubernetes services and namespaces are. */
const kubernetesName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
  .meta({ title: 'Kubernetes name', examples: ['orders'] })

const word = z
  .string()
  .regex(/^[^\s\p{Cc}]{1,253}$/u)
  .meta({ title: 'name' })

const portNumber = z.int().min(1).max(65_535)

const consul = z.strictObject({
  service: describe(word, 'Name of the service in the catalogue.'),
  address: defaulted(url, 'clusters.consul.address', 'HTTP API of an agent or server.'),
  tag: describe(word.optional(), 'Only instances with this tag.'),
  datacenter: describe(word.optional(), "Another datacenter than the agent's own."),
  token: describe(secret.optional(), 'ACL token with read access to the service and its nodes.'),
  ca: describe(pem.optional(), 'Who signs the certificate of an https address, PEM; without it the public authorities.'),
  passing: defaulted(z.boolean(), 'clusters.consul.passing', 'Only instances whose checks all pass; false takes those that only warn as well.'),
  stale: defaulted(z.boolean(), 'clusters.consul.stale', 'Any server may answer, not the leader alone.'),
})

const kubernetes = z.strictObject({
  service: describe(kubernetesName, 'Name of the Service.'),
  namespace: describe(kubernetesName, 'Its namespace.'),
  port: describe(z.union([portNumber, z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)]), 'Port of the pods: its name in the Service, or its number.'),
  apiServer: defaulted(safeUrl, 'clusters.kubernetes.apiServer', 'The API server.'),
  token: defaulted(secret, 'clusters.kubernetes.token', 'Bearer token that may list and watch EndpointSlices; read anew whenever it is used.'),
  ca: defaulted(pem, 'clusters.kubernetes.ca', 'Who signs the certificate of the API server, PEM.'),
})

export const endpoints = overridable(
  z.strictObject({
    static: describe(z.array(staticEndpoint).min(1).optional(), 'Fixed endpoints.'),
    file: describe(absolutePath.optional(), 'A list like that of static in a YAML or JSON file, read again whenever it changes.'),
    dns: describe(host.optional(), 'A name whose addresses are the endpoints.'),
    port: describe(portNumber.optional(), 'Their port, with dns.'),
    srv: describe(srvName.optional(), 'A name whose SRV records say hosts, ports, priorities and weights.'),
    consul: describe(consul.optional(), 'Healthy instances of a service in Consul.'),
    kubernetes: describe(kubernetes.optional(), 'Ready endpoints of a Service in Kubernetes, from its EndpointSlices.'),
    shrink: defaulted(
      percent,
      'clusters.endpoints.shrink',
      'The greatest share of the endpoints that may go at once. More goes only when the source has said so for confirm.',
    ),
    confirm: defaulted(durationBetween('1s', '1h'), 'clusters.endpoints.confirm', 'How long a source must say that more than shrink is gone.'),
    empty: defaulted(
      z.enum(['keep', 'take']),
      'clusters.endpoints.empty',
      'Whether a source that names nobody for confirm is believed, or the last good set stays.',
    ),
  }),
)

export type EndpointsDocument = z.output<typeof endpoints>
