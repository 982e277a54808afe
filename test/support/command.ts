import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import type { JournalRecord } from '../../src/core/ports.ts'
import { runCommandLine } from '../../src/node/cli/main.ts'
import { openTerminal } from '../../src/node/cli/terminal.ts'
import { type Files, type PoliciesFolder, policiesFolder } from './gateway.ts'
import type { Keep } from './keep.ts'

/** The repository's root: where `policies/` is. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

const program = fileURLToPath(new URL('../../src/node/cli/main.ts', import.meta.url))

export interface Finished {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** `sallyport` as a process of its own. */
export interface Started {
  readonly child: ChildProcess
  /** Standard output so far. */
  readonly out: () => string
  /** Standard error so far. */
  readonly err: () => string
  readonly ended: Promise<Finished>
}

type Variables = Readonly<Record<string, string | undefined>>

/** What would steer Sallyport or colour its words. */
const cleared = ['SALLYPORT_ENV', 'SALLYPORT_POLICIES', 'REDIS_URL', 'NO_COLOR', 'FORCE_COLOR', 'NODE_OPTIONS', 'VITEST']

/** The environment of every process here: this one's, without what is cleared. */
function environment(given: Variables): Record<string, string> {
  const all = { ...process.env, ...Object.fromEntries(cleared.map((name) => [name, undefined])), ...given }
  return Object.fromEntries(Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined))
}

/** Starts a command with its output piped, as the leader of a process group, as a shell does. What still runs at the end is killed. */
export function startCommand(keep: Keep, words: readonly string[], variables: Variables = {}): Started {
  const child = spawn(process.execPath, [program, ...words], { cwd: root, env: environment(variables), stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  keep(() => signalGroup(child, 'SIGKILL'))
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const ended = new Promise<Finished>((resolve) => void child.once('close', (status) => resolve({ status, out, err })))
  return { child, out: () => out, err: () => err, ended }
}

/** Signals a command and every process it started, as a terminal does on Ctrl-C. */
export function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal)
  } catch {
    // The whole group has ended.
  }
}

/** Runs a command to its end, as a process of its own. */
export function sallyportProcess(words: readonly string[], variables: Variables = {}): Promise<Finished> {
  return startCommand(() => {}, words, variables).ended
}

let before: Promise<unknown> = Promise.resolve()

/**
 * Runs a command line to its end in this process, over pipes that nobody looks at: for the many that need no process of their own. One after
 * the other, for each sees the environment of a process of its own.
 */
export function sallyport(words: readonly string[], variables: Variables = {}): Promise<Finished> {
  const running = before.then(() => within(variables, () => runHere(words)))
  before = running.catch(() => {})
  return running
}

async function runHere(words: readonly string[]): Promise<Finished> {
  const streams = { out: '', err: '' }
  // Nothing else of a stream is used where it is no terminal.
  const pipe = (name: 'out' | 'err') => ({ write: (text: string) => (streams[name] += text), isTTY: false }) as unknown as NodeJS.WriteStream
  const status = await runCommandLine(words, openTerminal({ stdout: pipe('out'), stderr: pipe('err'), env: process.env }, words.includes('--json')))
  return { status, ...streams }
}

/** Does it while the environment of this process is what `environment` makes of it. */
async function within<T>(variables: Variables, work: () => Promise<T>): Promise<T> {
  const names = [...cleared, ...Object.keys(variables)]
  const was = Object.fromEntries(names.map((name) => [name, process.env[name]]))
  try {
    put({ ...Object.fromEntries(names.map((name) => [name, undefined])), ...variables })
    return await work()
  } finally {
    put(was)
  }
}

function put(variables: Variables): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

/** `sallyport serve` as a process of its own, ready to serve. */
export interface Served extends Started {
  readonly policies: PoliciesFolder
  port(listener: string): number
  /** What it has written so far, line by line. */
  journal(): readonly JournalRecord[]
  /** The first line that fits, there already or still to come. */
  entry(fits: (record: JournalRecord) => boolean): Promise<JournalRecord>
}

export async function startServe(
  keep: Keep,
  files: Files,
  environment: string,
  options: { readonly words?: readonly string[]; readonly variables?: Variables; readonly patienceMs?: number } = {},
): Promise<Served> {
  const policies = await policiesFolder(keep, files)
  const words = ['serve', '--env', environment, '--policies', policies.path, '--log-format', 'json', ...(options.words ?? [])]
  const started = startCommand(keep, words, options.variables)
  const journal = () => linesOf(started.out())
  const entry: Served['entry'] = (fits) =>
    vi.waitFor(
      () => {
        const found = journal().find(fits)
        if (found === undefined) throw new Error(`no such line in:\n${started.out()}`)
        return found
      },
      { timeout: options.patienceMs ?? 10_000, interval: 10 },
    )
  await entry((line) => line['event'] === 'started')
  const port = (listener: string) => {
    const bound = journal().find((line) => line['event'] === 'listening' && line['listener'] === listener)
    if (bound === undefined) throw new Error(`no listener ${listener}`)
    return Number(bound['port'])
  }
  return { ...started, policies, journal, entry, port }
}

/** Every whole line of a JSON log. */
function linesOf(text: string): readonly JournalRecord[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JournalRecord)
}
