/** Never fewer at a time: a place that nobody asks cannot show that it is well. */
const fewest = 3

/** Before anything is known. */
const atFirst = 20

/** A window is over after so long when it has so many answers, and after the longer time with any, milliseconds. */
const window = { ms: 100, answers: 10, longestMs: 1_000 } as const

/** Answers may take so many times what they take without load before the limit falls. */
const tolerance = 2

/** No window leaves less of the limit than this: a pause of a moment costs little, a second of slowness nine tenths. */
const steepest = 0.8

/** How often a limit that is used up makes way for a look at how long answers take without it, milliseconds. */
const measureEveryMs = 60_000

/** What is left of the limit then. */
const measuringShare = 0.25

/**
 * How many requests a place takes at a time, found out by how long it takes to answer (as Envoy's gradient controller and Netflix's
 * concurrency-limits do). In every window the limit is multiplied by "answer time without load" over "answer time now" and gets its square root as
 * room to grow, if it is used. The answer time without load is what the fastest windows showed; now and then the limit steps down for a
 * moment to measure it anew, so that a limit that is always used up cannot take its own queue for the usual.
 */
export class Gradient {
  readonly #most: () => number
  #limit = atFirst
  #held: number | undefined
  #inFlight = 0
  #peak = 0
  #usualMs = 0
  #count = 0
  #sumMs = 0
  #beganAt = Number.NEGATIVE_INFINITY
  #measureAt = Number.NEGATIVE_INFINITY
  #cleanFrom = 0

  /** `most`: what the limit never exceeds. */
  constructor(most: () => number) {
    this.#most = most
  }

  /** Whole requests at a time. */
  get limit(): number {
    return Math.min(Math.floor(this.#limit), this.#most())
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Answer time without load, milliseconds; 0 before it is known. */
  get usualMs(): number {
    return this.#usualMs
  }

  get hasRoom(): boolean {
    return this.#inFlight < this.limit
  }

  enter(): void {
    this.#inFlight += 1
    if (this.#inFlight > this.#peak) this.#peak = this.#inFlight
  }

  leave(now: number): void {
    this.#inFlight -= 1
    // What began before the others were gone still waited behind them.
    if (this.#held !== undefined && this.#cleanFrom === Number.POSITIVE_INFINITY && this.#inFlight <= this.limit) this.#cleanFrom = now
  }

  /** So long took an answer, or was waited for in vain. */
  sample(tookMs: number, now: number): void {
    if (this.#held !== undefined && now - tookMs < this.#cleanFrom) return
    if (this.#beganAt === Number.NEGATIVE_INFINITY) this.#beganAt = now - tookMs
    this.#count += 1
    this.#sumMs += tookMs
    const ranMs = now - this.#beganAt
    if ((ranMs >= window.ms && this.#count >= window.answers) || ranMs >= window.longestMs) this.#close(now)
  }

  #close(now: number): void {
    const meanMs = this.#sumMs / this.#count
    if (this.#held !== undefined) this.#measured(meanMs, now)
    else this.#adjust(meanMs, now)
    this.#begin(now)
  }

  #begin(now: number): void {
    this.#count = 0
    this.#sumMs = 0
    this.#beganAt = now
    this.#peak = this.#inFlight
  }

  #measured(meanMs: number, now: number): void {
    this.#usualMs = meanMs
    this.#limit = this.#held as number
    this.#held = undefined
    this.#measureAt = now + measureEveryMs
  }

  #adjust(meanMs: number, now: number): void {
    const { limit } = this
    const busy = this.#peak * 2 >= limit
    if (this.#usualMs === 0) this.#usualMs = meanMs
    else if (meanMs < this.#usualMs) this.#usualMs += 0.3 * (meanMs - this.#usualMs)
    // With most of the limit unused it is not the load that makes it slow.
    else if (this.#peak * 3 <= limit) this.#usualMs += 0.1 * (meanMs - this.#usualMs)
    const gradient = Math.max(steepest, Math.min(1, (this.#usualMs * tolerance) / meanMs))
    if (gradient < 1 || busy) this.#limit = Math.max(fewest, Math.min(this.#most(), this.#limit * gradient + (busy ? Math.sqrt(this.#limit) : 0)))
    if (this.#peak >= limit && now >= this.#measureAt) this.#measure(now)
  }

  #measure(now: number): void {
    this.#held = this.#limit
    this.#limit = Math.max(fewest, this.#limit * measuringShare)
    this.#cleanFrom = this.#inFlight <= this.limit ? now : Number.POSITIVE_INFINITY
  }
}
