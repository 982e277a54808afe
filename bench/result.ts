import type { Disturbance, Machine } from './harness/machine.ts'
import type { BenchRequest, Feature, SuiteName } from './model.ts'
import type { Spread } from './report/statistics.ts'

/** What one measurement of one peer gave. */
export interface Round extends Disturbance {
  /** User and system time of the peer and whatever it started, divided by requests. */
  readonly cpuMicros: number
  /** CPU time of the peer per second: 1 is a CPU that does nothing else. */
  readonly utilisation: number
  readonly requests: number
  readonly errors: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** The same of the service behind it. */
  readonly backendMicros: number
  readonly backendUtilisation: number
}

export interface PeerResult {
  readonly name: string
  readonly version: string
  readonly about: string
  readonly features: readonly Feature[]
  readonly cpuMicros: Spread
  /** CPU per request as a multiple of the reference's in the same round. */
  readonly ratio: Spread
  readonly perSecond: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
  readonly utilisation: Spread
  readonly errors: number
  /** At the end. */
  readonly residentMiB: number
  /** At the fixed rate of the suite. */
  readonly fixed: Round
  readonly rounds: readonly Round[]
}

export interface SuiteResult {
  readonly name: SuiteName
  readonly title: string
  readonly request: BenchRequest
  readonly reference: string
  readonly peers: readonly PeerResult[]
  /** Requests per second of the latency pass, the same for every peer: half of what the slowest can do. */
  readonly fixedRate: number
  /** The backend asked without anything in front of it, at the same rate; only where it speaks HTTP itself. */
  readonly direct: { readonly p50Ms: number; readonly p99Ms: number } | undefined
  /** Not on this machine. */
  readonly missing: readonly { readonly name: string; readonly install: string }[]
  /** Did not start, or gave another answer. */
  readonly failed: readonly { readonly name: string; readonly why: string }[]
}

export interface BenchResult {
  readonly takenAt: string
  readonly command: string
  readonly revision: string | undefined
  /** How Sallyport was run. */
  readonly sallyport: 'compiled' | 'source'
  readonly load: string
  readonly connections: number
  readonly rounds: number
  readonly seconds: number
  readonly machine: Machine
  readonly tookSeconds: number
  readonly suites: readonly SuiteResult[]
}
