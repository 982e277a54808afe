import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Keep } from './keep.ts'

/** An empty folder, removed at the end. */
export async function scratchFolder(keep: Keep): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
  keep(() => rm(folder, { recursive: true, force: true }))
  return folder
}
