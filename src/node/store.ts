import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Random, Store } from '../core/ports.ts'

interface Entry {
  readonly key: string
  readonly value: string
  /** Wall time in milliseconds: it must hold across processes. */
  readonly endsAt: number
}

const entries = 1000

/** Values that live as long as the process; beyond a thousand the oldest goes. */
export function createMemoryStore(clock: Pick<Clock, 'now'>): Store {
  const kept = new Map<string, Entry>()
  return {
    async get(key) {
      const entry = kept.get(key)
      return entry === undefined || entry.endsAt <= clock.now() ? undefined : entry.value
    },
    async set(key, value, ttlMs) {
      kept.delete(key)
      kept.set(key, { key, value, endsAt: clock.now() + ttlMs })
      for (const oldest of kept.keys()) {
        if (kept.size <= entries) break
        kept.delete(oldest)
      }
    },
  }
}

/**
 * Values in files of a folder, which only this user may read. A file is replaced whole, so a reader sees the old value or the
 * new one; a file that cannot be read or understood counts as absent. @throws Error when the folder cannot be made.
 */
export function createFileStore(folder: string, ports: { readonly clock: Pick<Clock, 'now'>; readonly random: Pick<Random, 'hex'> }): Store {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const pathOf = (key: string) => join(folder, `${createHash('sha256').update(key).digest('hex')}.json`)
  return {
    async get(key) {
      const entry = await readEntry(pathOf(key))
      return entry === undefined || entry.key !== key || entry.endsAt <= ports.clock.now() ? undefined : entry.value
    },
    async set(key, value, ttlMs) {
      const path = pathOf(key)
      const fresh = `${path}.${ports.random.hex(6)}.tmp`
      const entry: Entry = { key, value, endsAt: ports.clock.now() + ttlMs }
      try {
        await writeFile(fresh, JSON.stringify(entry), { mode: 0o600, flag: 'wx' })
        await rename(fresh, path)
      } catch (error) {
        await rm(fresh, { force: true })
        throw error
      }
    },
  }
}

async function readEntry(path: string): Promise<Entry | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(path, 'utf8'))
    return isEntry(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false
  const entry = value as Partial<Record<keyof Entry, unknown>>
  return typeof entry.key === 'string' && typeof entry.value === 'string' && typeof entry.endsAt === 'number'
}
