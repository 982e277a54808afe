import * as z from 'zod'
import { defaulted, describe, overridable } from './build.ts'
import { durationBetween, grpcService, percent } from './fields.ts'

const statusRange = z
  .union([z.int().min(100).max(599), z.string().regex(/^[1-5]\d\d-[1-5]\d\d$/)])
  .meta({ title: 'status or range', examples: ['204', '200-399'] })

const inARow = z.int().min(1).max(100)
const failures = z.int().min(0).max(10_000)

/** Active checks of every endpoint. */
export const health = z.strictObject({
  path: describe(
    overridable(z.string().regex(/^\/[\x21-\x7e]{0,1023}$/))
      .meta({ title: 'path', examples: ['/healthz'] })
      .optional(),
    'GET this path.',
  ),
  statuses: describe(overridable(z.array(statusRange).min(1)).optional(), 'With path: the statuses that pass; without it 200-299.'),
  grpc: describe(overridable(z.union([z.literal(''), grpcService])).optional(), 'Ask grpc.health.v1 for this service; "" is the server as a whole.'),
  tcp: describe(z.literal(true).optional(), 'Connect (TLS included), and nothing else.'),
  interval: defaulted(overridable(durationBetween('100ms', '1h')), 'clusters.health.interval', 'Time between checks of one endpoint, give or take 10 %.'),
  timeout: defaulted(overridable(durationBetween('10ms', '1m')), 'clusters.health.timeout', 'Time to answer.'),
  healthyAfter: defaulted(overridable(inARow), 'clusters.health.healthyAfter', 'Passed checks in a row that make an unhealthy endpoint healthy.'),
  unhealthyAfter: defaulted(overridable(inARow), 'clusters.health.unhealthyAfter', 'Failed checks in a row that make a healthy endpoint unhealthy.'),
})

/** Ejection by what requests meet. */
export const outlier = z.strictObject({
  consecutiveGateway: defaulted(
    overridable(failures),
    'clusters.outlier.consecutiveGateway',
    'Failures in a row to connect or to answer whole and in time, 502, 503, 504 or UNAVAILABLE that eject; 0 for never.',
  ),
  consecutive5xx: defaulted(overridable(failures), 'clusters.outlier.consecutive5xx', 'The same with every 5xx, INTERNAL, UNKNOWN and DATA_LOSS; 0 for never.'),
  successRate: describe(
    z
      .strictObject({
        deviations: defaulted(overridable(z.number().min(0.1).max(10)), 'clusters.outlier.deviations', 'So many standard deviations below the mean eject.'),
        minEndpoints: defaulted(overridable(z.int().min(2).max(1_000)), 'clusters.outlier.minEndpoints', 'With fewer that are busy nobody is compared.'),
        minRequests: defaulted(overridable(z.int().min(1).max(1_000_000)), 'clusters.outlier.minRequests', 'Busy: so many requests in an interval.'),
      })
      .optional(),
    'Ejects whose success rate is far below that of the others.',
  ),
  slow: describe(
    z
      .strictObject({
        times: describe(overridable(z.number().min(1.5).max(1_000)), 'So many times the median time of the others ejects.'),
        minRequests: defaulted(overridable(z.int().min(1).max(1_000_000)), 'clusters.outlier.minRequests', 'Busy: so many requests in an interval.'),
      })
      .optional(),
    'Ejects who takes far longer than the others.',
  ),
  interval: defaulted(overridable(durationBetween('1s', '1h')), 'clusters.outlier.interval', 'How often endpoints are compared.'),
  ejectFor: defaulted(
    overridable(durationBetween('100ms', '1h')),
    'clusters.outlier.ejectFor',
    'The first time out; the n-th in short order is n times as long.',
  ),
  maxEjectFor: defaulted(overridable(durationBetween('1s', '1d')), 'clusters.outlier.maxEjectFor', 'The longest time out.'),
  maxEjected: defaulted(overridable(percent), 'clusters.outlier.maxEjected', 'At most this share is out at a time; but always one, and never all.'),
})

export type HealthDocument = z.output<typeof health>
export type OutlierDocument = z.output<typeof outlier>
