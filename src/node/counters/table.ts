import type { Clock, Descriptor, LimitSpec, Taken, TakenReading } from '../../core/ports.ts'
import { addCalendar, type CalendarState, type Period, readCalendar } from './algorithms/calendar.ts'
import { addGcra, type GcraState, readGcra } from './algorithms/gcra.ts'
import { readPlaces } from './algorithms/places.ts'
import { addSliding, readSliding, type SlidingState } from './algorithms/sliding.ts'
import type { Standing } from './algorithms/standing.ts'
import { createPeriods } from './periods.ts'
import { Recent } from './recent.ts'
import { checkCosts } from './store-key.ts'

type State = GcraState | SlidingState | CalendarState

/** Places of one key that are held. */
interface Places {
  used: number
}

/** Where counting begins and ends for one of a calendar. */
type Frame = Period | undefined

/** One moment on both clocks: windows follow the monotonic one, which no step of the wall clock moves; calendars the other, which is asked only for them. */
interface Moment {
  readonly us: number
  wallMs: number | undefined
}

/** A descriptor, what is counted for it, and how it stands. */
interface Place {
  readonly descriptor: Descriptor
  readonly state: State | undefined
  readonly frame: Frame
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
  /** By limit, then by key. */
  readonly #places = new Map<string, Map<string, Places>>()
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
    const release = this.#releaseOf(places)
    return release === undefined ? { allowed: true, refusedBy, readings } : { allowed: true, refusedBy, readings, release }
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

  /** Forgets what is counted for a descriptor's key; false when nothing was. Places stay with the requests that hold them. */
  forget(descriptor: Descriptor): boolean {
    const { limit, key } = descriptor
    if (limit.algorithm.kind === 'concurrency') return false
    const found = this.#find({ ...descriptor, cost: 0 }, this.#moment()).standing.resetMs > 0
    this.#states.delete(key, limit.name)
    return found
  }

  /** Keys in memory, also of what has come back and is not yet forgotten. */
  get size(): number {
    let places = 0
    for (const { size } of this.#places.values()) places += size
    return this.#states.size + places
  }

  #moment(): Moment {
    return { us: Math.floor(this.#clock.ticks() * 1000), wallMs: undefined }
  }

  #find(descriptor: Descriptor, now: Moment): Place {
    const { limit, key, cost } = descriptor
    const { algorithm } = limit
    if (algorithm.kind === 'concurrency') {
      const standing = readPlaces(this.#places.get(limit.name)?.get(key)?.used ?? 0, limit, cost)
      return { descriptor, state: undefined, frame: undefined, standing }
    }
    const known = this.#states.get(key, limit.name)
    // A limit that counts otherwise since the policies changed begins anew.
    const state = known?.kind === algorithm.kind ? known : undefined
    const frame = algorithm.kind === 'calendar' ? this.#periods.at(algorithm.per, algorithm.zone, this.#wallMs(now)) : undefined
    return { descriptor, state, frame, standing: this.#read(state, limit, cost, frame, now) }
  }

  #wallMs(now: Moment): number {
    now.wallMs ??= this.#clock.now()
    return now.wallMs
  }

  #read(state: State | undefined, limit: LimitSpec, cost: number, frame: Frame, now: Moment): Standing {
    if (frame !== undefined) return readCalendar(state?.kind === 'calendar' ? state : undefined, limit, cost, frame, this.#wallMs(now))
    if (limit.algorithm.kind === 'gcra') return readGcra(state?.kind === 'gcra' ? state : undefined, limit, cost, now.us)
    return readSliding(state?.kind === 'sliding' ? state : undefined, limit, cost, now.us)
  }

  #commit(place: Place, now: Moment): TakenReading {
    const { descriptor, frame } = place
    const { limit, key } = descriptor
    if (limit.algorithm.kind === 'concurrency') {
      return { limit: limit.name, remaining: limit.points - this.#hold(descriptor), resetMs: 0, degraded: false }
    }
    const state = add(place, now)
    if (state !== place.state) this.#states.set(key, state, limit.name)
    // One that costs nothing more always fits: the reading is of what is left.
    const { remaining, resetMs } = this.#read(state, limit, 0, frame, now)
    return { limit: limit.name, remaining, resetMs, degraded: false }
  }

  #releaseOf(places: readonly Place[]): (() => void) | undefined {
    const held = places.filter((place) => place.descriptor.limit.algorithm.kind === 'concurrency')
    if (held.length === 0) return undefined
    let released = false
    return () => {
      if (released) return
      released = true
      for (const place of held) this.#free(place)
    }
  }

  /** How many are held then. */
  #hold({ limit, key, cost }: Descriptor): number {
    const ofLimit = this.#places.get(limit.name) ?? new Map<string, Places>()
    this.#places.set(limit.name, ofLimit)
    const places = ofLimit.get(key) ?? { used: 0 }
    ofLimit.set(key, places)
    places.used += cost
    return places.used
  }

  #free({ descriptor: { limit, key, cost } }: Place): void {
    const ofLimit = this.#places.get(limit.name)
    const places = ofLimit?.get(key)
    if (ofLimit === undefined || places === undefined) return
    places.used -= cost
    if (places.used <= 0) ofLimit.delete(key)
    if (ofLimit.size === 0) this.#places.delete(limit.name)
  }
}

function add({ descriptor: { limit, cost }, state, frame }: Place, now: Moment): State {
  if (frame !== undefined) return addCalendar(state?.kind === 'calendar' ? state : undefined, cost, frame)
  if (limit.algorithm.kind === 'gcra') return addGcra(state?.kind === 'gcra' ? state : undefined, limit, cost, now.us)
  return addSliding(state?.kind === 'sliding' ? state : undefined, limit, cost, now.us)
}

function refuser(places: readonly Place[]): string | undefined {
  return places.find((place) => !place.standing.fits)?.descriptor.limit.name
}

function readingOf({ descriptor, standing }: Place): TakenReading {
  return { limit: descriptor.limit.name, remaining: standing.remaining, resetMs: standing.resetMs, degraded: false }
}
