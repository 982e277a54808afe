import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bench } from './harness/bench.ts'
import { buildSallyport } from './harness/build.ts'
import { openChildren } from './harness/children.ts'
import { startBenchIssuer } from './harness/issuer.ts'
import { describeMachine, outputOf, ticksPerSecond } from './harness/machine.ts'
import { fixedSeconds, runSuite } from './harness/run-suite.ts'
import { secondsThatFit } from './harness/time.ts'
import { openLoad } from './load/load.ts'
import { chosenPeers, type Options, readOptions, UsageError, usage } from './options.ts'
import { peers } from './peers.ts'
import { printed } from './report/print.ts'
import type { BenchResult } from './result.ts'
import { suites } from './suites.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
/** Different subjects that ask in turn, each with a token of its own. */
const subjects = 100

/** Runs what the options say. Nothing that was started is left running, whatever happens. */
async function runBench(options: Options): Promise<BenchResult> {
  const begun = performance.now()
  const machine = describeMachine()
  const takenAt = new Date().toISOString().slice(0, 16).replace('T', ' ')
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })
  const children = openChildren()
  const issuer = await startBenchIssuer(subjects)
  try {
    say('compiling Sallyport')
    const build = await buildSallyport(folder, children)
    const load = await openLoad(options.load, children, machine.pinning?.others, folder)
    const plan = options.suites.map((name) => ({ suite: suites[name], chosen: chosenPeers(options, name, peers) }))
    const count = plan.reduce((sum, { chosen }) => sum + chosen.length, 0)
    const seconds = options.seconds ?? secondsThatFit({ elapsed: (performance.now() - begun) / 1000, peers: count, rounds: options.rounds, fixedSeconds })
    const bench: Bench = {
      children,
      load,
      issuer,
      machine,
      hertz: await ticksPerSecond(),
      folder,
      descriptors: join(root, 'policies/descriptors/shop.binpb'),
      sallyport: build.command,
      nodeFlags: options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(options.profile)}`],
      rounds: options.rounds,
      seconds,
      connections: options.connections,
      say,
    }
    const results = []
    for (const { suite, chosen } of plan) results.push(await runSuite(bench, suite, chosen))
    return {
      takenAt,
      command: ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
      revision: await outputOf('git', ['-C', root, 'describe', '--always', '--dirty']),
      sallyport: build.kind,
      load: load.version,
      connections: options.connections,
      rounds: options.rounds,
      seconds,
      machine,
      tookSeconds: (performance.now() - begun) / 1000,
      suites: results,
    }
  } finally {
    issuer.close()
    await children.closeAll()
    say('')
  }
}

/** One line that is written over, on a terminal; elsewhere a line each. */
function say(progress: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${progress}`)
  else if (progress !== '') process.stderr.write(`${progress}\n`)
}

async function main(words: readonly string[]): Promise<number> {
  try {
    const options = readOptions(words, peers)
    if (options === 'help') {
      process.stdout.write(`${usage}\n`)
      return 0
    }
    const result = await runBench(options)
    process.stdout.write(`${printed(result)}\n`)
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`)
    return result.suites.some((suite) => suite.failed.length > 0 || suite.peers.some((peer) => peer.errors > 0)) ? 1 : 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${error.message}\nSee: npm run bench -- --help\n`)
    return 2
  }
}

// The handlers of 'exit' end what was started.
for (const [name, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const)
  process.on(name, () => process.exit(128 + number))
process.exitCode = await main(process.argv.slice(2))
