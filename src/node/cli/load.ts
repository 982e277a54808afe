import { resolve } from 'node:path'
import type { Policy } from '../../core/policy/policy.ts'
import { type LoadedFolder, loadFolder } from '../policy-source/load-folder.ts'
import { type Arguments, UsageError } from './command.ts'
import { diagnosticText } from './diagnostic-text.ts'
import type { Terminal } from './terminal.ts'

/** What the command line and the environment variables say of the policies. */
export interface Place {
  /** Absolute. */
  readonly folder: string
  readonly environment: string
}

/** The policies folder and environment that a command works on. @throws UsageError when no environment is named. */
export function placeOf(args: Arguments, environment: string | undefined = args.values['env']): Place {
  return { folder: folderOf(args), environment: environment ?? required('SALLYPORT_ENV') }
}

/** The policies folder alone. */
export function folderOf(args: Arguments): string {
  return resolve(args.values['policies'] ?? process.env['SALLYPORT_POLICIES'] ?? 'policies')
}

function required(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new UsageError(`no environment is named: pass --env NAME or set ${name}`)
  return value
}

/** Reads, checks and links the policies of `place`. */
export async function loadAt(place: Place, terminal: Terminal): Promise<LoadedFolder> {
  return await terminal.progress('Loading policies', loadFolder({ ...place, variables: process.env, known: undefined }))
}

/** The linked policy, or undefined after printing why there is none that may be trusted. */
export async function loadSound(place: Place, terminal: Terminal): Promise<{ readonly policy: Policy; readonly loaded: LoadedFolder } | undefined> {
  const loaded = await loadAt(place, terminal)
  const errors = loaded.diagnostics.filter((one) => one.severity === 'error')
  if (loaded.policy !== undefined && errors.length === 0) return { policy: loaded.policy, loaded }
  for (const one of errors) terminal.err(diagnosticText(one, terminal, place.folder))
  return undefined
}
