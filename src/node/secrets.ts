import { open, stat } from 'node:fs/promises'
import type { Clock, Secrets } from '../core/ports.ts'
import type { Network } from './channels/dial.ts'
import { createClock } from './clock.ts'
import { createFetch } from './fetch.ts'
import { createResolve } from './resolve.ts'
import { readVaultSettings } from './vault/settings.ts'
import { createVault } from './vault/vault.ts'

interface Kept {
  /** Identity of the file's content: any rewrite or replacement changes it. */
  readonly stamp: string
  readonly value: string
}

const largest = 1024 * 1024

/**
 * Secrets of this process: `env:NAME` from its variables, `file:/path` from a file that is read again when it
 * changes, `vault:mount/path#field` from the Vault that `VAULT_ADDR` names. One newline at the end of a file is not part of the value. Messages of errors name the reference, never
 * a value. @throws Error for a reference that is missing, empty, too large, or of an unknown kind.
 */
export function createSecrets(variables: Readonly<Record<string, string | undefined>>, ports: VaultGround = {}): Secrets {
  const own = createOwnSecrets(variables)
  let vault: Secrets | undefined
  return {
    async read(reference) {
      if (!reference.startsWith('vault:')) return own.read(reference)
      vault ??= openVault(variables, own, ports)
      const value = await vault.read(reference)
      if (value === '') throw new Error(`${reference} is empty`)
      return value
    },
  }
}

/** What Vault is reached through; left out: the machine's. */
interface VaultGround extends Partial<Network> {
  readonly clock?: Clock
}

/** Opened when the first secret of it is wanted: most houses have none. */
function openVault(
  variables: Readonly<Record<string, string | undefined>>,
  secrets: Secrets,
  { clock = createClock(), resolve = createResolve(clock), connect }: VaultGround,
): Secrets {
  const problems: string[] = []
  const settings = readVaultSettings(variables, problems)
  if (settings === undefined || problems.length > 0) throw new Error(problems[0] ?? 'VAULT_ADDR is not set: there is no Vault to ask')
  // A renewal that waits must not keep a process alive that has nothing else to do.
  const after: Clock['after'] = (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, 2 ** 31 - 1)).unref()
    return { cancel: () => clearTimeout(timer) }
  }
  return createVault(settings, { clock: { ticks: () => clock.ticks(), after }, fetch: createFetch({ clock, resolve, connect, secrets }), secrets })
}

function createOwnSecrets(variables: Readonly<Record<string, string | undefined>>): Secrets {
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
  if (!reference.startsWith('env:')) throw new Error(`${reference.split(':', 1)[0] ?? ''}: is not a kind of secret reference; use env:, file: or vault:`)
  const name = reference.slice(4)
  // What every object has is no variable.
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined
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
