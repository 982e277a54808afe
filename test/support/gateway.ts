import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { vi } from 'vitest'
import type { JournalRecord } from '../../src/core/ports.ts'
import { type Running, type StartOptions, startSallyport } from '../../src/node/main.ts'
import { loadFolder } from '../../src/node/policy-source/load-folder.ts'
import { readSettings, type SettingFlags } from '../../src/node/settings.ts'
import type { Keep } from './keep.ts'

export type Files = Readonly<Record<string, string | Uint8Array>>

export interface GatewayOptions {
  readonly flags?: SettingFlags
  readonly variables?: Readonly<Record<string, string>>
  /** Left out: policies are loaded in this thread, for one of its own has to read all modules first. Processes that tests start do that. */
  readonly start?: StartOptions
}

/** A gateway of this process over a real folder, on free ports. */
export interface Gateway {
  readonly running: Running
  readonly policies: PoliciesFolder
  /** Everything in the journal so far, records and events. */
  readonly journal: readonly JournalRecord[]
  port(listener: string): number
  /** The first journal entry that fits, be it there already or still to come. Times out with the test. */
  entry(fits: (record: JournalRecord) => boolean): Promise<JournalRecord>
  /** What the admin listener answers, as text. */
  admin(path: string): Promise<string>
}

/** A policies folder of a test's own. */
export interface PoliciesFolder {
  readonly path: string
  /** Puts a file in place in one step, as careful writers do. */
  write(name: string, content: string | Uint8Array): Promise<void>
}

export async function policiesFolder(keep: Keep, files: Files): Promise<PoliciesFolder> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-e2e-'))
  keep(() => rm(path, { recursive: true, force: true }))
  const write: PoliciesFolder['write'] = async (name, content) => {
    const next = join(path, `.${name.replaceAll('/', '-')}.next`)
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(next, content)
    await rename(next, join(path, name))
  }
  for (const [name, content] of Object.entries(files)) await write(name, content)
  return { path, write }
}

/** What Redis counts must not depend on how busy the machine is. */
const patient = { SALLYPORT_STORE_PATIENCE: '2s' }

export async function openGateway(keep: Keep, files: Files, options: GatewayOptions = {}): Promise<Gateway> {
  const policies = await policiesFolder(keep, files)
  const flags = { environment: 'dev', policies: policies.path, logLevel: 'silent', lameDuck: '0s', drain: '2s', ...options.flags }
  const running = await startSallyport(readSettings(flags, { ...patient, ...options.variables }, false), { load: loadFolder, ...options.start })
  keep(() => running.close({ hurry: true }))
  const journal: JournalRecord[] = []
  running.journal.subscribe((record) => journal.push(record))
  const port = (listener: string) => portOf(running.addresses, listener)
  return {
    running,
    policies,
    journal,
    port,
    entry: (fits) =>
      vi.waitFor(
        () => {
          const found = journal.find(fits)
          if (found === undefined) throw new Error('no such journal entry')
          return found
        },
        { timeout: 10_000, interval: 5 },
      ),
    admin: async (path) => (await fetch(`http://127.0.0.1:${port('admin')}${path}`)).text(),
  }
}

function portOf(addresses: Running['addresses'], listener: string): number {
  const found = addresses.find(({ name }) => name === listener)
  if (found === undefined) throw new Error(`no listener ${listener}`)
  return found.port
}
