import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { readStoredKeys } from '../../core/ingress/identify.ts'
import { type ApiKeyRecord, apiKeyFileFormat } from '../../core/model/api-key-record.ts'
import type { KeyStore } from './key-store.ts'
import { sameRecord } from './same.ts'

/** What a gateway reads at most. */
const largest = 1024 * 1024

/** How long a command waits for another one that writes. */
const waitMs = 5000

/**
 * Keys in a file that only its owner may read. It is replaced in one step, so that a gateway sees the old keys or the new ones; a lock
 * beside it keeps two writers apart.
 */
export function openKeyFile(path: string): KeyStore {
  return {
    list: async () => [...(await readKeys(path)).values()],
    change: (changes) =>
      locked(path, async () => {
        const keys = new Map(await readKeys(path))
        for (const { before, after } of changes) {
          if (!sameRecord(keys.get(after.id), before)) throw new Error(`the key ${after.id} was changed meanwhile; look again`)
          keys.set(after.id, after)
        }
        await replace(path, textOf([...keys.values()]))
      }),
    close: () => {},
  }
}

/** No file: no keys yet. */
async function readKeys(path: string): Promise<ReadonlyMap<string, ApiKeyRecord>> {
  try {
    return readStoredKeys(await readFile(path, 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return new Map()
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** One key a line: a difference between two versions shows what changed. */
function textOf(keys: readonly ApiKeyRecord[]): string {
  const lines = keys.map((key) => `    ${JSON.stringify(key)}`)
  const text = `{\n  "sallyport": "${apiKeyFileFormat}",\n  "keys": [\n${lines.join(',\n')}\n  ]\n}\n`
  if (Buffer.byteLength(text) > largest) throw new Error('the file would be larger than 1 MiB, which no gateway reads: keep the keys in Redis (store: redis)')
  return text
}

async function replace(path: string, text: string): Promise<void> {
  const fresh = `${path}.${process.pid}.tmp`
  try {
    const file = await open(fresh, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}

/** @throws Error when somebody else holds the lock for longer than a command takes. */
async function locked(path: string, run: () => Promise<void>): Promise<void> {
  const lock = `${path}.lock`
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await take(lock)
  try {
    await run()
  } finally {
    await rm(lock, { force: true })
  }
}

async function take(lock: string): Promise<void> {
  const until = Date.now() + waitMs
  for (;;) {
    try {
      const file = await open(lock, 'wx', 0o600)
      await file.writeFile(`${process.pid}\n`)
      await file.close()
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      if (Date.now() > until) throw new Error(`another command writes these keys (${lock}); remove that file if none runs any more`, { cause: error })
      await pause(50)
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}
