/** A path after canonicalisation, with what a proxied route may have to refuse. */
export interface CanonicalPath {
  readonly path: string
  readonly encodedSlash: boolean
  readonly semicolon: boolean
}

/** The canonical form of a raw path, or why two parsers could read it differently. Implemented with the room `receive`. */
export declare function canonicalPath(raw: string): CanonicalPath | { readonly ambiguous: string }
