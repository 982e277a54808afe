import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/node/demo/workspace.ts'
import type { LoadPlan } from '../load/plan.ts'
import type { Child, Peer, Suite } from '../model.ts'
import { orderOf, ratiosWithin, spreadOf } from '../report/statistics.ts'
import type { PeerResult, Round, SuiteResult } from '../result.ts'
import { ask, faultIn, untilListening } from './ask.ts'
import type { Bench } from './bench.ts'
import { measure } from './measure.ts'
import { residentMiB } from './proc.ts'

interface Running {
  readonly peer: Peer
  readonly version: string
  readonly port: number
  readonly child: Child
}

interface Backend {
  readonly port: number
  readonly child: Child
}

/** The bundled generator, which drives the fixed rate, has a CPU to share with the backend: more it must not be asked for. */
const mostPerSecond = 8000
const warmUpSeconds = 2
export const fixedSeconds = 2

/** Starts the peers, compares their answers, and measures them in turn. Whatever was started is ended. */
export async function runSuite(bench: Bench, suite: Suite, chosen: readonly Peer[]): Promise<SuiteResult> {
  const started: Child[] = []
  try {
    const backend = await startBackend(bench, suite, started)
    const missing: { name: string; install: string }[] = []
    const failed: { name: string; why: string }[] = []
    const running: Running[] = []
    for (const peer of chosen) {
      const version = await peer.available()
      if (version === undefined) missing.push({ name: peer.name, install: peer.install })
      else {
        bench.say(`${suite.name}: starting ${peer.name}`)
        const outcome = await startPeer(bench, suite, peer, version, backend, started)
        if (typeof outcome === 'string') failed.push({ name: peer.name, why: outcome })
        else running.push(outcome)
      }
    }
    const measured = await measureAll(bench, suite, running, backend)
    return { name: suite.name, title: suite.title, request: suite.request, ...measured, missing, failed }
  } finally {
    await Promise.all(started.map((child) => child.close()))
  }
}

async function startBackend(bench: Bench, suite: Suite, started: Child[]): Promise<Backend> {
  const { program, args } = suite.backend
  const port = await freePort()
  const file = fileURLToPath(new URL(`../programs/${program}`, import.meta.url))
  const words = args.map((arg) => (arg === 'descriptors' ? bench.descriptors : arg))
  const child = bench.children.spawn(process.execPath, [file, String(port), ...words], bench.machine.pinning?.others)
  started.push(child)
  await untilListening(port, child, program)
  return { port, child }
}

/** The peer, running and giving the right answers, or why it is not. */
async function startPeer(bench: Bench, suite: Suite, peer: Peer, version: string, backend: Backend, started: Child[]): Promise<Running | string> {
  const folder = join(bench.folder, `${suite.name}-${peer.name}`)
  const port = await freePort()
  try {
    await mkdir(folder, { recursive: true })
    const child = await peer.start({
      suite,
      port,
      folder,
      backendPort: backend.port,
      issuer: bench.issuer,
      descriptors: bench.descriptors,
      sallyport: bench.sallyport,
      nodeFlags: bench.nodeFlags,
      spawn: (command, args) => bench.children.spawn(command, args, bench.machine.pinning?.underTest),
    })
    started.push(child)
    await untilListening(port, child, peer.name)
    const fault = await wrongWith(bench, suite, peer, port)
    return fault ?? { peer, version, port, child }
  } catch (error) {
    return (error as Error).message
  }
}

async function wrongWith(bench: Bench, suite: Suite, peer: Peer, port: number): Promise<string | undefined> {
  const fault = faultIn(await ask(port, suite.request, bench.issuer.tokens[0]), suite.answer)
  if (fault !== undefined || !peer.features.includes('jwt')) return fault
  const { status } = await ask(port, suite.request, undefined)
  return status === 401 ? undefined : `it answers ${status} to a request without a token`
}

type Measurements = Pick<SuiteResult, 'reference' | 'peers' | 'fixedRate' | 'direct'>

async function measureAll(bench: Bench, suite: Suite, running: readonly Running[], backend: Backend): Promise<Measurements> {
  const plan = (port: number, seconds: number, rate?: number): LoadPlan => ({
    port,
    seconds,
    rate,
    connections: bench.connections,
    request: suite.request,
    tokens: bench.issuer.tokens,
  })
  for (const { peer, port } of running) {
    bench.say(`${suite.name}: warming up ${peer.name}`)
    await bench.load.run(plan(port, warmUpSeconds))
  }
  const rounds: Round[][] = running.map(() => [])
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const index of orderOf(round, running.length)) {
      const { peer, port, child } = running[index] as Running
      bench.say(`${suite.name}: round ${round + 1} of ${bench.rounds}, ${peer.name}`)
      rounds[index]?.push(await measure(bench, plan(port, bench.seconds), child.pid, backend.child.pid))
    }
  }
  const fixedRate = rateFor(rounds)
  const fixed: Round[] = []
  for (const { peer, port, child } of running) {
    bench.say(`${suite.name}: ${fixedRate} requests/s through ${peer.name}`)
    fixed.push(await measure(bench, plan(port, fixedSeconds, fixedRate), child.pid, backend.child.pid))
  }
  const direct =
    suite.backend.protocol === 'http' && running.length > 0
      ? await measure(bench, plan(backend.port, fixedSeconds, fixedRate), backend.child.pid, backend.child.pid)
      : undefined
  const reference = Math.max(
    0,
    running.findIndex(({ peer }) => peer.name === suite.reference),
  )
  const against = (rounds[reference] ?? []).map((round) => round.cpuMicros)
  return {
    reference: running[reference]?.peer.name ?? suite.reference,
    peers: running.map((one, index) => resultOf(one, rounds[index] ?? [], fixed[index] as Round, against)),
    fixedRate,
    direct: direct === undefined ? undefined : { p50Ms: direct.p50Ms, p99Ms: direct.p99Ms },
  }
}

/** Half of what the slowest peer can do, to two digits. */
function rateFor(rounds: readonly (readonly Round[])[]): number {
  if (rounds.length === 0) return 0
  const half = Math.min(mostPerSecond, ...rounds.map((each) => spreadOf(each.map((round) => round.perSecond)).median / 2))
  return Math.max(1, Number(half.toPrecision(2)))
}

function resultOf({ peer, version, child }: Running, rounds: readonly Round[], fixed: Round, reference: readonly number[]): PeerResult {
  const spread = (value: (round: Round) => number) => spreadOf(rounds.map(value))
  return {
    name: peer.name,
    version,
    about: peer.about,
    features: peer.features,
    cpuMicros: spread((round) => round.cpuMicros),
    ratio: spreadOf(
      ratiosWithin(
        rounds.map((round) => round.cpuMicros),
        reference,
      ),
    ),
    perSecond: spread((round) => round.perSecond),
    p50Ms: spread((round) => round.p50Ms),
    p99Ms: spread((round) => round.p99Ms),
    utilisation: spread((round) => round.utilisation),
    errors: [...rounds, fixed].reduce((sum, round) => sum + round.errors, 0),
    residentMiB: residentMiB(child.pid),
    fixed,
    rounds,
  }
}
