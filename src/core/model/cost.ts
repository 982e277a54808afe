import type { RouteLimit } from './route.ts'

/** What a request costs: as its RPC says, else as its method does (HEAD as GET where it is not named), else as all. */
export function costOf({ cost, methods, rpcs }: RouteLimit, method: string, rpc: string | undefined): number {
  const byRpc = rpc === undefined ? undefined : ownCost(rpcs, rpc)
  return byRpc ?? ownCost(methods, method) ?? (method === 'HEAD' ? ownCost(methods, 'GET') : undefined) ?? cost
}

/** The most that any request costs, with what the upstream may say. */
export function highestCostOf({ response, ...use }: RouteLimit): number {
  return Math.max(response?.most ?? 0, ...statedCosts(use))
}

/** Every cost that the route states. */
export function statedCosts({ cost, methods = {}, rpcs = {} }: Pick<RouteLimit, 'cost' | 'methods' | 'rpcs'>): readonly number[] {
  return [cost, ...Object.values(methods), ...Object.values(rpcs)]
}

function ownCost(costs: Readonly<Record<string, number>> | undefined, name: string): number | undefined {
  return costs !== undefined && Object.hasOwn(costs, name) ? costs[name] : undefined
}
