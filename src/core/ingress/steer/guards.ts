import type { WeightedDestination } from '../../model/destination.ts'
import type { Route } from '../../model/route.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Lasting } from '../../ports.ts'
import { Canary, type CanaryPorts } from './guard/canary.ts'
import { nameOf } from './name.ts'

export type GuardPorts = CanaryPorts & { readonly lasting: Lasting }

/** The guarded destinations of a process. They outlive snapshots as long as the split they stand in stays the same. */
interface GuardBoard {
  /** `shares`: how many snapshots hold it. */
  readonly canaries: Map<string, { readonly canary: Canary; shares: number }>
}

function guardBoard(lasting: Lasting): GuardBoard {
  return lasting('steer.guards', () => ({ canaries: new Map<string, { readonly canary: Canary; shares: number }>() }))
}

/** How every guarded destination stands. */
export type GuardStatus = Canary['status']

export function guardStatus(lasting: Lasting): readonly GuardStatus[] {
  return Array.from(guardBoard(lasting).canaries.values(), ({ canary }) => canary.status)
}

/**
 * Gives an aborted destination its weight back, on every replica. `destination` is `cluster` or `cluster/subset`. False when the policies in
 * force guard no such destination. @throws what the store throws; then only this process has it back
 */
export async function rearmGuard(lasting: Lasting, route: string, destination: string): Promise<boolean> {
  const found = [...guardBoard(lasting).canaries.values()].filter(({ canary }) => canary.is(route, destination))
  await Promise.all(found.map(({ canary }) => canary.rearm()))
  return found.length > 0
}

/** What a guarded destination is compared with: those that share the requests by weight and have no guard. */
export function othersOf(split: readonly WeightedDestination[]): readonly WeightedDestination[] {
  return split.filter(({ weight, guard }) => weight > 0 && guard === undefined)
}

export interface OpenGuards {
  /** The canaries of a route in the order of its split, undefined for a destination that has none. */
  readonly byRoute: ReadonlyMap<string, readonly (Canary | undefined)[]>
  /** What no other snapshot holds is forgotten. */
  close(): void
}

/** The canaries of a policy. A split that stays as it was keeps what was seen of it, and its aborts; any other begins anew. */
export function openGuards(policy: Policy, ports: GuardPorts): OpenGuards {
  const { canaries } = guardBoard(ports.lasting)
  const held: string[] = []
  const byRoute = new Map<string, readonly (Canary | undefined)[]>()
  for (const route of policy.routes) {
    if (route.quarantined !== undefined || othersOf(route.split).length === 0) continue
    const own = route.split.map(({ cluster, subset, weight, guard }) => {
      if (guard === undefined || weight === 0) return undefined
      const destination = { cluster, subset }
      const key = keyOf(policy, route, destination)
      const there = canaries.get(key) ?? { canary: new Canary(key, { route: route.name, destination, guard }, ports), shares: 0 }
      there.shares += 1
      canaries.set(key, there)
      held.push(key)
      return there.canary
    })
    if (own.some((canary) => canary !== undefined)) byRoute.set(route.name, own)
  }
  return {
    byRoute,
    close() {
      for (const key of held.splice(0)) {
        const there = canaries.get(key)
        if (there === undefined) continue
        there.shares -= 1
        if (there.shares > 0) continue
        canaries.delete(key)
        const { route, destination } = there.canary.status
        const again = [...canaries.values()].some(({ canary }) => canary.is(route, nameOf(destination)))
        if (!again) there.canary.hide()
      }
    },
  }
}

/** Everything that makes a split another one. Replicas with the same policies come to the same key. */
function keyOf(policy: Policy, route: Route, destination: object): string {
  const split = route.split.map(({ cluster, subset, weight, guard }) => [cluster, subset ?? null, weight, guard ?? null])
  return `steer.guard:${JSON.stringify([policy.environment, route.name, destination, split])}`
}
