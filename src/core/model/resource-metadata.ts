const wellKnown = '/.well-known/oauth-protected-resource'

/** Where the metadata of a resource stands: the well-known path between its host and its own path (RFC 9728 section 3.1). */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname } = new URL(resource)
  return `${origin}${wellKnown}${pathname === '/' ? '' : pathname}`
}
