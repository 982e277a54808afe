import type { RouteLimit } from './route.ts'

/** What a request costs: as its RPC says, else as its method does (HEAD as GET where it is not named), else as all. */
export function costOf({ cost, methods, rpcs }: RouteLimit, method: string, rpc: string | undefined): number {
  const byRpc = rpc === undefined ? undefined : ownCost(rpcs, rpc)
  return byRpc ?? ownCost(methods, method) ?? (method === 'HEAD' ? ownCost(methods, 'GET') : undefined) ?? cost
}

/** The most that any request costs. */
export function highestCostOf({ cost, methods = {}, rpcs = {} }: RouteLimit): number {
  return Math.max(cost, ...Object.values(methods), ...Object.values(rpcs))
}

function ownCost(costs: Readonly<Record<string, number>> | undefined, name: string): number | undefined {
  return costs !== undefined && Object.hasOwn(costs, name) ? costs[name] : undefined
}
