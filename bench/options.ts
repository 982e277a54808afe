import { parseArgs } from 'node:util'
import type { LoadKind } from './load/load.ts'
import type { Peer, SuiteName } from './model.ts'
import { fullSuites, suites, usualSuites } from './suites.ts'

export interface Options {
  readonly suites: readonly SuiteName[]
  /** Names of the peers to run; undefined: those that are not extra, or all with `--full`. */
  readonly peers: readonly string[] | undefined
  readonly rounds: number
  /** Seconds of each measurement; undefined: two, or one where two do not fit into the time there is. */
  readonly seconds: number | undefined
  readonly connections: number
  readonly load: LoadKind | 'auto'
  /** File for the result as JSON. */
  readonly json: string | undefined
  /** Folder for CPU profiles of the peers that run on Node. */
  readonly profile: string | undefined
  readonly full: boolean
}

/** The command line is not understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const usage = `Usage: npm run bench -- [options]

  --suite A,B       of: ${Object.keys(suites).join(', ')} (default: ${usualSuites.join(', ')}; with --full: ${fullSuites.join(', ')})
  --peers A,B       only these
  --rounds N        how often each peer is measured (default: 5; with --full: 9)
  --seconds N       how long each time (default: 2, or 1 where that keeps the run under two minutes)
  --connections N   keep-alive connections (default: 64)
  --load KIND       wrk or bundled (default: wrk where it is installed)
  --json FILE       write the result there too
  --profile FOLDER  write CPU profiles of the peers that run on Node; their figures are then not to be quoted
  --full            every suite and peer, more rounds, no time limit
  --help

Example: npm run bench -- --suite transcode --rounds 3 --json result.json`

/** @throws UsageError */
export function readOptions(words: readonly string[], known: readonly Peer[]): Options | 'help' {
  const values = parse(words)
  if (values['help'] === true) return 'help'
  const full = values['full'] === true
  const named = (option: string): string | undefined => values[option] as string | undefined
  return {
    suites: suitesOf(named('suite')) ?? (full ? fullSuites : usualSuites),
    peers: peersOf(named('peers'), known),
    rounds: count('rounds', named('rounds'), 100) ?? (full ? 9 : 5),
    seconds: count('seconds', named('seconds'), 600) ?? (full ? 3 : undefined),
    connections: count('connections', named('connections'), 10_000) ?? 64,
    load: loadOf(named('load')),
    json: named('json'),
    profile: named('profile'),
    full,
  }
}

function parse(words: readonly string[]): Readonly<Record<string, unknown>> {
  const text = { type: 'string' } as const
  const yes = { type: 'boolean' } as const
  try {
    return parseArgs({
      args: [...words],
      options: { suite: text, peers: text, rounds: text, seconds: text, connections: text, load: text, json: text, profile: text, full: yes, help: yes },
    }).values
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause })
  }
}

function suitesOf(list: string | undefined): readonly SuiteName[] | undefined {
  return list?.split(',').map((name) => {
    if (!Object.hasOwn(suites, name)) throw new UsageError(`there is no suite "${name}"`)
    return name as SuiteName
  })
}

function peersOf(list: string | undefined, known: readonly Peer[]): readonly string[] | undefined {
  const names = list?.split(',')
  const stranger = names?.find((name) => !known.some((peer) => peer.name === name))
  if (stranger !== undefined) throw new UsageError(`there is no peer "${stranger}", only: ${Array.from(new Set(known.map((peer) => peer.name))).join(', ')}`)
  return names
}

function count(option: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most) throw new UsageError(`--${option} is a whole number from 1 to ${most}`)
  return value
}

function loadOf(text: string | undefined): Options['load'] {
  if (text === undefined) return 'auto'
  if (text !== 'wrk' && text !== 'bundled') throw new UsageError('--load is wrk or bundled')
  return text
}

/** The peers of a suite that are to run, in the order of the registry. */
export function chosenPeers(options: Pick<Options, 'peers' | 'full'>, suite: SuiteName, known: readonly Peer[]): readonly Peer[] {
  return known.filter((peer) => peer.suites.includes(suite) && (options.peers === undefined ? options.full || !peer.extra : options.peers.includes(peer.name)))
}
