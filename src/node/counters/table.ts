import type { Clock, Descriptor, Taken, TakenReading } from '../../core/ports.ts'
import { addCalendar, type CalendarState, readCalendar } from './algorithms/calendar.ts'
import { addGcra, type GcraState, readGcra } from './algorithms/gcra.ts'
import { readPlaces } from './algorithms/places.ts'
import { addSliding, readSliding, type SlidingState } from './algorithms/sliding.ts'
import type { Standing } from './algorithms/standing.ts'
import { createPeriods } from './periods.ts'
import { Recent } from './recent.ts'
import { checkCosts, storeKey } from './store-key.ts'

type State = GcraState | SlidingState | CalendarState

/** Places of one key that are held. */
interface Places {
  used: number
}

/** One moment on both clocks: windows follow the monotonic one, which no step of the wall clock moves; calendars the other. */
interface Moment {
  readonly us: number
  readonly wallMs: number
}

/** A descriptor, what is counted for it, and how it stands. */
interface Place {
  readonly descriptor: Descriptor
  readonly key: string
  readonly state: State | undefined
  readonly standing: Standing
}

/**
 * Counters in this process. Exact: check and commit happen in one go over all descriptors, with nothing awaited between. No timers; the number
 * of keys is bounded, and those that go first are the ones not used for longest: a key that went counts from zero again, which takes `cap / 2`
 * other keys in between. Places that are held never go: there are no more of them than requests under way.
 */
export class Table {
  readonly #clock: Pick<Clock, 'ticks' | 'now'>
  readonly #states: Recent<State>
  readonly #places = new Map<string, Places>()
  readonly #periods = createPeriods()

  constructor(clock: Pick<Clock, 'ticks' | 'now'>, cap: number) {
    this.#clock = clock
    this.#states = new Recent(cap)
  }

  /** Takes from all or from none. @throws RangeError for a bad cost. */
  take(descriptors: readonly Descriptor[]): Taken {
    checkCosts(descriptors)
    const now = this.#moment()
    const places = descriptors.map((descriptor) => this.#find(descriptor, now))
    const refusedBy = refuser(places)
    if (refusedBy !== undefined) return { allowed: false, refusedBy, readings: places.map(readingOf) }
    const readings = places.map((place) => this.#commit(place, now))
    return { allowed: true, refusedBy, readings, ...this.#releaseOf(places) }
  }

  /** Counts without asking whether it fits. @throws RangeError for a bad cost. */
  charge(descriptors: readonly Descriptor[]): readonly TakenReading[] {
    checkCosts(descriptors)
    const now = this.#moment()
    return descriptors.map((descriptor) => {
      const place = this.#find(descriptor, now)
      const isHeld = descriptor.limit.algorithm.kind === 'concurrency'
      return isHeld ? readingOf({ ...place, standing: { ...place.standing, resetMs: 0 } }) : this.#commit(place, now)
    })
  }

  /** What `take` would say, without taking. */
  peek(descriptors: readonly Descriptor[]): Taken {
    const now = this.#moment()
    const places = descriptors.map((descriptor) => this.#find(descriptor, now))
    const refusedBy = refuser(places)
    return { allowed: refusedBy === undefined, refusedBy, readings: places.map(readingOf) }
  }

  /** Keys in memory, also of what has come back and is not yet forgotten. */
  get size(): number {
    return this.#states.size + this.#places.size
  }

  #moment(): Moment {
    return { us: Math.floor(this.#clock.ticks() * 1000), wallMs: this.#clock.now() }
  }

  #find(descriptor: Descriptor, now: Moment): Place {
    const key = storeKey(descriptor)
    const { kind } = descriptor.limit.algorithm
    if (kind === 'concurrency') {
      const standing = readPlaces(this.#places.get(key)?.used ?? 0, descriptor.limit, descriptor.cost)
      return { descriptor, key, state: undefined, standing }
    }
    const known = this.#states.get(key)
    // A limit that counts otherwise since the policies changed begins anew.
    const state = known?.kind === kind ? known : undefined
    return { descriptor, key, state, standing: this.#read(state, descriptor, now) }
  }

  #read(state: State | undefined, { limit, cost }: Descriptor, now: Moment): Standing {
    const { algorithm } = limit
    if (algorithm.kind === 'gcra') return readGcra(state?.kind === 'gcra' ? state : undefined, limit, cost, now.us)
    if (algorithm.kind === 'calendar') {
      const period = this.#periods.at(algorithm.per, algorithm.zone, now.wallMs)
      return readCalendar(state?.kind === 'calendar' ? state : undefined, limit, cost, period, now.wallMs)
    }
    return readSliding(state?.kind === 'sliding' ? state : undefined, limit, cost, now.us)
  }

  #commit(place: Place, now: Moment): TakenReading {
    const { descriptor, key } = place
    const { limit, cost } = descriptor
    if (limit.algorithm.kind === 'concurrency') {
      const places = this.#places.get(key) ?? { used: 0 }
      this.#places.set(key, places)
      places.used += cost
      return { limit: limit.name, remaining: limit.points - places.used, resetMs: 0, degraded: false }
    }
    const state = this.#add(place, now)
    if (state !== place.state) this.#states.set(key, state)
    // One that costs nothing more always fits: the reading is of what is left.
    return readingOf({ ...place, standing: this.#read(state, { ...descriptor, cost: 0 }, now) })
  }

  #add({ descriptor: { limit, cost }, state }: Place, now: Moment): State {
    const { algorithm } = limit
    if (algorithm.kind === 'gcra') return addGcra(state?.kind === 'gcra' ? state : undefined, limit, cost, now.us)
    if (algorithm.kind === 'calendar') {
      return addCalendar(state?.kind === 'calendar' ? state : undefined, cost, this.#periods.at(algorithm.per, algorithm.zone, now.wallMs))
    }
    return addSliding(state?.kind === 'sliding' ? state : undefined, limit, cost, now.us)
  }

  #releaseOf(places: readonly Place[]): { readonly release?: () => void } {
    const held = places.filter((place) => place.descriptor.limit.algorithm.kind === 'concurrency')
    if (held.length === 0) return {}
    let released = false
    const release = () => {
      if (released) return
      released = true
      for (const place of held) this.#free(place)
    }
    return { release }
  }

  #free({ key, descriptor }: Place): void {
    const places = this.#places.get(key)
    if (places === undefined) return
    places.used -= descriptor.cost
    if (places.used <= 0) this.#places.delete(key)
  }
}

function refuser(places: readonly Place[]): string | undefined {
  return places.find((place) => !place.standing.fits)?.descriptor.limit.name
}

function readingOf({ descriptor, standing }: Place): TakenReading {
  return { limit: descriptor.limit.name, remaining: standing.remaining, resetMs: standing.resetMs, degraded: false }
}
