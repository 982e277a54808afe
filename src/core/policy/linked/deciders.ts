/** An external decision point: asked about requests that the rules allow, and can only restrict. */
export interface Decider {
  readonly name: string
  readonly point: DecisionPoint
  /** What it is told, and nothing else. */
  readonly send: readonly DeciderPart[]
  /** The parts by which answers are remembered: some of those that are sent. */
  readonly key: readonly DeciderPart[]
  readonly timeoutMs: number
  readonly onFailure: 'deny' | 'allow'
  readonly mode: 'enforce' | 'audit'
  /** The point's words are shown to the refused caller. */
  readonly showReason: boolean
  /** How long an answer holds; `staleForMs` longer while the point cannot be asked. */
  readonly cache: { readonly allowMs: number; readonly denyMs: number; readonly staleForMs: number }
}

export type DecisionPoint =
  /** OPA's data API, under an absolute URL or in a cluster; `path` of the rule with slashes. */
  | { readonly kind: 'opa'; readonly at: { readonly url: string } | { readonly cluster: string }; readonly path: string }
  /** Envoy's external authorization in a cluster: the v3 gRPC service, or over HTTP with a prefix before the path. */
  | ExtAuthzPoint

export interface ExtAuthzPoint {
  readonly kind: 'extAuthz'
  readonly protocol: 'grpc' | 'http'
  readonly cluster: string
  /** HTTP only; empty, or from "/" on without one at the end. */
  readonly pathPrefix: string
  /** A denial with 401 is answered so; otherwise every denial is 403. */
  readonly keepStatus: boolean
  /** Headers of the upstream request that the point may give, lower-case; nobody else may. */
  readonly upstreamHeaders: readonly string[]
}

/** One fact of a request that a decision point may be told. */
export type DeciderPart =
  | { readonly kind: 'method' | 'path' | 'query' | 'host' | 'route' | 'rpc' | 'params' | 'client.address' | 'token' }
  | { readonly kind: 'issuer' | 'subject' | 'clientId' | 'scopes' }
  | { readonly kind: 'claim'; readonly path: string }
  | { readonly kind: 'header'; readonly name: string }
