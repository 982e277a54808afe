import { claimAt } from '../../model/claims.ts'
import { capacityOf, refillMs } from '../../model/limit.ts'
import type { ClaimedPoints, Limit } from '../../policy/linked/limits.ts'
import type { LimitSpec } from '../../ports.ts'
import type { Countable } from './key.ts'

/** The numbers of a limit for one request. */
export interface Size {
  readonly spec: LimitSpec
  /** What it holds when it is untouched. */
  readonly quota: number
  /** Milliseconds in which all of it comes back; 0 for places held at a time. */
  readonly windowMs: number
  /** For people, where a claim says the numbers: `plan=pro`, `rpm=900, at most 600`, `the default`. */
  readonly because?: string
}

/** Compiles how many points a request has. Claims are those of a verified principal; what they do not say takes the default. */
export function compileSize(limit: Limit): (x: Countable) => Size {
  const { claimed } = limit
  if (claimed === undefined) {
    const fixed = sizeOf(limit, limit.points)
    return () => fixed
  }
  const standard = sizeOf(limit, limit.points, 'the default')
  const sized = claimed.kind === 'map' ? compileMap(limit, claimed) : compileNumber(limit, claimed)
  return ({ principal }) => (principal?.kind === 'subject' ? (sized(claimAt(principal.claims, claimed.claim)) ?? standard) : standard)
}

/** Undefined: the value says nothing. */
type SizeByValue = (value: unknown) => Size | undefined

function compileMap(limit: Limit, { claim, values }: Extract<ClaimedPoints, { kind: 'map' }>): SizeByValue {
  const sizes = new Map(values.map(({ value, points }) => [value, sizeOf(limit, points, `${claim}=${value}`)]))
  return (value) => (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? sizes.get(String(value)) : undefined)
}

function compileNumber(limit: Limit, { claim, ceiling }: Extract<ClaimedPoints, { kind: 'number' }>): SizeByValue {
  return (value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) return undefined
    return value > ceiling ? sizeOf(limit, ceiling, `${claim}=${value}, at most ${ceiling}`) : sizeOf(limit, value, `${claim}=${value}`)
  }
}

function sizeOf({ name, algorithm, windowMs, burst, onStoreFailure }: Limit, points: number, because?: string): Size {
  const spec: LimitSpec = { name, algorithm, points, windowMs, burst, onStoreFailure }
  return { spec, quota: capacityOf(spec), windowMs: refillMs(spec), ...(because === undefined ? {} : { because }) }
}
