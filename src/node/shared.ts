import type { Clock, Shared } from '../core/ports.ts'

interface Entry {
  readonly value: string
  /** Wall time in milliseconds; Infinity for what stays. */
  readonly endsAt: number
}

/** Beyond this a process refuses to remember more: forgetting a claim would let it be made twice. */
const memoryLimit = 200_000
const sweepMs = 1000

/** Shared by nobody: for one process without a store. */
export function createMemoryShared(clock: Pick<Clock, 'now'>): Shared {
  const kept = new Map<string, Entry>()
  let sweptAt = Number.NEGATIVE_INFINITY
  const alive = (key: string): Entry | undefined => {
    const entry = kept.get(key)
    return entry === undefined || entry.endsAt <= clock.now() ? undefined : entry
  }
  // Looking through everything for each of a flood of claims would be the flood's work done for it.
  const sweep = (): void => {
    const now = clock.now()
    if (now < sweptAt + sweepMs) return
    sweptAt = now
    for (const [name, { endsAt }] of kept) if (endsAt <= now) kept.delete(name)
  }
  const put = (key: string, value: string, ttlMs: number | undefined): void => {
    if (kept.size >= memoryLimit) sweep()
    if (kept.size >= memoryLimit) throw new Error(`more than ${memoryLimit} entries to remember; name a store (store.redis)`)
    kept.set(key, { value, endsAt: ttlMs === undefined ? Number.POSITIVE_INFINITY : clock.now() + ttlMs })
  }
  return {
    async claim(key, ttlMs) {
      if (alive(key) !== undefined) return false
      put(key, '', ttlMs)
      return true
    },
    get: async (key) => alive(key)?.value,
    set: async (key, value, ttlMs) => put(key, value, ttlMs),
    async delete(key) {
      kept.delete(key)
    },
  }
}
