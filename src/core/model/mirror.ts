import type { Destination } from './destination.ts'

/** Where copies go; nobody waits for what becomes of them. */
export interface Mirror extends Destination {
  /** Share of the requests, 0 to 1. */
  readonly share: number
  /** Upper-case HTTP methods, on path routes. */
  readonly methods: readonly string[]
  /** On gRPC routes: RPCs that are copied beside those that have no side effects or a GET binding. */
  readonly rpcs: readonly string[]
  /** Copies under way at once; what is beyond is not copied. */
  readonly requests: number
  /** Undefined: nobody looks at the answers. */
  readonly diff: MirrorDiff | undefined
}

/** How the answers of two services are compared. Patterns are JSON pointers with `*` for any one segment, and take all that is below. */
export interface MirrorDiff {
  /** Share of the copies, 0 to 1. */
  readonly share: number
  /** Lower-case names of the headers that are compared. */
  readonly headers: readonly string[]
  readonly ignore: readonly string[]
  /** Members whose values are never written down. */
  readonly mask: readonly string[]
}
