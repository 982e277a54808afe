import { type FSWatcher, statSync, watch } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
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

/** Deeper folders are an error of the folder, which the load says. */
const depthLimit = 16

export const watchDefaults: WatchOptions = { quietMs: 100, pollMs: 2000 }

/**
 * Calls `changed` after the folder changed, with as little delay as the system allows and within `pollMs` where it tells
 * nothing. It may call when nothing that matters changed: the one who loads compares contents.
 */
export function watchFolder(root: string, options: WatchOptions, changed: () => void): FolderWatch {
  let quiet: NodeJS.Timeout | undefined
  let last: string | undefined
  let closed = false
  const ears = openEars(root, () => soon())

  const soon = () => {
    if (closed) return
    clearTimeout(quiet)
    quiet = setTimeout(() => void tell(), options.quietMs)
    quiet.unref()
  }
  const tell = async () => {
    await ears.listen()
    if (!closed) changed()
  }
  const look = async () => {
    await ears.listen()
    const now = await fingerprintOf(root)
    if (last !== undefined && now !== last) soon()
    last = now
  }
  const poll = setInterval(() => void look(), options.pollMs)
  poll.unref()
  void look()
  return {
    close() {
      closed = true
      clearInterval(poll)
      clearTimeout(quiet)
      ears.close()
    },
  }
}

interface Ears {
  /** Listens to the folder and every folder in it as they are now, and no longer to those that went away. */
  listen(): Promise<void>
  close(): void
}

/**
 * One watcher per folder: it hears of everything that happens right in it, also when a file is moved over another, which
 * Node's recursive watcher on Linux loses every other time.
 */
function openEars(root: string, heard: () => void): Ears {
  /** By path and inode: a folder that was replaced is another one. */
  const watchers = new Map<string, FSWatcher>()
  let closed = false

  const forget = (key: string) => {
    watchers.get(key)?.close()
    watchers.delete(key)
  }
  const add = (key: string, path: string): boolean => {
    try {
      const watcher = watch(path, { persistent: false }, heard)
      watchers.set(key, watcher)
      // The folder went away: the poll goes on, and listens again when it can.
      watcher.on('error', () => forget(key))
      return true
    } catch {
      // Watches ran out, or the folder went away at this moment: the poll finds what is not heard.
      return false
    }
  }
  const inode = inodeOf(root)
  // At once: whoever reads the folder next must hear of what changes meanwhile.
  if (inode !== undefined) add(keyOf(root, inode), root)
  return {
    async listen() {
      const folders = new Map<string, string>()
      await addFolders(root, 0, folders)
      if (closed) return
      let changed = false
      for (const key of watchers.keys()) {
        if (folders.has(key)) continue
        forget(key)
        changed = true
      }
      for (const [key, path] of folders) if (!watchers.has(key) && add(key, path)) changed = true
      // A folder that came or went: what happened in it before there were ears for it, or was still to be told, counts as heard.
      if (changed) heard()
    },
    close() {
      closed = true
      for (const key of watchers.keys()) forget(key)
    },
  }
}

/** Undefined where the folder cannot be looked at: the one who loads it says why. */
function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino
  } catch {
    return undefined
  }
}

function keyOf(path: string, inode: number): string {
  return `${inode} ${path}`
}

/** Adds `path` and what is below it, without what policies are not read from. Links lead to folders that are below it as themselves. */
async function addFolders(path: string, depth: number, folders: Map<string, string>): Promise<void> {
  try {
    folders.set(keyOf(path, (await stat(path)).ino), path)
    if (depth === depthLimit) return
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !entry.name.startsWith('.')) await addFolders(join(path, entry.name), depth + 1, folders)
    }
  } catch {
    // Gone between two looks: whoever removed it made another change that is heard.
  }
}
