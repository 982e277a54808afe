import type { Load } from '../load/load.ts'
import type { Children } from './children.ts'
import type { BenchIssuer } from './issuer.ts'
import type { Machine } from './machine.ts'

/** What every suite of a run shares. */
export interface Bench {
  readonly children: Children
  readonly load: Load
  readonly issuer: BenchIssuer
  readonly machine: Machine
  /** Clock ticks per second. */
  readonly hertz: number
  /** Temporary; removed at the end. */
  readonly folder: string
  readonly descriptors: string
  readonly sallyport: readonly string[]
  readonly nodeFlags: readonly string[]
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  readonly say: (progress: string) => void
}
