import { type FSWatcher, watch } from 'node:fs'
import { fingerprintOf } from './folder.ts'

export interface FolderWatch {
  close(): void
}

export interface WatchOptions {
  /** A burst of changes counts as one when it pauses for this long. */
  readonly quietMs: number
  /** How often the folder is looked at where the system tells nothing (network mounts, exhausted watches). */
  readonly pollMs: number
}

export const watchDefaults: WatchOptions = { quietMs: 100, pollMs: 2000 }

/**
 * Calls `changed` after the folder changed, with as little delay as the system allows and within `pollMs` where it tells
 * nothing. It may call when nothing that matters changed: the one who loads compares contents.
 */
export function watchFolder(root: string, options: WatchOptions, changed: () => void): FolderWatch {
  let quiet: NodeJS.Timeout | undefined
  let watcher: FSWatcher | undefined
  let last: string | undefined
  let closed = false

  const soon = () => {
    if (closed) return
    clearTimeout(quiet)
    quiet = setTimeout(changed, options.quietMs)
    quiet.unref()
  }
  const listen = () => {
    try {
      watcher = watch(root, { recursive: true, persistent: false }, soon)
      // The folder went away or watches ran out: the poll goes on, and listens again when it can.
      watcher.on('error', deafen)
    } catch {
      watcher = undefined
    }
  }
  const deafen = () => {
    watcher?.close()
    watcher = undefined
  }
  const look = async () => {
    const now = await fingerprintOf(root)
    if (last !== undefined && now !== last) {
      // A folder that was replaced has another inode: what was watched may be gone.
      deafen()
      soon()
    }
    last = now
    if (!closed && watcher === undefined) listen()
  }
  const poll = setInterval(() => void look(), options.pollMs)
  poll.unref()
  listen()
  void look()
  return {
    close() {
      closed = true
      clearInterval(poll)
      clearTimeout(quiet)
      deafen()
    },
  }
}
