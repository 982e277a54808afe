import type { Clock } from '../../ports.ts'

/** A bounded memory: what was used least recently goes first, and nothing outlives its time (monotonic milliseconds). */
export class Lru<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly endsAt: number }>()
  readonly #limit: number
  readonly #clock: Pick<Clock, 'ticks'>

  constructor(limit: number, clock: Pick<Clock, 'ticks'>) {
    this.#limit = limit
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.endsAt <= this.#clock.ticks()) return undefined
    this.#entries.set(key, entry)
    return entry.value
  }

  put(key: string, value: Value, ttlMs: number): void {
    if (!(ttlMs > 0)) return
    this.#entries.delete(key)
    if (this.#entries.size >= this.#limit) this.#dropOldest()
    this.#entries.set(key, { value, endsAt: this.#clock.ticks() + ttlMs })
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  #dropOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key)
      return
    }
  }
}
