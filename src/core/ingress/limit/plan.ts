import { costOf } from '../../model/cost.ts'
import type { Route, RouteLimit } from '../../model/route.ts'
import type { Limit } from '../../policy/linked/limits.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Descriptor } from '../../ports.ts'
import { type Countable, compileKey, type LimitKey } from './key.ts'
import { compileSize, type Size } from './size.ts'

/** One limit of one route, compiled. */
export interface PlannedLimit {
  readonly name: string
  readonly onStoreFailure: Limit['onStoreFailure']
  /** The numbers for this request: a claim may say them. */
  readonly size: (x: Countable) => Size
  readonly use: RouteLimit
  readonly mode: 'enforce' | 'audit'
  readonly when: 'early' | 'failures' | 'late'
  readonly missing: 'shared' | 'skip'
  readonly key: LimitKey
  /** As the route has it. */
  readonly legacyHeaders: Route['legacyHeaders']
}

/** The limits of a route, by when they are asked. */
export interface RoutePlan {
  /** Before authentication. */
  readonly early: Stage
  /** Asked before authentication without taking; taken from by answers 401 and 403. */
  readonly failures: Stage
  /** When it is known who asks, and that they may. */
  readonly late: Stage
  /** Those that an answer can be charged to. */
  readonly charged: readonly PlannedLimit[]
}

/** Limits that are asked together, those that refuse apart from those that only watch. */
export interface Stage {
  readonly enforced: readonly PlannedLimit[]
  readonly audited: readonly PlannedLimit[]
}

/** A limit that applies to a request, in the size that it has for it, and what its store is asked. */
export interface Asked {
  readonly limit: PlannedLimit
  readonly size: Size
  readonly descriptor: Descriptor
}

/**
 * The plans of all routes that have limits, by route name. A quarantined route has none: it answers nobody, and the limit it
 * names may be what is broken.
 * @throws Error for a limit that the policy does not hold; the loader refuses such a policy.
 */
export function planLimits(policy: Policy): ReadonlyMap<string, RoutePlan> {
  const limited = policy.routes.filter((route) => route.limits.length > 0 && route.quarantined === undefined)
  return new Map(limited.map((route) => [route.name, planRoute(policy.limits, route)]))
}

function planRoute(limits: Policy['limits'], route: Route): RoutePlan {
  const planned = route.limits.map((use) => planLimit(limits, use, route.legacyHeaders))
  const stage = (when: PlannedLimit['when']) => stageOf(planned.filter((limit) => limit.when === when))
  return { early: stage('early'), failures: stage('failures'), late: stage('late'), charged: planned.filter(({ use }) => use.response !== undefined) }
}

function stageOf(limits: readonly PlannedLimit[]): Stage {
  return { enforced: limits.filter((limit) => limit.mode === 'enforce'), audited: limits.filter((limit) => limit.mode === 'audit') }
}

function planLimit(limits: Policy['limits'], use: RouteLimit, legacyHeaders: Route['legacyHeaders']): PlannedLimit {
  const limit: Limit | undefined = Object.hasOwn(limits, use.name) ? limits[use.name] : undefined
  if (limit === undefined) throw new Error(`no limit is named "${use.name}"`)
  const { name, onStoreFailure, mode, missing } = limit
  return {
    name,
    onStoreFailure,
    size: compileSize(limit),
    use,
    mode,
    when: limit.counts ?? (limit.early === true ? 'early' : 'late'),
    missing,
    key: compileKey(limit.key, missing),
    legacyHeaders,
  }
}

/** What to ask for this request; limits that skip it are left out. */
export function ask(limits: readonly PlannedLimit[], x: Countable): readonly Asked[] {
  const asked: Asked[] = []
  for (const limit of limits) {
    const key = limit.key.of(x)
    if (key === undefined) continue
    const size = limit.size(x)
    asked.push({ limit, size, descriptor: { limit: size.spec, key, cost: costFor(limit, x) } })
  }
  return asked
}

/** What this request costs of a limit. */
export function costFor({ use }: PlannedLimit, x: Countable): number {
  return costOf(use, x.request.method, x.rpc?.rpc.method)
}

/** Runs `proceed` at once when the value is there, later when it is promised: a memory store keeps the walk synchronous. */
export function whenSettled<In, Out>(value: In | Promise<In>, proceed: (value: In) => Out | Promise<Out>): Out | Promise<Out> {
  return value instanceof Promise ? value.then(proceed) : proceed(value)
}

/** The same for several values: at once when none is promised. */
export function whenAllSettled<In, Out>(values: readonly (In | Promise<In>)[], proceed: (values: readonly In[]) => Out): Out | Promise<Out> {
  const known: In[] = []
  for (const value of values) {
    if (value instanceof Promise) return Promise.all(values).then(proceed)
    known.push(value)
  }
  return proceed(known)
}
