import { type FSWatcher, watch } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock, Files } from '../core/ports.ts'

/** A file is looked at so often where the system tells nothing, milliseconds. */
const lookMs = 2_000

/** Files that are read and watched while the gateway runs. */
export function createFiles(clock: Clock): Files {
  return {
    async read(path, limit) {
      const file = await open(path, 'r')
      try {
        const before = await file.stat({ bigint: true })
        if (!before.isFile()) throw new Error('it is not a file')
        if (before.size > BigInt(limit)) throw new Error(`it is longer than ${limit} bytes`)
        const bytes = await file.readFile()
        const after = await file.stat({ bigint: true })
        if (stampOf(before) !== stampOf(after) || bytes.byteLength !== Number(after.size)) throw new Error('it is being written')
        return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
      } finally {
        await file.close()
      }
    },
    watch(path, heard) {
      let closed = false
      let last: string | undefined
      let timer: { cancel(): void } | undefined
      const ears = listen(dirname(path), () => void look())
      const look = async () => {
        const now = await stat(path, { bigint: true }).then(stampOf, () => 'gone')
        if (closed) return
        if (last !== undefined && last !== now) heard()
        last = now
      }
      const again = () => {
        timer = clock.after(lookMs, () => {
          void look()
          again()
        })
      }
      void look()
      again()
      return {
        close() {
          closed = true
          timer?.cancel()
          ears?.close()
        },
      }
    },
  }
}

/** The folder hears of a file that is moved into its place, which the file itself would not. Undefined where nothing can be heard. */
function listen(folder: string, heard: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, heard)
    // The folder went away: looking goes on.
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return undefined
  }
}

function stampOf({ ino, size, mtimeNs, ctimeNs }: { readonly ino: bigint; readonly size: bigint; readonly mtimeNs: bigint; readonly ctimeNs: bigint }): string {
  return `${ino}:${size}:${mtimeNs}:${ctimeNs}`
}
