import { type Feature, features } from '../model.ts'
import type { BenchResult, PeerResult, SuiteResult } from '../result.ts'
import type { Spread } from './statistics.ts'
import { columns, figure } from './table.ts'

/** The result as text, 80 to 120 columns wide. */
export function printed(result: BenchResult): string {
  return [...heading(result), '', matrix(result.suites), ...result.suites.map(suiteText), footnotes(result)].join('\n')
}

function heading({ machine, sallyport, load, connections, rounds, seconds, revision, takenAt }: BenchResult): readonly string[] {
  const pinned =
    machine.pinning === undefined
      ? 'not pinned: peers, load and backend share the CPUs'
      : `program under test on CPU ${machine.pinning.underTest}, load and backend on ${machine.pinning.others}`
  return [
    `Sallyport bench, ${takenAt}${revision === undefined ? '' : `, revision ${revision}`}, Sallyport run from ${sallyport === 'compiled' ? 'compiled output' : 'source'}`,
    `${machine.cpu}, ${machine.cpus} CPUs, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node ${machine.node}, load average before: ${machine.loadBefore.toFixed(2)}`,
    `${pinned}; ${load}, ${connections} connections, ${rounds} rounds of ${seconds} s`,
  ]
}

function matrix(suites: readonly SuiteResult[]): string {
  const names = Object.keys(features) as Feature[]
  const rows = suites.flatMap((suite) =>
    suite.peers.map((peer) => [`${suite.name}  ${peer.name}`, ...names.map((name) => (peer.features.includes(name) ? 'yes' : '-')), peer.version]),
  )
  return columns([['duties', ...names, 'version'], ...rows])
}

function suiteText(suite: SuiteResult): string {
  const head = ['peer', 'CPU µs/req', '(min–max)', `× ${suite.reference}`, 'req/s', 'p50 ms', 'p99 ms', 'CPU used', 'MiB', `p50 at ${suite.fixedRate}/s`, 'p99']
  const direct =
    suite.direct === undefined ? [] : [['(backend itself)', '', '', '', '', '', '', '', '', figure(suite.direct.p50Ms), figure(suite.direct.p99Ms)]]
  const lines = [
    '',
    suite.title,
    columns([head, ...suite.peers.map(peerRow), ...direct]),
    ...suite.peers.filter((peer) => peer.errors > 0).map((peer) => `${peer.name}: ${peer.errors} ERRORS, its figures mean nothing`),
    ...suite.failed.map(({ name, why }) => `${name}: NOT MEASURED, ${why}`),
    ...suite.missing.map(({ name, install }) => `${name}: skipped, not installed (${install})`),
  ]
  return lines.join('\n')
}

function peerRow(peer: PeerResult): readonly string[] {
  const range = ({ min, max }: Spread): string => `(${figure(min)}–${figure(max)})`
  return [
    peer.name,
    figure(peer.cpuMicros.median),
    range(peer.cpuMicros),
    figure(peer.ratio.median),
    figure(peer.perSecond.median),
    figure(peer.p50Ms.median),
    figure(peer.p99Ms.median),
    figure(peer.utilisation.median),
    peer.residentMiB.toFixed(0),
    figure(peer.fixed.p50Ms),
    figure(peer.fixed.p99Ms),
  ]
}

/** Beyond these shares of the machine the figures of a round say as much about its neighbours. */
const quiet = { foreign: 0.05, steal: 0.05 } as const

function disturbed(foreign: number, steal: number): readonly string[] {
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`
  if (foreign <= quiet.foreign && steal <= quiet.steal) return []
  return [
    `THE MACHINE WAS NOT QUIET: other processes took up to ${percent(foreign)} of it in a round, the hypervisor ${percent(steal)}. Trust the ratios only, and those with care.`,
  ]
}

function footnotes({ suites, tookSeconds }: BenchResult): string {
  const rounds = suites.flatMap((suite) => suite.peers.flatMap((peer) => peer.rounds))
  const most = (value: (round: (typeof rounds)[number]) => number): number => rounds.reduce((greatest, round) => Math.max(greatest, value(round)), 0)
  return [
    '',
    'Medians over the rounds, which take the peers in turn; × is CPU per request against the reference in the same round. The first p50 and p99 are at saturation.',
    `Backend: at most ${figure(most((round) => round.backendMicros))} µs CPU per request and ${figure(most((round) => round.backendUtilisation))} of a CPU. Took ${tookSeconds.toFixed(0)} s.`,
    ...disturbed(
      most((round) => round.foreign),
      most((round) => round.steal),
    ),
  ].join('\n')
}
