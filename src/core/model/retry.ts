export interface Retry {
  /** Further tries after the first. */
  readonly attempts: number
  readonly on: readonly RetryCondition[]
  /** Share of requests that may be retries, 0 to 1. */
  readonly budget: number
  /** Upper-case methods that may be repeated without an idempotency key. */
  readonly methods: readonly string[]
  /** Upper-case methods that may be repeated when the request carries an Idempotency-Key. */
  readonly withIdempotencyKey: readonly string[]
  /** A longer Retry-After is passed on instead of waited for. Milliseconds. */
  readonly maxRetryAfterMs: number
  /** Header of the key, lower-case; left out: `idempotency-key`. */
  readonly keyHeader?: string
  /** Milliseconds after which a try is cut; undefined: none is, but who has used up its share of the time is joined by another try. */
  readonly perTryMs?: number | undefined
  /** RPCs of the route's service that may be repeated whatever their descriptors say. */
  readonly rpcs?: readonly string[]
  /** Bodies up to so many bytes are kept for another try. */
  readonly bodies?: number
  /** Answers of an announced length up to so many bytes are held back until they are whole; undefined: every answer flows as it comes. */
  readonly answers?: number | undefined
}

/**
 * `connect`: nothing was sent. `reset`: broke off before an answer. `unavailable`: 503 or gRPC UNAVAILABLE. `deadline`: a try took too long. A
 * number: that HTTP status. The others are gRPC codes.
 */
export type RetryCondition = 'connect' | 'reset' | 'unavailable' | 'deadline' | GrpcCondition | number

/** gRPC codes (grpc.io, statuscodes) after which another try may end otherwise. */
export type GrpcCondition = 'cancelled' | 'unknown' | 'deadline_exceeded' | 'resource_exhausted' | 'aborted' | 'internal' | 'data_loss'

/** A second try beside the first, when that takes longer than usual. */
export interface Hedge {
  /** After this share of all answers would be there (0 to 1), or after so long. */
  readonly after: { readonly percentile: number } | { readonly ms: number }
  /** Share of the requests that may be sent twice, 0 to 1. */
  readonly budget: number
}
