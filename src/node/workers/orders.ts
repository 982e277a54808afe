import type { GuardStatus } from '../../core/ingress/steer.ts'
import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Descriptor } from '../../core/ports.ts'
import type { EndpointStatus, ShieldStatus, SourceStatus } from '../../core/upstream.ts'
import type { CertificateStatus } from '../certificate-status.ts'
import type { Standing } from '../counters.ts'
import type { BoundListener } from '../gateway/listener-set.ts'
import type { KeySetStatus } from '../gateway-view.ts'
import type { Figures } from '../meter.ts'
import type { Settings } from '../settings.ts'

/** Policies, and the real port of every listener that they give port 0, by its name. */
export interface Served {
  readonly policy: Policy
  readonly ports: Readonly<Record<string, number>>
}

/** What a worker process knows of itself. */
export interface Report {
  readonly inFlight: number
  readonly keySets: readonly KeySetStatus[]
  readonly endpoints: readonly EndpointStatus[]
  readonly shields: readonly ShieldStatus[]
  readonly sources: readonly SourceStatus[]
  readonly certificates: readonly CertificateStatus[]
  readonly guards: readonly GuardStatus[]
  readonly figures: Figures
}

/** What the primary process tells its workers to do, and what they say when it is done. Each is one message both ways. */
export interface Orders {
  /** Serve; `workers` is how many do. */
  readonly begin: readonly [given: Served & { readonly settings: Omit<Settings, 'variables'>; readonly workers: number }, done: readonly BoundListener[]]
  /** Get ready for other policies: what stands against them, if anything. */
  readonly prepare: readonly [given: Served, done: Diagnostic | undefined]
  /** Put them in force: which addresses were lost, and those that are bound. */
  readonly commit: readonly [given: undefined, done: { readonly lost: readonly Diagnostic[]; readonly listeners: readonly BoundListener[] }]
  /** Let no egress call begin until what was prepared is in force or forgotten. */
  readonly hold: readonly [given: undefined, done: undefined]
  /** Forget what was prepared. */
  readonly abort: readonly [given: undefined, done: undefined]
  readonly report: readonly [given: undefined, done: Report]
  /** Forget what issuers said of opaque tokens. */
  readonly forget: readonly [given: undefined, done: undefined]
  /** Give a guarded destination its weight back: whether there is one of that name. */
  readonly rearm: readonly [given: { readonly route: string; readonly destination: string }, done: boolean]
  /** How a limit stands where this worker counts. */
  readonly lookAtLimit: readonly [given: Descriptor, done: Standing]
  /** Forget what a limit has counted: there, or `here` only what this worker remembers of it. Whether anything was counted there. */
  readonly forgetLimit: readonly [given: { readonly descriptor: Descriptor; readonly here: boolean }, done: boolean]
  /** Drain, then end. Done when the end has begun; `hurry` cuts what is left. */
  readonly stop: readonly [given: { readonly hurry: boolean }, done: undefined]
}

export type OrderName = keyof Orders

/** A message to a worker. */
export interface Order {
  readonly order: number
  readonly name: OrderName
  readonly given: unknown
}

/** The message back. `failed`: why it could not be done, with the diagnostics of a start. */
export type Done =
  | { readonly done: number; readonly is: unknown }
  | { readonly done: number; readonly failed: string; readonly diagnostics: readonly Diagnostic[] }

/** Who carries out orders: one function each. */
export type Hands = { readonly [Name in OrderName]: (given: Orders[Name][0]) => Promise<Orders[Name][1]> }
