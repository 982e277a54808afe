import type { Clock, Descriptor, Taken, TakenReading } from '../../core/ports.ts'
import { Recent } from './recent.ts'
import { checkCosts, storeKey } from './store-key.ts'

interface Window {
  used: number
  /** Monotonic milliseconds. */
  readonly endsAt: number
}

/** A descriptor with the window it falls into, if one is open. */
interface Place {
  readonly descriptor: Descriptor
  readonly key: string
  readonly open: Window | undefined
  readonly capacity: number
}

/**
 * Fixed windows in this process: a window opens with the first request of a key and holds `capacity` points. Exact:
 * check and commit happen in one go, with nothing awaited between. Windows follow the monotonic clock (a step of the wall
 * clock moves none), need no timers, have no longest length, and are bounded in number; the ones that go first are those
 * not used for longest. A cleared window counts from zero again: that takes `cap / 2` other keys in between.
 */
export class Windows {
  readonly #clock: Pick<Clock, 'ticks'>
  readonly #windows: Recent<Window>

  constructor(clock: Pick<Clock, 'ticks'>, cap: number) {
    this.#clock = clock
    this.#windows = new Recent(cap)
  }

  /** Takes from all or from none. `capacity` is what one window holds here. @throws RangeError for a bad cost. */
  take(descriptors: readonly Descriptor[], capacity: (descriptor: Descriptor) => number): Taken {
    checkCosts(descriptors)
    const now = this.#clock.ticks()
    const places = descriptors.map((descriptor) => this.#find(descriptor, capacity, now))
    const refusedBy = refuser(places)
    if (refusedBy !== undefined) return { allowed: false, refusedBy, readings: places.map((place) => reading(place, place.open, now)) }
    return { allowed: true, refusedBy, readings: places.map((place) => reading(place, this.#commit(place, now), now)) }
  }

  /** The same without taking. */
  peek(descriptors: readonly Descriptor[], capacity: (descriptor: Descriptor) => number): Taken {
    const now = this.#clock.ticks()
    const places = descriptors.map((descriptor) => this.#find(descriptor, capacity, now))
    const refusedBy = refuser(places)
    return { allowed: refusedBy === undefined, refusedBy, readings: places.map((place) => reading(place, place.open, now)) }
  }

  /** Keys in memory, of open windows and of ended ones not yet forgotten. */
  get size(): number {
    return this.#windows.size
  }

  #find(descriptor: Descriptor, capacity: (descriptor: Descriptor) => number, now: number): Place {
    const key = storeKey(descriptor)
    const known = this.#windows.get(key)
    return { descriptor, key, open: known !== undefined && known.endsAt > now ? known : undefined, capacity: capacity(descriptor) }
  }

  #commit(place: Place, now: number): Window {
    const { cost, limit } = place.descriptor
    if (place.open !== undefined) {
      place.open.used += cost
      return place.open
    }
    const window: Window = { used: cost, endsAt: now + limit.windowMs }
    this.#windows.set(place.key, window)
    return window
  }
}

function refuser(places: readonly Place[]): string | undefined {
  for (const { descriptor, open, capacity } of places) if ((open?.used ?? 0) + descriptor.cost > capacity) return descriptor.limit.name
  return undefined
}

function reading(place: Place, window: Window | undefined, now: number): TakenReading {
  const { limit } = place.descriptor
  const remaining = Math.max(0, place.capacity - (window?.used ?? 0))
  return { limit: limit.name, remaining, resetMs: window === undefined ? 0 : window.endsAt - now, degraded: false }
}
