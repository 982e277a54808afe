import * as z from 'zod'
import { defaulted, describe, filled, overridable } from './build.ts'
import { durationBetween, fieldTests, headerName, method, name, percent } from './fields.ts'

/** How much worse than the others a version may do before it loses its weight. */
export const guard = z.strictObject({
  errorRateDelta: defaulted(percent, 'routes.guard.errorRateDelta', 'Its share of errors may be this much above that of the others.'),
  p95Ratio: defaulted(z.number().min(1.05).max(100), 'routes.guard.p95Ratio', 'Its p95 may be this many times that of the others.'),
  minSamples: defaulted(z.int().min(50).max(1_000_000), 'routes.guard.minSamples', 'Answers of each side within the window before anything is said.'),
  window: defaulted(durationBetween('10s', '1h'), 'routes.guard.window', 'How far back it looks.'),
})

export type GuardDocument = z.output<typeof guard>

/** Who takes what a destination cannot. */
export const failover = z.strictObject({
  cluster: describe(name, 'A cluster.'),
  subset: describe(name.optional(), 'One of its subsets.'),
  on: defaulted(
    z.array(z.enum(['connect', 'overloaded', 'unavailable'])).min(1),
    'routes.failover.on',
    'connect: nothing could be sent; overloaded: the cap of the first is reached; unavailable: 503 or gRPC UNAVAILABLE, of what may be sent twice.',
  ),
})

/** What is done to requests on purpose, to see how their callers take it. */
export const faults = filled(
  z.strictObject({
    headers: describe(filled(fieldTests).optional(), 'Only requests with these headers.'),
    delay: describe(
      z
        .strictObject({
          percent: describe(overridable(percent), 'Share of the requests.'),
          for: describe(overridable(durationBetween('1ms', '1h')), 'How long each waits before it goes on.'),
        })
        .optional(),
      'Keeps requests waiting.',
    ),
    abort: describe(
      z
        .strictObject({
          percent: describe(overridable(percent), 'Share of the requests.'),
          status: defaulted(overridable(z.int().min(400).max(599)), 'routes.faults.abort.status', 'HTTP status of the answer.'),
          grpcStatus: defaulted(overridable(z.int().min(1).max(16)), 'routes.faults.abort.grpcStatus', 'What callers with gRPC, gRPC-Web and Connect get.'),
        })
        .optional(),
      'Answers in place of the service.',
    ),
  }),
)

export type FaultsDocument = z.output<typeof faults>

const pointer = z
  .string()
  .regex(/^(?:\/[^/\p{Cc}]*)+$/u)
  .max(200)
  .meta({ title: 'JSON pointer, with * for any one segment', examples: ['/updatedAt', '/items/*/etag'] })

/** A second service that gets copies, and how its answers are compared. */
export const mirror = z.strictObject({
  cluster: describe(name, 'A cluster.'),
  subset: describe(name.optional(), 'One of its subsets.'),
  percent: defaulted(overridable(percent), 'routes.mirror.percent', 'Share of the requests that are copied.'),
  methods: defaulted(z.array(method), 'routes.mirror.methods', 'HTTP methods that are copied, on path routes.'),
  rpcs: defaulted(
    z.array(
      z
        .string()
        .regex(/^[A-Za-z_]\w*$/)
        .meta({ title: 'RPC of the service', examples: ['GetOrder'] }),
    ),
    'routes.mirror.rpcs',
    'On grpc routes: RPCs that are copied beside those without side effects or with a GET binding.',
  ),
  requests: defaulted(overridable(z.int().min(1).max(10_000)), 'routes.mirror.requests', 'Copies under way at a time; no more are made.'),
  diff: describe(
    z
      .strictObject({
        percent: defaulted(overridable(percent), 'routes.mirror.diff.percent', 'Share of the copies whose answers are compared.'),
        headers: defaulted(z.array(headerName), 'routes.mirror.diff.headers', 'Headers that are compared.'),
        ignore: defaulted(z.array(pointer), 'routes.mirror.diff.ignore', 'Members of JSON bodies that may differ, with all below them.'),
        mask: defaulted(z.array(pointer), 'routes.mirror.diff.mask', 'Members whose values are never written down.'),
      })
      .optional(),
    'Compares the answers and writes down how they differ; without it nobody looks at them.',
  ),
})
