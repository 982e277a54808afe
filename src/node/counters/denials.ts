import { capacityOf } from '../../core/model/limit.ts'
import type { Clock, Descriptor, Taken, TakenReading } from '../../core/ports.ts'
import { Recent } from './recent.ts'

interface Denial {
  readonly cost: number
  readonly capacity: number
  readonly remaining: number
  /** Monotonic milliseconds, as the others: when the key was first refused in this window. */
  readonly since: number
  readonly believedUntil: number
  readonly endsAt: number
}

/** Longer than a request in a Cluster holds points that it gives back because a limit in another slot refused it. */
const firstBeliefMs = 100

/** A month's quota that an operator gave back must not stay refused for days. */
const longestBeliefMs = 10_000

/** Keys that operators gave back lately. */
const forgottenCap = 1000

/**
 * Remembers keys that the store refused, so that a flood on them costs no call. A refusal is believed for 100 ms, and
 * when the store repeats it, for as long again as it has been true, at most for 10 s and to the end of its window: a flood through a
 * window of a minute asks about ten times, and a key that was full for a moment only, or that an operator cleared, is
 * not refused for a whole window.
 */
export class Denials {
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #denials: Recent<Denial>
  /** When keys were given back: what the store was asked before that counts no more. */
  readonly #forgotten = new Recent<number>(forgottenCap)

  constructor(clock: Pick<Clock, 'ticks'>, cap: number) {
    this.#clock = clock
    this.#denials = new Recent(cap)
  }

  /**
   * What refuses these, as far as is remembered. It tells of every one of them whose window is known not to be over, or whoever waits as told would
   * come too early for the others.
   */
  refusal(descriptors: readonly Descriptor[]): Taken | undefined {
    const now = this.#clock.ticks()
    const refuser = descriptors.find((descriptor) => now < (this.#find(descriptor)?.believedUntil ?? 0))
    if (refuser === undefined) return undefined
    const readings = descriptors.flatMap((descriptor): readonly TakenReading[] => {
      const denial = this.#find(descriptor)
      if (denial === undefined || now >= denial.endsAt) return []
      return [{ limit: descriptor.limit.name, remaining: denial.remaining, resetMs: denial.endsAt - now, degraded: false }]
    })
    return { allowed: false, refusedBy: refuser.limit.name, readings }
  }

  /** A smaller cost, or a larger limit, than was refused is the store's to judge. */
  #find({ key, limit, cost }: Descriptor): Denial | undefined {
    const denial = this.#denials.get(key, limit.name)
    return denial === undefined || cost < denial.cost || capacityOf(limit) > denial.capacity ? undefined : denial
  }

  /** Notes that the store, asked at `askedAt`, refused. It is believed no longer than what it said can hold, and told until it surely is over: the store reckoned somewhere between the asking and now. */
  note(descriptor: Descriptor, reading: TakenReading, askedAt: number): void {
    const { key, limit } = descriptor
    if (askedAt <= (this.#forgotten.get(key, limit.name) ?? Number.NEGATIVE_INFINITY)) return
    const now = this.#clock.ticks()
    const known = this.#denials.get(key, limit.name)
    const since = known !== undefined && known.endsAt > now ? known.since : now
    const endsAt = now + reading.resetMs
    const believedUntil = Math.min(askedAt + reading.resetMs, now + Math.min(longestBeliefMs, Math.max(firstBeliefMs, now - since)))
    const denial = { cost: descriptor.cost, capacity: capacityOf(limit), remaining: reading.remaining, since, believedUntil, endsAt }
    this.#denials.set(key, denial, limit.name)
  }

  /** Somebody gave the key back all that it had used: neither what was noted counts, nor what the store was asked until now. */
  forget({ key, limit }: Descriptor): void {
    this.#denials.delete(key, limit.name)
    this.#forgotten.set(key, this.#clock.ticks(), limit.name)
  }
}
