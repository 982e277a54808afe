import { keyForm, readWrittenKey } from '../../core/ingress/limit.ts'
import { capacityOf } from '../../core/model/limit.ts'
import { isoTime } from '../../core/observe/time.ts'
import type { Limit } from '../../core/policy/linked/limits.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Descriptor } from '../../core/ports.ts'
import type { LimitBook } from './kept.ts'

/** Somebody wrote a limit or a key that the policies do not have; the message says what there is. */
export class KeyProblem extends Error {
  override readonly name = 'KeyProblem'
}

/** A limit and one of its keys. */
export interface Counted {
  readonly limit: Limit
  /** As `explain` prints it. */
  readonly readable: string
  readonly descriptor: Descriptor
}

/** The limits that have such a key, or the named one. `words` are a part each, or all in one. @throws KeyProblem */
export function countedIn(
  { limits, issuers, routes }: Pick<Policy, 'limits' | 'issuers' | 'routes'>,
  words: readonly string[],
  name?: string,
): readonly Counted[] {
  if (words.length === 0) throw new KeyProblem('say which key, as "explain" prints it: issuer=main subject=u1')
  const some = limitsOf(Object.values(limits), name)
  const counted = some.flatMap((limit): readonly Counted[] => {
    const read = readWrittenKey(limit, words)
    if (read.kind === 'other') return []
    if (read.kind === 'bad') throw new KeyProblem(read.problem)
    if (read.key === undefined) throw new KeyProblem(`${limit.name} does not count requests that lack a part of its key (missing: skip)`)
    checkName(read.parts, 'issuer', Object.keys(issuers))
    checkName(
      read.parts,
      'route',
      routes.map((route) => route.name),
    )
    return [{ limit, readable: read.readable, descriptor: { limit, key: read.key, cost: 1 } }]
  })
  if (counted.length === 0) throw new KeyProblem(`no limit has such a key; there are: ${some.map((limit) => `${limit.name} (${keyForm(limit)})`).join(', ')}`)
  return counted
}

function limitsOf(all: readonly Limit[], name: string | undefined): readonly Limit[] {
  if (all.length === 0) throw new KeyProblem('the policies have no limits')
  const some = name === undefined ? all : all.filter((limit) => limit.name === name)
  if (some.length === 0) throw new KeyProblem(`there is no limit "${name}": the limits are ${all.map((limit) => limit.name).join(', ')}`)
  return some
}

/** A name that the policies do not have is a slip of the pen: nothing is counted under it. */
function checkName(parts: ReadonlyMap<string, string>, label: 'issuer' | 'route', names: readonly string[]): void {
  const name = parts.get(label) ?? ''
  if (name !== '' && !names.includes(name)) throw new KeyProblem(`there is no ${label} "${name}": ${names.join(', ') || 'none'}`)
}

/** How a key of a limit stands, for machines. */
export interface LimitStanding {
  readonly limit: string
  readonly key: string
  readonly mode: Limit['mode']
  readonly quota: number
  readonly remaining: number
  readonly state: 'within' | 'over'
  /** Milliseconds, as `TakenReading.resetMs`. */
  readonly resetMs: number
}

/** Rejects as the book does. */
export async function standingOf({ limit, readable, descriptor }: Counted, book: Pick<LimitBook, 'look'>): Promise<LimitStanding> {
  const { fits, remaining, resetMs } = await book.look(descriptor)
  return { limit: limit.name, key: readable, mode: limit.mode, quota: capacityOf(limit), remaining, state: fits ? 'within' : 'over', resetMs }
}

/** Who gives a key back what it used, and why. */
export interface Resetter {
  readonly by: string
  readonly reason?: string | undefined
  /** The address they asked from. */
  readonly peer?: string | undefined
}

/**
 * The record of a reset, as it is logged. `found`: something was counted. `remaining` is absent when the store did not say it afterwards. `failed` says
 * why nobody knows whether it was done; then `found` is absent too.
 */
export interface LimitReset extends Resetter {
  /** RFC 3339. */
  readonly time: string
  readonly event: 'limit_reset'
  readonly limit: string
  readonly key: string
  readonly found?: boolean | undefined
  readonly quota: number
  readonly remaining_before: number
  readonly remaining?: number | undefined
  readonly failed?: string | undefined
}

/** Gives one key of one limit back all that it used. `now`: wall time, milliseconds. Rejects as the book does, but not once it was told to forget: whatever became of that belongs in the record. */
export async function resetOf(counted: Counted, book: LimitBook, who: Resetter, now: number): Promise<LimitReset> {
  const before = await standingOf(counted, book)
  const { limit, key, quota } = before
  const facts = { time: isoTime(now), event: 'limit_reset', ...who, limit, key, quota, remaining_before: before.remaining } as const
  let found: boolean
  try {
    found = await book.forget(counted.descriptor)
  } catch (error) {
    return { ...facts, failed: error instanceof Error ? error.message : String(error) }
  }
  const after = await standingOf(counted, book).catch(() => undefined)
  return { ...facts, found, remaining: after?.remaining }
}
