import type { BreakerRule } from '../../model/breaker.ts'

/** `closed`: requests pass. `open`: none. `half_open`: a few, to see whether it is over. */
export type BreakerState = 'closed' | 'open' | 'half_open'

/** Leave for one try. `good` and `bad` tell how it came out, `lasting` that it goes well so far (enough of a probe), `leave` that nothing more will be told; all of them are harmless twice. */
export interface Leave {
  readonly good: (now: number) => void
  readonly bad: (now: number) => void
  readonly lasting: () => void
  readonly leave: () => void
}

/** The window moves in so many steps. */
const steps = 10

/**
 * Stops asking a place that fails. Closed, it counts how tries come out; too many failures in a row, or too large a share of those in the window,
 * open it. After a while it lets as many probes through as the rule says: when all of them go well it closes, when one fails it opens again.
 */
export class Breaker {
  rule: BreakerRule
  readonly #changed: (state: BreakerState) => void
  #state: BreakerState = 'closed'
  #until = 0
  #inARow = 0
  /** What tries that began before the last change say counts no more. */
  #epoch = 0
  #probing = 0
  #passed = 0
  readonly #good = new Float64Array(steps)
  readonly #bad = new Float64Array(steps)
  #step = 0
  #stepAt = 0

  constructor(rule: BreakerRule, changed: (state: BreakerState) => void) {
    this.rule = rule
    this.#changed = changed
  }

  /** How it stands. An open one whose time is over is half open from the next try on. */
  get state(): BreakerState {
    return this.#state
  }

  /** Milliseconds until it may be tried again; 0 when it may be now. */
  backInMs(now: number): number {
    return this.#state === 'open' ? Math.max(0, this.#until - now) : 0
  }

  /** Leave for one try, or undefined: it is open, or enough are probing it. */
  enter(now: number): Leave | undefined {
    if (this.#state === 'open') {
      if (now < this.#until) return undefined
      this.#turn('half_open')
    }
    const probe = this.#state === 'half_open'
    if (probe) {
      if (this.#probing + this.#passed >= this.rule.probes) return undefined
      this.#probing += 1
    }
    return this.#leaveFor(probe)
  }

  #leaveFor(probe: boolean): Leave {
    const epoch = this.#epoch
    let told = false
    const tell = (run: () => void) => {
      if (told || epoch !== this.#epoch) return
      told = true
      if (probe) this.#probing -= 1
      run()
    }
    return {
      good: (now) => tell(() => (probe ? this.#pass() : this.#count(this.#good, now))),
      bad: (now) => tell(() => (probe ? this.#open(now) : this.#fail(now))),
      lasting: () => {
        if (probe) tell(() => this.#pass())
      },
      leave: () => tell(() => {}),
    }
  }

  #pass(): void {
    this.#passed += 1
    if (this.#passed >= this.rule.probes) this.#turn('closed')
  }

  #fail(now: number): void {
    this.#count(this.#bad, now)
    this.#inARow += 1
    const { consecutive, failures, minRequests } = this.rule
    if (consecutive > 0 && this.#inARow >= consecutive) return this.#open(now)
    const bad = sum(this.#bad)
    const all = bad + sum(this.#good)
    if (all >= minRequests && bad >= failures * all) this.#open(now)
  }

  #count(which: Float64Array, now: number): void {
    this.#move(now)
    which[this.#step] = (which[this.#step] as number) + 1
    if (which === this.#good) this.#inARow = 0
  }

  /** Empties what has left the window. */
  #move(now: number): void {
    const stepMs = this.rule.windowMs / steps
    const gone = Math.floor((now - this.#stepAt) / stepMs)
    if (gone < 1) return
    this.#stepAt += gone * stepMs
    for (let i = 0; i < Math.min(gone, steps); i += 1) {
      this.#step = (this.#step + 1) % steps
      this.#good[this.#step] = 0
      this.#bad[this.#step] = 0
    }
  }

  #open(now: number): void {
    this.#until = now + this.rule.openMs
    this.#turn('open')
  }

  #turn(state: BreakerState): void {
    this.#state = state
    this.#epoch += 1
    this.#inARow = 0
    this.#probing = 0
    this.#passed = 0
    this.#good.fill(0)
    this.#bad.fill(0)
    this.#changed(state)
  }
}

function sum(numbers: Float64Array): number {
  let all = 0
  for (const one of numbers) all += one
  return all
}
