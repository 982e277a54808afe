export interface HealthCheck {
  readonly ask:
    | { readonly kind: 'http'; readonly path: string; readonly statuses: readonly { readonly from: number; readonly to: number }[] }
    /** grpc.health.v1; an empty name is the server as a whole. */
    | { readonly kind: 'grpc'; readonly service: string }
    | { readonly kind: 'tcp' }
  readonly intervalMs: number
  readonly timeoutMs: number
  /** So many in a row turn the verdict; the first check of all is one at once. */
  readonly healthyAfter: number
  readonly unhealthyAfter: number
}

export interface Outlier {
  /** Failures in a row; 0 for never. */
  readonly consecutive5xx: number
  readonly consecutiveGateway: number
  readonly successRate: { readonly minEndpoints: number; readonly minRequests: number; readonly deviations: number } | undefined
  /** So many times the median answer time of the cluster, of at least `minRequests` in an interval. */
  readonly slow: { readonly times: number; readonly minRequests: number } | undefined
  readonly intervalMs: number
  readonly ejectForMs: number
  readonly maxEjectForMs: number
  /** The greatest share that is out at a time, but always one, and never all. */
  readonly maxEjected: number
}
