import type { Clock, Descriptor, LimitSpec, Taken, TakenReading } from '../../core/ports.ts'
import type { StoreStanding } from './limit-call.ts'
import { Recent } from './recent.ts'
import { stockMs } from './stock.ts'

/** Asked this often in `stockMs`, a key is hot: below that a round trip each costs less than what may be left over. */
const hotTimes = 32

/** Points that one instance ever takes in advance. */
const mostPoints = 10_000

/** After the store had nothing to spare, it is not asked for more for so long. Milliseconds. */
const shyMs = 100

interface Heat {
  readonly limit: LimitSpec
  /** When the count of now began; monotonic milliseconds, as the others. */
  begun: number
  times: number
  /** Of the `stockMs` before. */
  timesBefore: number
  /** Points in hand, until when, and what the store said of the rest. */
  left: number
  until: number
  remaining: number
  resetMs: number
  shyUntil: number
  /** When somebody gave the key back all that it had used: points that were asked for before are not its own any more. */
  forgottenAt: number
  /** Somebody is asking the store for more: whether it answered. */
  asking: Promise<boolean> | undefined
}

/**
 * Points that this instance took from the store in advance, for keys that are asked very often. They left the store first, where they count as spent
 * at the last moment at which they may be: so no stretch of time holds more than the limit says, whenever they are spent. What is not spent by then
 * is lost to the key, and never given back: between then and now others have counted on top of it. How many are taken follows how often the key was asked
 * in the last 250 ms, and the store gives none below half of what the limit holds (`limit-script.ts`).
 *
 * For `gcra` and `sliding`. A period of the calendar ends at a moment that does not wait for points, and places are held, not spent.
 */
export class HotKeys {
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #heats: Recent<Heat>

  constructor(clock: Pick<Clock, 'ticks'>, cap: number) {
    this.#clock = clock
    this.#heats = new Recent(cap)
  }

  /** Notes that these are asked, and takes them from what is in hand: all, or undefined and none. */
  ask(descriptors: readonly Descriptor[]): Taken | undefined {
    if (!descriptors.every(isStocked)) return undefined
    const now = this.#clock.ticks()
    const heats = descriptors.map((descriptor) => warmed(this.#heatOf(descriptor), now))
    return this.#spend(descriptors, heats, now)
  }

  /** The same once more, not noted again. */
  askAgain(descriptors: readonly Descriptor[]): Taken | undefined {
    return this.#spend(
      descriptors,
      descriptors.map((descriptor) => this.#heatOf(descriptor)),
      this.#clock.ticks(),
    )
  }

  /** Pays with what is in hand as far as it goes, and how much is left to pay. What is left is the store's to count, and then nothing is in hand. */
  pay(descriptor: Descriptor): { readonly due: number; readonly reading: TakenReading } {
    const heat = this.#heats.get(descriptor.key, descriptor.limit.name)
    const { limit, cost } = descriptor
    const isInHand = heat !== undefined && isStocked(descriptor) && sameShape(heat.limit, limit) && this.#clock.ticks() < heat.until
    const paid = isInHand ? Math.min(heat.left, cost) : 0
    if (isInHand) heat.left -= paid
    return { due: cost - paid, reading: { limit: limit.name, remaining: heat?.remaining ?? 0, resetMs: heat?.resetMs ?? 0, degraded: false } }
  }

  /** Somebody asks for more points of one of these: whether the store answered. */
  asking(descriptors: readonly Descriptor[]): Promise<boolean> | undefined {
    if (!descriptors.every(isStocked)) return undefined
    for (const descriptor of descriptors) {
      const { asking } = this.#heatOf(descriptor)
      if (asking !== undefined) return asking
    }
    return undefined
  }

  /** How many points more to ask for, per descriptor; empty unless all of them are hot, for a request is spared its round trip by all or by none. */
  wanted(descriptors: readonly Descriptor[]): readonly number[] {
    if (!descriptors.every(isStocked)) return []
    const now = this.#clock.ticks()
    const heats = descriptors.map((descriptor) => this.#heatOf(descriptor))
    // One asks at a time: what a second brought would take the place of what the first did.
    if (!heats.every((heat) => timesOf(heat) >= hotTimes && now >= heat.shyUntil && heat.asking === undefined)) return []
    return heats.map((heat, i) => {
      const cost = descriptors[i]?.cost ?? 1
      return heat.left >= cost && now < heat.until ? 0 : Math.min(mostPoints, timesOf(heat) * cost)
    })
  }

  /** Others who need these wait for the same answer. It must not reject. */
  wait(descriptors: readonly Descriptor[], answered: Promise<boolean>): void {
    for (const descriptor of descriptors) void markAsking(this.#heatOf(descriptor), answered)
  }

  /** Keeps what the store, asked at `askedAt`, gave. */
  stock(descriptors: readonly Descriptor[], wanted: readonly number[], standings: readonly StoreStanding[], askedAt: number): void {
    for (const [i, descriptor] of descriptors.entries()) {
      const standing = standings[i]
      if (standing === undefined || (wanted[i] ?? 0) === 0) continue
      const heat = this.#heatOf(descriptor)
      if (askedAt <= heat.forgottenAt) continue
      if (standing.more === 0) heat.shyUntil = this.#clock.ticks() + shyMs
      else Object.assign(heat, { left: standing.more, until: askedAt + stockMs, remaining: standing.remaining, resetMs: standing.resetMs })
    }
  }

  /** Somebody gave the key back all that it had used: points in hand came off what was counted then. */
  forget(descriptor: Descriptor): void {
    const heat = this.#heats.get(descriptor.key, descriptor.limit.name)
    if (heat !== undefined) Object.assign(heat, { left: 0, until: 0, forgottenAt: this.#clock.ticks() })
  }

  #heatOf(descriptor: Descriptor): Heat {
    const { key, limit } = descriptor
    const known = this.#heats.get(key, limit.name)
    if (known !== undefined && sameShape(known.limit, limit)) return known
    const nothing = { begun: 0, times: 0, timesBefore: 0, left: 0, until: 0, remaining: 0, resetMs: 0, shyUntil: 0, asking: undefined }
    const fresh: Heat = { limit, ...nothing, forgottenAt: Number.NEGATIVE_INFINITY }
    this.#heats.set(key, fresh, limit.name)
    return fresh
  }

  #spend(descriptors: readonly Descriptor[], heats: readonly Heat[], now: number): Taken | undefined {
    for (const [i, heat] of heats.entries()) if (now >= heat.until || heat.left < (descriptors[i]?.cost ?? 0)) return undefined
    const readings = heats.map((heat, i) => {
      heat.left -= descriptors[i]?.cost ?? 0
      return { limit: heat.limit.name, remaining: heat.remaining, resetMs: heat.resetMs, degraded: false }
    })
    return { allowed: true, refusedBy: undefined, readings }
  }
}

function isStocked({ limit: { algorithm } }: Descriptor): boolean {
  return algorithm.kind === 'gcra' || algorithm.kind === 'sliding'
}

function warmed(heat: Heat, now: number): Heat {
  if (now - heat.begun >= stockMs) {
    heat.timesBefore = now - heat.begun < 2 * stockMs ? heat.times : 0
    heat.times = 0
    heat.begun = now
  }
  heat.times++
  return heat
}

/** Ends before anybody who waits goes on. */
async function markAsking(heat: Heat, answered: Promise<boolean>): Promise<void> {
  heat.asking = answered
  await answered
  if (heat.asking === answered) heat.asking = undefined
}

function timesOf({ times, timesBefore }: Heat): number {
  return Math.max(times, timesBefore)
}

/** Points of one rate are not those of another. */
function sameShape(a: LimitSpec, b: LimitSpec): boolean {
  return a === b || (a.algorithm.kind === b.algorithm.kind && a.points === b.points && a.windowMs === b.windowMs && a.burst === b.burst)
}
