export interface TranslateOptions {
  readonly unknownQuery: 'reject' | 'ignore' | readonly string[]
  readonly emitDefaults: boolean
  readonly enumsAsInts: boolean
  readonly protoNames: boolean
  readonly ignoreUnknownFields: boolean
  // What is not given below is off.
  /** `fromGet`: HEAD takes the GET bindings, and is answered without a body. */
  readonly head?: 'refuse' | 'fromGet'
  /** Headers of a request that become metadata of the same name; `*` at the end of one stands for the rest. */
  readonly requestHeaders?: readonly string[]
  /** Metadata and trailers of an answer that become headers of the same name; `*` likewise. */
  readonly responseHeaders?: readonly string[]
  /** Metadata of a unary answer whose value is its HTTP status, 2xx or 3xx. */
  readonly statusFrom?: string | undefined
  /** The field `etag` is the entity tag: with its quotes (true, AIP-154), or without them (bare). */
  readonly etag?: boolean | 'bare'
  /** Map fields bind from the query as `field[key]=value`. */
  readonly queryMaps?: boolean
  /** What becomes of a body where the rule has no place for one. */
  readonly unexpectedBody?: 'ignore' | 'reject'
  /** Status of an answer that is google.protobuf.Empty. */
  readonly emptyAnswer?: 200 | 204
  /** Messages and details of INTERNAL and UNKNOWN are shown. */
  readonly showInternal?: boolean
}
