import type { Clock } from '../../ports.ts'

/** Entries used again within this time keep their place: to move one costs more than to find it. Milliseconds. */
const settledMs = 100

interface Entry<Value> {
  readonly value: Value
  readonly endsAt: number
  movedAt: number
}

/** A bounded memory: what was used least recently (to a tenth of a second) goes first, and nothing outlives its time (monotonic milliseconds). */
export class Lru<Value> {
  readonly #entries = new Map<string, Entry<Value>>()
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
    const now = this.#clock.ticks()
    if (entry.endsAt > now && now - entry.movedAt < settledMs) return entry.value
    this.#entries.delete(key)
    if (entry.endsAt <= now) return undefined
    entry.movedAt = now
    this.#entries.set(key, entry)
    return entry.value
  }

  put(key: string, value: Value, ttlMs: number): void {
    if (!(ttlMs > 0)) return
    this.#entries.delete(key)
    if (this.#entries.size >= this.#limit) this.#dropOldest()
    const now = this.#clock.ticks()
    this.#entries.set(key, { value, endsAt: now + ttlMs, movedAt: now })
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
