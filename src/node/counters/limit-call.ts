import type { Descriptor, LimitSpec } from '../../core/ports.ts'
import type { Periods } from './periods.ts'
import { limitPrefix, redisPrefix } from './store-key.ts'

/** How long places are held for an instance that gives no sign any more. Milliseconds. */
export const leaseMs = 30_000

/** `charge` takes whether it fits or not; `give` puts back what a take had; `renew` holds places on. */
export type StoreMode = 'take' | 'charge' | 'peek' | 'give' | 'renew'

/** One thing that is asked of the store. */
export interface Asked {
  readonly mode: StoreMode
  readonly descriptors: readonly Descriptor[]
  /** Whose the places are; empty when none are held. */
  readonly lease: string
  /** Milliseconds since the epoch, by the own clock: for the periods around. */
  readonly wallMs: number
  /** Points beyond the cost, per descriptor, as far as the store spares them. */
  readonly wanted: readonly number[]
}

/** What the store said of descriptors that it answered together. */
export interface StoreAnswer {
  readonly descriptors: readonly Descriptor[]
  /** Of the first limit that is over; undefined when all fit, and a take has taken. */
  readonly refusedBy: string | undefined
  /** In the order of the descriptors; none after `give` and `renew`. */
  readonly standings: readonly StoreStanding[]
}

export interface StoreStanding {
  readonly fits: boolean
  readonly remaining: number
  readonly resetMs: number
  /** Points beyond the cost that left the store, to be spent within `stockMs` of the asking. */
  readonly more: number
}

/** Writes what is asked as `limit-script.ts` reads it: its KEYS, and its ARGV[1]. */
export type CallWriter = (asked: readonly Asked[]) => { readonly keys: readonly string[]; readonly text: string }

/** What is the same for a limit in every call. */
interface Known {
  /** Of its keys. */
  readonly prefix: string
  /** The limit as the script reads it; but for a calendar, whose periods move on. */
  readonly text: string
}

export function createCallWriter(periods: Periods, space?: string): CallWriter {
  const known = new WeakMap<LimitSpec, Known>()
  const knownOf = (limit: LimitSpec): Known => {
    const found = known.get(limit)
    if (found !== undefined) return found
    const fresh = { prefix: prefixOf(limit, space), text: textOf(limit) }
    known.set(limit, fresh)
    return fresh
  }
  const limitText = (limit: LimitSpec, wallMs: number): string => {
    const { text } = knownOf(limit)
    const { algorithm } = limit
    return algorithm.kind === 'calendar' ? `[${text},${periods.around(algorithm.per, algorithm.zone, wallMs).replaceAll(' ', ',')}]` : `[${text}]`
  }
  return (asked) => {
    const keys: string[] = []
    const limits = new Map<LimitSpec, number>()
    const limitTexts: string[] = []
    const kinds: string[] = []
    const which: number[] = []
    let last: Asked | undefined
    for (const one of asked) {
      for (const { limit, key } of one.descriptors) {
        keys.push(`${knownOf(limit).prefix}${key}}`)
        if (limits.has(limit)) continue
        limitTexts.push(limitText(limit, one.wallMs))
        limits.set(limit, limitTexts.length)
      }
      if (last === undefined || !sameKind(last, one)) kinds.push(kindText(one, limits))
      which.push(kinds.length)
      last = one
    }
    return { keys, text: `[[${limitTexts.join(',')}],[${kinds.join(',')}],[${which.join(',')}]]` }
  }
}

/**
 * Reads the one list of numbers that answers all that was asked.
 * @throws Error for an answer that the script does not give
 */
export function readAnswers(reply: unknown, asked: readonly Asked[]): readonly StoreAnswer[] {
  const numbers: readonly unknown[] = Array.isArray(reply) ? reply : []
  let at = 0
  const next = (): number => {
    const number = numbers[at++]
    if (typeof number !== 'number') throw new Error('the store answered what no limit says')
    return number
  }
  const answers = asked.map((one) => answerOf(one, next))
  if (!Array.isArray(reply) || at !== numbers.length) throw new Error('the store answered what no limit says')
  return answers
}

function answerOf({ mode, descriptors, wanted }: Asked, next: () => number): StoreAnswer {
  if (mode === 'give' || mode === 'renew') return { descriptors, refusedBy: undefined, standings: [] }
  let refusedBy: string | undefined
  const standings = descriptors.map(({ limit }, i) => {
    const left = next()
    const fits = left >= 0
    if (!fits) refusedBy ??= limit.name
    return { fits, remaining: fits ? left : -1 - left, resetMs: next(), more: (wanted[i] ?? 0) > 0 ? next() : 0 }
  })
  return { descriptors, refusedBy, standings }
}

/**
 * Where a descriptor is counted. What is in braces decides the slot of a Cluster, so limits with the same key stand together; an algorithm
 * has keys of its own, for what it keeps is no other's.
 */
export function redisKey({ limit, key }: Descriptor, space?: string): string {
  return `${prefixOf(limit, space)}${key}}`
}

function prefixOf(limit: LimitSpec, space: string | undefined): string {
  const letter = { gcra: 'g', sliding: 's', calendar: 'c', concurrency: 'p' }[limit.algorithm.kind]
  return `${redisPrefix(space)}:${letter}:${limitPrefix(limit)}:{`
}

function textOf({ algorithm: { kind }, points, windowMs, burst }: LimitSpec): string {
  return `"${kind}",${points},${(kind === 'concurrency' ? leaseMs : windowMs) * 1000},${burst}`
}

function kindText({ mode, descriptors, lease, wanted }: Asked, limits: ReadonlyMap<LimitSpec, number>): string {
  const parts = descriptors.map(({ limit, cost }, i) => `,${limits.get(limit) ?? 0},${cost},${wanted[i] ?? 0}`)
  return `["${mode}",${JSON.stringify(lease)}${parts.join('')}]`
}

function sameKind(a: Asked, b: Asked): boolean {
  if (a.mode !== b.mode || a.lease !== b.lease || a.descriptors.length !== b.descriptors.length) return false
  for (const [i, { limit, cost }] of a.descriptors.entries()) {
    const other = b.descriptors[i]
    if (other?.limit !== limit || other.cost !== cost || (a.wanted[i] ?? 0) !== (b.wanted[i] ?? 0)) return false
  }
  return true
}
