import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A folder of its own for one test, removed when the test ends. */
export interface TempFolder {
  readonly path: string
  /** Writes a file, making the folders above it. */
  write(path: string, content: string | Uint8Array): Promise<void>
}

export async function tempFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-test-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  const write = async (name: string, content: string | Uint8Array) => {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), content)
  }
  for (const [name, content] of Object.entries(files)) await write(name, content)
  return { path, write }
}
