import type { CalendarPeriod, LimitAlgorithm } from '../../core/model/limit.ts'
import type { Descriptor, Taken, TakenReading } from '../../core/ports.ts'

/**
 * What worker processes ask of what all of them share, one line for all questions of a turn of the event loop: `[number, questions]`. The
 * answer is `[number, answers, leases]`: an answer per question, and the numbers of what was given to be held. Lists instead of names keep lines short.
 */
export type Question =
  | readonly ['take' | 'charge' | 'peek', readonly WrittenDescriptor[]]
  /** Forgets what is counted for a key. */
  | readonly ['forget', WrittenDescriptor]
  /** Gives back what a lease holds. Its answer says nothing. */
  | readonly ['free', number]
  | readonly ['claim', key: string, ttlMs: number]
  | readonly ['get' | 'delete', key: string]
  | readonly ['set', key: string, value: string, ttlMs: number | null]
  /** Whether a client network may open one more connection to a listener. */
  | readonly ['arrive', listener: string, points: number, windowMs: number, network: string]

/** A descriptor without `onStoreFailure`, which is for whoever asks. */
export type WrittenDescriptor = readonly [
  key: string,
  cost: number,
  limit: string,
  algorithm: LimitAlgorithm['kind'] | readonly [CalendarPeriod, zone: string],
  points: number,
  windowMs: number,
  burst: number,
]

/** Number of the descriptor that refused, from 1 on; then `remaining` and `resetMs` of each; the lease, 0 for none. */
export type WrittenTaken = readonly [refuser: number, lease: number, ...readings: readonly number[]]

/** Of one question: what it asked for, or why there is none. */
export type Answer = { readonly is: unknown } | { readonly failed: string }

export function writeDescriptor({ limit, key, cost }: Descriptor): WrittenDescriptor {
  const { algorithm } = limit
  return [key, cost, limit.name, algorithm.kind === 'calendar' ? [algorithm.per, algorithm.zone] : algorithm.kind, limit.points, limit.windowMs, limit.burst]
}

export function readDescriptor([key, cost, name, written, points, windowMs, burst]: WrittenDescriptor): Descriptor {
  const algorithm: LimitAlgorithm =
    typeof written !== 'string' ? { kind: 'calendar', per: written[0], zone: written[1] } : { kind: written as Exclude<typeof written, 'calendar'> } // a calendar is written with its period
  return { key, cost, limit: { name, algorithm, points, windowMs, burst, onStoreFailure: 'local' } }
}

export function writeTaken({ refusedBy, readings }: Pick<Taken, 'refusedBy' | 'readings'>, lease: number): WrittenTaken {
  const refuser = refusedBy === undefined ? 0 : readings.findIndex(({ limit }) => limit === refusedBy) + 1
  return [refuser, lease, ...readings.flatMap(({ remaining, resetMs }) => [remaining, resetMs])]
}

/** A taken without what gives it back. `descriptors`: those that were asked about. */
export function readTaken([refuser, , ...numbers]: WrittenTaken, descriptors: readonly Descriptor[]): Omit<Taken, 'release'> {
  const readings = descriptors.map(
    ({ limit }, i): TakenReading => ({ limit: limit.name, remaining: numbers[2 * i] ?? 0, resetMs: numbers[2 * i + 1] ?? 0, degraded: false }),
  )
  return { allowed: refuser === 0, refusedBy: readings[refuser - 1]?.limit, readings }
}
