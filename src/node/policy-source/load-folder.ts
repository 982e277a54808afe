import { loadPolicy } from '../../core/policy/load.ts'
import type { Loaded } from '../../core/policy/loading.ts'
import { fingerprintOf, readPolicyFolder } from './folder.ts'

/** What to load and for whom. Plain data: it may go to another thread. */
export interface LoadRequest {
  /** Absolute path of the policies folder. */
  readonly folder: string
  readonly environment: string
  readonly variables: Readonly<Record<string, string | undefined>>
  /** Hash of what was loaded last: the same content is not parsed again. */
  readonly known: string | undefined
}

export interface LoadedFolder extends Loaded {
  /** Of the content that was loaded. */
  readonly hash: string
  /** The content is the one known: nothing was parsed. */
  readonly unchanged: boolean
}

/** How often a folder that changes while it is read is read again. */
const attempts = 5

/** Reads and links the folder in this thread. Never throws for anything the folder holds. */
export async function loadFolder(request: LoadRequest): Promise<LoadedFolder> {
  const folder = await readWhole(request.folder)
  if (folder.problems.length > 0) return { policy: undefined, diagnostics: folder.problems, origins: {}, hash: folder.hash, unchanged: false }
  if (folder.hash === request.known) return { policy: undefined, diagnostics: [], origins: {}, hash: folder.hash, unchanged: true }
  const variable = (name: string) => (Object.hasOwn(request.variables, name) ? request.variables[name] : undefined)
  const loaded = await loadPolicy({ files: folder.files, asset: (path) => folder.assets.get(path), environment: request.environment, variable })
  return { ...loaded, hash: folder.hash, unchanged: false }
}

/** The folder as it stood at one moment: a change during the reading starts it again, so that no half of a rollout is taken for the whole. */
async function readWhole(root: string): ReturnType<typeof readPolicyFolder> {
  let before = await fingerprintOf(root)
  let folder = await readPolicyFolder(root)
  for (let attempt = 1; attempt < attempts; attempt++) {
    const after = await fingerprintOf(root)
    if (after === before) break
    before = after
    folder = await readPolicyFolder(root)
  }
  return folder
}
