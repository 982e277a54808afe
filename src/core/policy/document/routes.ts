import * as z from 'zod'
import { access } from './access.ts'
import { defaulted, describe, filled, overridable, section } from './build.ts'
import { cors } from './cors.ts'
import {
  claimPath,
  claimValue,
  durationBetween,
  fieldTests,
  grpcService,
  headerName,
  host,
  method,
  name,
  path,
  percent,
  queryTests,
  size,
  stickyKey,
} from './fields.ts'
import { hedge } from './protect.ts'
import { failover, faults, guard, mirror } from './steering.ts'
import { translation } from './translation.ts'
import { upgrade } from './upgrade.ts'

const match = z.strictObject({
  host: describe(host.optional(), 'One host name.'),
  hosts: describe(z.array(host).min(1).optional(), 'Host names, exact or *.example.com (one label); without them any host.'),
  path: describe(path.optional(), 'Path template: /orders/{id}, /orders/:id, /files/{**}.'),
  grpc: describe(grpcService.optional(), 'A gRPC service: its google.api.http bindings and its native path, called with gRPC, gRPC-Web, Connect or JSON.'),
  methods: describe(z.array(method).min(1).optional(), 'HTTP methods; GET implies HEAD; without them any.'),
  headers: describe(filled(fieldTests).optional(), 'Request headers.'),
  query: describe(filled(queryTests).optional(), 'Query parameters.'),
})

const status = z.int().min(400).max(599)

/** gRPC codes beside UNAVAILABLE after which another try may end otherwise. */
export const grpcConditions = ['cancelled', 'unknown', 'deadline_exceeded', 'resource_exhausted', 'aborted', 'internal', 'data_loss'] as const

const rpcName = z
  .string()
  .regex(/^[A-Za-z_]\w*$/)
  .meta({ title: 'RPC of the service', examples: ['GetOrder'] })

/** How often a failed try is repeated, on routes and egress services alike. */
export const retry = z.strictObject({
  attempts: defaulted(overridable(z.int().min(0).max(10)), 'routes.retry.attempts', 'Further tries after the first.'),
  on: defaulted(
    z.array(z.union([z.enum(['connect', 'reset', 'unavailable', 'deadline', ...grpcConditions]), status])).min(1),
    'routes.retry.on',
    'connect: nothing was sent; reset: broke off before an answer; unavailable: 503 or gRPC UNAVAILABLE; deadline: a try took too long; another gRPC code; or a status from 400 to 599.',
  ),
  budget: defaulted(percent, 'routes.retry.budget', 'Share of requests that may be retries.'),
  methods: defaulted(z.array(method), 'routes.retry.methods', 'Methods that may be repeated as they are.'),
  withIdempotencyKey: defaulted(
    z.array(method),
    'routes.retry.withIdempotencyKey',
    'Methods that may be repeated when the request carries an Idempotency-Key.',
  ),
  perTry: describe(
    overridable(durationBetween('1ms', '1h')).optional(),
    'Time for one try, where it may be repeated. Without it none is cut, but with deadline who has used up its share of the time is joined by a try at another endpoint.',
  ),
  rpcs: defaulted(z.array(rpcName), 'routes.retry.rpcs', 'RPCs that may be repeated, beside those whose descriptors say so (idempotency_level).'),
  bodies: defaulted(size, 'routes.retry.bodies', 'Bodies up to this size are kept for another try.'),
  answers: describe(
    size.optional(),
    'Answers whose announced length is at most this are held back until they are whole, so that one that breaks off is asked for again. Without it every answer flows as it comes.',
  ),
  maxRetryAfter: defaulted(durationBetween('0s', '1h'), 'routes.retry.maxRetryAfter', 'A longer Retry-After is passed on instead of waited for.'),
})

const cost = z.int().min(1).max(1_000_000)

const limit = z.union([
  name,
  z.strictObject({
    name: describe(name, 'A limit.'),
    cost: defaulted(cost, 'routes.limits.cost', 'Points that one request costs.'),
    methods: describe(filled(z.record(method, cost)), 'Points that requests of these HTTP methods cost instead.').optional(),
    rpcs: describe(filled(z.record(rpcName, cost)), 'Points that calls of these RPCs of the service cost instead, however they are called.').optional(),
    response: describe(
      z.strictObject({ most: describe(cost, 'Points that one request is charged for at most, whatever the upstream says.') }),
      'The upstream may say what a request cost, in x-sallyport-cost of its answer; what is more than was taken for it is charged afterwards.',
    ).optional(),
  }),
])

const destination = z.strictObject({
  cluster: describe(name, 'A cluster.'),
  subset: describe(name.optional(), 'One of its subsets.'),
  weight: defaulted(overridable(z.int().min(0).max(100)), 'routes.weight', 'Percent of the requests; all weights add up to 100.'),
  pin: describe(
    filled(
      z.strictObject({
        headers: describe(filled(fieldTests).optional(), 'Request headers.'),
        claims: describe(filled(z.record(claimPath, claimValue)).optional(), 'Claims and the value each must have.'),
      }),
    ).optional(),
    'A request that fits goes here whatever the weights.',
  ),
  guard: describe(guard.optional(), 'Takes its weight away, for good, when it does worse than the destinations without a guard.'),
  failover: describe(failover.optional(), 'A second cluster, that takes what this one cannot.'),
})

const binding = z.strictObject({
  rpc: describe(
    z
      .string()
      .regex(/^[A-Za-z_]\w*$/)
      .meta({ title: 'name of an RPC', examples: ['GetOrder'] }),
    'A method of the service.',
  ),
  method: describe(method, 'HTTP method, or a custom one.'),
  path: describe(path, 'Path template; variables are fields of the request message.'),
  body: describe(
    z
      .string()
      .regex(/^(?:\*|[A-Za-z_]\w*)$/)
      .meta({ title: '"*" or a field', examples: ['*', 'order'] })
      .optional(),
    '"*" for the whole message, or a field; without it there is no body.',
  ),
  responseBody: describe(
    z
      .string()
      .regex(/^[A-Za-z_]\w*$/)
      .meta({ title: 'field', examples: ['order'] })
      .optional(),
    'A field of the answer; without it the whole message.',
  ),
})

const openapi = z.strictObject({
  routes: describe(z.array(name).min(1), 'Routes that the document describes.'),
  title: describe(z.string().min(1).max(200).optional(), 'Title of the API; without it "Gateway API".'),
  version: describe(z.string().min(1).max(100).optional(), 'Version of the API; without it the revision of the policies.'),
})

export const route = z
  .strictObject({
    match: describe(match, 'Which requests it takes: exactly one of path and grpc.'),
    access: describe(z.union([name, z.array(name).min(1), access]), 'Who may: an access policy by name, several, or one written here. A public route says so.'),
    limits: defaulted(z.array(limit), 'routes.limits', 'Limits by name, or {name, cost}.'),
    legacyHeaders: defaulted(
      z.enum(['off', 'seconds', 'epoch']),
      'routes.legacyHeaders',
      'Sends X-RateLimit-Limit, -Remaining and -Reset of the tightest limit too; the reset in seconds from now, or since the epoch.',
    ),
    timeout: defaulted(overridable(durationBetween('1ms', '1d')), 'routes.timeout', 'From arrival to the last byte of the answer; for streams, to the first.'),
    retry: describe(retry.optional(), 'Repeats failed tries; without it nothing is repeated.'),
    hedge: describe(hedge.optional(), 'Sends safe calls a second time, to another endpoint, when the first takes long; without it never.'),
    sticky: describe(stickyKey.optional(), 'Who stays on one side of the split.'),
    to: describe(z.union([name, destination, z.array(destination).min(1)]).optional(), 'Where it goes: a cluster, {cluster, subset}, or a list with weights.'),
    mirror: describe(mirror.optional(), 'A second service that gets copies of requests; nobody waits for it.'),
    faults: describe(faults.optional(), 'Faults that are injected, in nonprod only.'),
    openapi: describe(openapi.optional(), 'In place of to: the gateway itself answers GET with the OpenAPI document of other routes.'),
    answer: describe(z.enum(['health']).optional(), 'In place of to: the gateway itself answers grpc.health.v1.Health.'),
    resource: describe(name.optional(), 'The resource it is a part of: challenges name its metadata.'),
    handOn: section(
      {
        token: defaulted(z.boolean(), 'routes.handOn.token', 'Forward the Authorization header as it came.'),
        claims: defaulted(z.record(headerName, claimPath), 'routes.handOn.claims', 'Headers made from claims; always removed from the request first.'),
        minted: describe(name.optional(), 'A token of this kind, made by the gateway.'),
        exchange: describe(name.optional(), "A token that this exchange gives for the downstream's."),
        header: defaulted(headerName, 'routes.handOn.header', 'Where that token stands: after `Bearer` in authorization, bare in any other.'),
      },
      'What the upstream is told about who asks.',
    ),
    allow: defaulted(z.array(z.enum(['encodedSlash', 'semicolon'])), 'routes.allow', 'Path characters that are refused otherwise.'),
    bodyLimit: describe(size.optional(), "Largest body; without it the listener's."),
    translate: translation,
    cors: describe(cors.optional(), 'Which pages of other origins may call it; without it none.'),
    upgrade: describe(upgrade.optional(), 'Protocols that pass through to the upstream: [websocket], or {protocols, idle, lifetime}; without it none.'),
    bindings: defaulted(z.array(binding), 'routes.bindings', 'HTTP rules in place of google.api.http, for the RPCs they name.'),
  })
  // Editors are told; the loader's own check says more.
  .meta({ oneOf: [{ required: ['to'] }, { required: ['openapi'] }, { required: ['answer'] }] })

export type RouteDocument = z.output<typeof route>
export type MatchDocument = z.output<typeof match>
export type DestinationDocument = z.output<typeof destination>
export type RetryDocument = z.output<typeof retry>
export type BindingDocument = z.output<typeof binding>
export type FieldTestsDocument = z.output<typeof fieldTests>
