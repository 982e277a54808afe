import type { Lasting } from '../core/ports.ts'

/** State that lives as long as the process, by key. */
export function createLasting(): Lasting {
  const kept = new Map<string, unknown>()
  return <T>(key: string, make: () => T): T => {
    if (!kept.has(key)) kept.set(key, make())
    return kept.get(key) as T // each key has one owner, who made it
  }
}
