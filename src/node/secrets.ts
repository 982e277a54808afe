import { open, stat } from 'node:fs/promises'
import type { Secrets } from '../core/ports.ts'

interface Kept {
  /** Identity of the file's content: any rewrite or replacement changes it. */
  readonly stamp: string
  readonly value: string
}

const largest = 1024 * 1024

/**
 * Secrets of this process: `env:NAME` from its variables, `file:/path` from a file that is read again when it
 * changes. One newline at the end of a file is not part of the value. Messages of errors name the reference, never
 * a value. @throws Error for a reference that is missing, empty, too large, or of an unknown kind.
 */
export function createSecrets(variables: Readonly<Record<string, string | undefined>>): Secrets {
  const files = new Map<string, Kept>()
  return {
    async read(reference) {
      const value = reference.startsWith('file:') ? await fromFile(files, reference.slice(5), reference) : fromVariable(variables, reference)
      if (value === '') throw new Error(`${reference} is empty`)
      return value
    },
  }
}

function fromVariable(variables: Readonly<Record<string, string | undefined>>, reference: string): string {
  if (!reference.startsWith('env:')) throw new Error(`${reference.split(':', 1)[0] ?? ''}: is not a kind of secret reference; use env: or file:`)
  const value = variables[reference.slice(4)]
  if (value === undefined) throw new Error(`${reference} is not set`)
  return value
}

async function fromFile(files: Map<string, Kept>, path: string, reference: string): Promise<string> {
  try {
    const kept = files.get(path)
    if (kept !== undefined && kept.stamp === stampOf(await stat(path))) return kept.value
    const fresh = await readKept(path)
    files.set(path, fresh)
    return fresh.value
  } catch (error) {
    // A file that went away takes its value with it: a secret that was withdrawn must not live on.
    files.delete(path)
    throw new Error(`${reference} cannot be read (${codeOf(error)})`, { cause: error })
  }
}

/** Content and stamp from the same open file, so that a replacement between the two cannot pair an old value with a new stamp. */
async function readKept(path: string): Promise<Kept> {
  const file = await open(path, 'r')
  try {
    const facts = await file.stat()
    if (!facts.isFile()) throw new Error('not a file')
    if (facts.size > largest) throw new Error('larger than 1 MiB')
    const text = await file.readFile('utf8')
    return { stamp: stampOf(facts), value: text.replace(/\r?\n$/, '') }
  } finally {
    await file.close()
  }
}

function stampOf(facts: { readonly ino: number; readonly size: number; readonly mtimeMs: number; readonly ctimeMs: number }): string {
  return `${facts.ino}:${facts.size}:${facts.mtimeMs}:${facts.ctimeMs}`
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return (error as NodeJS.ErrnoException).code ?? error.message
}
