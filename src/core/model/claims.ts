export interface ClaimEquals {
  /** Dotted path into the claims. */
  readonly path: string
  readonly value: string | number | boolean
}

/**
 * The claim at a dotted path, or undefined. A claim whose name is the whole path comes first, so that names with dots
 * (`https://example.com/tenant`) can be asked for; then each part is one step into an object. Own members only: a path never
 * reaches into a list, a string or a prototype.
 */
export function claimAt(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let here: unknown = claims
  for (const step of path.split('.')) {
    if (typeof here !== 'object' || here === null || Array.isArray(here) || !Object.hasOwn(here, step)) return undefined
    // An object that is no array is a bag of members, each unknown.
    here = (here as Readonly<Record<string, unknown>>)[step]
  }
  return here
}
