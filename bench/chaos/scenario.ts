import type { Keep } from '../harness/keep.ts'
import type { Samples } from './steady-load.ts'

/** What is done to a system under steady load, and what must hold all the while. */
export interface Scenario {
  /** `group/name`: groups have a table each. */
  readonly name: string
  /** In one line, what happens. */
  readonly about: string
  /** What the scenario needs and this machine lacks, with the command that installs it. */
  missing(): string | undefined
  /** Starts everything of its own, and hands what is to be closed to `keep`. */
  setup(options: ChaosOptions, keep: Keep): Promise<Stage>
}

/** A system that is up and may be put under load. */
export interface Stage {
  /** Where and what the n-th request is. */
  request(n: number): ChaosRequest
  /** A part of the run begins. */
  enter(phase: Phase): void
  /** Ends when the harm is done. */
  fault(): Promise<void>
  /** Nothing gets better before it is healed: it is left alone for a while. */
  readonly stays: boolean
  /** Ends when the system has no more excuse. */
  heal(): Promise<void>
  judge(run: Run): Promise<Verdict>
}

export interface ChaosRequest {
  readonly port: number
  readonly path: string
  /** GET without it. */
  readonly method?: string
  readonly headers: Readonly<Record<string, string>>
  /** Whatever the judge wants to know of the request. */
  readonly tag: string
}

/** `control`: nothing is wrong. `fault`: from the beginning of the fault to its healing. `after`: from then to the end. */
export type Phase = 'warm-up' | 'control' | 'fault' | 'after'

/** When what began, in milliseconds of the one clock that the samples have too. */
export interface Run {
  readonly samples: Samples
  readonly control: number
  readonly fault: number
  readonly healed: number
  readonly end: number
}

export interface Verdict {
  /** A line of the group's table, by column. All scenarios of a group have the same columns. */
  readonly figures: Readonly<Record<string, string>>
  /** What must be so and was not: the run fails. */
  readonly broken: readonly string[]
  /** Times that were asked for and not kept, which a busy machine does not keep either. */
  readonly missed: readonly string[]
}

export interface ChaosOptions {
  /** Requests per second. */
  readonly rate: number
  /** How long each of the phases lasts, in seconds, and how long a fault that stays. */
  readonly seconds: number
}
