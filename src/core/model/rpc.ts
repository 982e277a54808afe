/** One HTTP rule of an RPC (google.api.HttpRule), or the automatic `POST /package.Service/Method`. */
export interface HttpBinding {
  /** Upper-case method, or `*` for a custom rule of any method. */
  readonly method: string
  /** HttpRule path template. */
  readonly template: string
  /** `*`, a top-level field name, or empty for none. */
  readonly body: string
  /** A top-level field name, or empty for the whole message. */
  readonly responseBody: string
}

/** One method of a gRPC service that a route takes. */
export interface Rpc {
  /** `package.Service` */
  readonly service: string
  readonly method: string
  /** `/package.Service/Method` */
  readonly path: string
  readonly input: string
  readonly output: string
  readonly clientStream: boolean
  readonly serverStream: boolean
  /** It is declared to have no side effects (`idempotency_level = NO_SIDE_EFFECTS`): Connect may call it with GET. */
  readonly noSideEffects?: true
  /** It is declared to mean the same once and twice (`idempotency_level = IDEMPOTENT`). */
  readonly idempotent?: true
  readonly bindings: readonly HttpBinding[]
}

/** How a matched request meets its RPC. */
export interface RpcMatch {
  readonly rpc: Rpc
  /** Undefined when the request is gRPC, gRPC-Web or Connect: then the whole message is the caller's. */
  readonly binding: HttpBinding | undefined
}
