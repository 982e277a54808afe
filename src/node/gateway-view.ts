import type { Health } from '../core/health.ts'
import type { keySetsOf } from '../core/ingress/identify.ts'
import type { GuardStatus } from '../core/ingress/steer.ts'
import type { Diagnostic } from '../core/policy/diagnostic.ts'
import type { Snapshot } from '../core/snapshot.ts'
import type { EndpointStatus, ShieldStatus, SourceStatus } from '../core/upstream.ts'
import type { CertificateStatus } from './certificate-status.ts'
import type { BoundListener } from './gateway/listener-set.ts'

/** How an issuer's keys stand. */
export type KeySetStatus = ReturnType<ReturnType<typeof keySetsOf>['status']>[number]

/** `draining`: still serving, but told to stop; readiness says no. */
export type Phase = 'starting' | 'serving' | 'draining'

/** How the last look at the policies folder ended. */
export interface LastLoad {
  /** `unchanged`: good, and the same as what is in force. `failed`: what was in force before still is. */
  readonly outcome: 'published' | 'unchanged' | 'failed'
  /** Wall time, milliseconds. */
  readonly at: number
  /** Everything that look found, errors first. */
  readonly diagnostics: readonly Diagnostic[]
}

/** What the admin listener may know of the gateway. It changes nothing through it. */
export interface GatewayView {
  readonly phase: Phase
  /** Wall time, milliseconds. */
  readonly startedAt: number
  readonly now: number
  /** What is in force, and since when (wall time). */
  readonly snapshot: Pick<Snapshot, 'revision' | 'policy'>
  readonly publishedAt: number
  readonly inFlight: number
  /** Diagnostics of the policies in force: warnings, and the errors behind what is quarantined. */
  readonly inForce: readonly Diagnostic[]
  readonly lastLoad: LastLoad
  readonly listeners: readonly BoundListener[]
  readonly keySets: readonly KeySetStatus[]
  /** Guarded destinations of the policies in force. */
  readonly guards: readonly GuardStatus[]
  /** Of all clusters in use. */
  readonly endpoints: readonly EndpointStatus[]
  /** Breakers and adaptive limits. */
  readonly shields: readonly ShieldStatus[]
  /** Where endpoints are found. */
  readonly sources: readonly SourceStatus[]
  /** Those that listeners, clusters and egress services show. */
  readonly certificates: readonly CertificateStatus[]
  /** Of a gRPC service, or with an empty name of the process: what grpc.health.v1 answers. */
  healthOf(service: string): Health
  /** The public keys of minted tokens, and for how many seconds a reader may keep them. @throws Error when they cannot be had. */
  signingKeys(): Promise<{ readonly text: string; readonly maxAge: number }>
  /** Processes that serve: how many are wanted, and how many do. Undefined for a gateway of one process. */
  readonly workers?: { readonly wanted: number; readonly serving: number } | undefined
  /** What the operator should know about this process, such as a Node line without security fixes. */
  readonly warnings: readonly string[]
}
