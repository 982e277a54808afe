import { edgePolicyOf } from '../../src/core/edge.ts'
import type { Limit } from '../../src/core/policy/linked/limits.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { access, rule } from './access.ts'
import { testPolicy, testRoute, testRpc } from './routes.ts'

/** A limit as the loader links it: three requests in ten seconds for everybody together. */
export function testLimit(name: string, given: Partial<Limit> = {}): Limit {
  return {
    name,
    algorithm: { kind: 'sliding' },
    points: 3,
    windowMs: 10_000,
    burst: 0,
    key: [{ kind: 'route' }],
    missing: 'shared',
    onStoreFailure: 'local',
    mode: 'enforce',
    ...given,
  }
}

/** An edge policy with a public route `/open/…`, one with a limit of three, and the gRPC service `shop.v1.Orders`; what is given takes its place. */
export function testEdgePolicy(given: Partial<Policy> = {}): Policy {
  const open = access('open', [rule('everyone', 'allow', { anonymous: true })], { kind: 'none' })
  const grpc = { service: 'shop.v1.Orders', rpcs: [testRpc('shop.v1.Orders', 'GetOrder', ['GET /v1/orders/{id}'])], descriptors: '' }
  return edgePolicyOf(
    testPolicy({
      access: { open },
      limits: { three: testLimit('three') },
      routes: [
        testRoute('open', { path: '/open/{**}' }, { access: ['open'] }),
        testRoute('limited', { path: '/limited' }, { access: ['open'], limits: [{ name: 'three', cost: 1 }] }),
        testRoute('orders', { grpc }, { access: ['open'] }),
      ],
      ...given,
    }),
  )
}
