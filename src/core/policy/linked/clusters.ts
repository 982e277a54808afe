import type { BreakerRule } from '../../model/breaker.ts'
import type { BalanceKind, Balancing } from './balance.ts'
import type { Endpoints } from './endpoints.ts'
import type { HealthCheck, Outlier } from './health.ts'

export interface Cluster {
  readonly name: string
  readonly quarantined: string | undefined
  readonly sidecar: 'envoy' | 'istio' | 'linkerd' | 'consul' | 'none'
  readonly protocol: 'http' | 'h2' | 'grpc'
  readonly endpoints: Endpoints
  /** What the upstream reads as Host or `:authority`; undefined means the downstream's own. */
  readonly authority: string | undefined
  readonly tls: ClusterTls | undefined
  readonly balance: BalanceKind
  /** Undefined: nothing of it was said. */
  readonly balancing?: Balancing | undefined
  /** Active checks; undefined for none. */
  readonly health?: HealthCheck | undefined
  /** Outlier ejection; undefined for none. */
  readonly outlier?: Outlier | undefined
  readonly connectTimeoutMs: number
  readonly caps: Caps
  /** Left alone when it fails; undefined for never. */
  readonly breaker?: BreakerRule | undefined
  /** `adaptive`: what it takes at a time is found out by how long it takes to answer. */
  readonly concurrency?: 'adaptive' | undefined
  readonly subsets: Readonly<Record<string, Subset>>
  /** The pinned descriptor set of its services. */
  readonly descriptors?: PinnedSet | undefined
}

/** What one process may have under way to a cluster. */
export interface Caps {
  readonly requests: number
  /** So many more may wait for a place; the rest is refused at once. */
  readonly pending?: number
  /** Connections at a time, over all endpoints; undefined for as many as it takes. */
  readonly connections?: number | undefined
  /** Requests that are being repeated at once, whatever the budgets of routes allow. */
  readonly retries?: number | undefined
}

export interface ClusterTls {
  readonly serverName: string | undefined
  /** SPIFFE ids, or `/*` behind one for everything below: the certificate must hold one of these, whatever else it is for. */
  readonly spiffe?: readonly string[] | undefined
  /** References to PEM text. */
  readonly ca: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
}

export interface PinnedSet {
  /** Path under the policies folder. */
  readonly file: string
  /** Lower-case hex SHA-256 of the file as it is. */
  readonly sha256: string
  /** How often the service is asked whether the set still holds; undefined for never. Milliseconds. */
  readonly driftMs: number | undefined
}

export interface Subset {
  readonly authority: string | undefined
  readonly endpoints: Endpoints | undefined
  /** Labels that an endpoint must have; undefined: every endpoint. */
  readonly labels?: Readonly<Record<string, string>> | undefined
}
