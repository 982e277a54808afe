/** Times are sorted into bins of 3 %, from a tenth of a millisecond to a quarter of an hour. */
const growth = Math.log(1.03)
const leastMs = 0.1
const bins = Math.ceil(Math.log(1_000_000 / leastMs) / growth)
const slots = 10

/** What one side answered in one stretch of time. */
class Slot {
  answers = 0
  errors = 0
  /** How many good answers took how long. */
  readonly times = new Uint32Array(bins)
  good = 0
}

/**
 * What one side of a split answered lately: how often, how often badly, and how long the good answers took. The window slides in ten steps.
 * Sums can be read at any time; nothing is allocated after the beginning.
 */
export class Tally {
  readonly #stepMs: number
  readonly #ring: readonly Slot[] = Array.from({ length: slots }, () => new Slot())
  readonly #sum = new Slot()
  #step: number

  constructor(windowMs: number, now: number) {
    this.#stepMs = windowMs / slots
    this.#step = Math.floor(now / this.#stepMs)
  }

  /** `tookMs` of a good answer; undefined for an error. */
  add(tookMs: number | undefined, now: number): void {
    this.slide(now)
    const slot = this.#ring[this.#step % slots] as Slot
    for (const one of [slot, this.#sum]) {
      one.answers += 1
      if (tookMs === undefined) {
        one.errors += 1
        continue
      }
      const bin = binOf(tookMs)
      one.good += 1
      one.times[bin] = (one.times[bin] as number) + 1
    }
  }

  /** Forgets what is older than the window. */
  slide(now: number): void {
    const step = Math.floor(now / this.#stepMs)
    for (let gone = Math.min(step - this.#step, slots); gone > 0; gone--) this.#forget(this.#ring[(step - gone + 1) % slots] as Slot)
    if (step > this.#step) this.#step = step
  }

  clear(): void {
    for (const slot of this.#ring) this.#forget(slot)
  }

  get answers(): number {
    return this.#sum.answers
  }

  get errors(): number {
    return this.#sum.errors
  }

  get good(): number {
    return this.#sum.good
  }

  /** The end of the shortest stretch of times from 0 on of which `enough(within, all)` holds, milliseconds; undefined when none is. */
  timeWhere(enough: (within: number, all: number) => boolean, edge: 'upper' | 'lower'): number | undefined {
    let within = 0
    for (let bin = 0; bin < bins; bin++) {
      const here = this.#sum.times[bin] as number
      if (here === 0) continue
      within += here
      if (enough(within, this.#sum.good)) return leastMs * Math.exp(growth * (edge === 'upper' ? bin + 1 : bin))
    }
    return undefined
  }

  #forget(slot: Slot): void {
    if (slot.answers === 0) return
    this.#sum.answers -= slot.answers
    this.#sum.errors -= slot.errors
    this.#sum.good -= slot.good
    for (let bin = 0; bin < bins; bin++) {
      const here = slot.times[bin] as number
      if (here > 0) this.#sum.times[bin] = (this.#sum.times[bin] as number) - here
    }
    slot.answers = 0
    slot.errors = 0
    slot.good = 0
    slot.times.fill(0)
  }
}

function binOf(tookMs: number): number {
  if (tookMs <= leastMs) return 0
  return Math.min(bins - 1, Math.floor(Math.log(tookMs / leastMs) / growth))
}
