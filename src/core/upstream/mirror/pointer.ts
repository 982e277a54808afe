/** Tells whether a place in a JSON document is named by one of the patterns, or stands below one that is. */
export type Covers = (path: readonly string[]) => boolean

/** Compiles JSON pointers (RFC 6901) in which a segment `*` stands for any one. The empty pointer covers everything. */
export function compilePointers(patterns: readonly string[]): Covers {
  const compiled = patterns.map(segmentsOf)
  return (path) => compiled.some((pattern) => pattern.length <= path.length && pattern.every((segment, i) => segment === '*' || segment === path[i]))
}

/** A place as a JSON pointer. */
export function pointerOf(path: readonly string[]): string {
  return path.map((segment) => `/${segment.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function segmentsOf(pointer: string): readonly string[] {
  return pointer === ''
    ? []
    : pointer
        .slice(1)
        .split('/')
        .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}
