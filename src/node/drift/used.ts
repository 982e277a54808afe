import type { Policy } from '../../core/policy/policy.ts'

/** What the gateway uses of a cluster's set, and of which parts of the cluster: what its routes say. */
export interface Used {
  readonly services: readonly string[]
  /** `undefined` is the cluster itself. */
  readonly subsets: ReadonlySet<string | undefined>
}

/** Services and parts of a cluster that gRPC routes in order send requests to. */
export function usedOf(policy: Policy, cluster: string): Used {
  const routes = policy.routes.filter(
    ({ quarantined, match, split }) => quarantined === undefined && match.grpc !== undefined && split.some((to) => to.cluster === cluster),
  )
  const services = new Set(routes.flatMap(({ match }) => (match.grpc === undefined ? [] : [match.grpc.service])))
  const subsets = new Set(routes.flatMap(({ split }) => split.filter((to) => to.cluster === cluster).map((to) => to.subset)))
  return { services: Array.from(services).sort(), subsets }
}
