import { proofAlgorithms } from '../../model/proof-algorithms.ts'
import type { Route } from '../../model/route.ts'
import type { Issuer } from '../../policy/linked/issuers.ts'
import type { Resource } from '../../policy/linked/tokens.ts'
import type { Policy } from '../../policy/policy.ts'
import { leavesOf } from '../../policy/requirement.ts'

/** The metadata document of a resource (RFC 9728 section 2), from what its routes ask. */
export function metadataOf(policy: Policy, resource: Resource): Readonly<Record<string, unknown>> {
  const routes = policy.routes.filter((route) => route.resource === resource.name && route.quarantined === undefined)
  const issuers = issuersOf(policy, routes)
  const scopes = scopesOf(policy, routes)
  const listener = policy.listeners.public
  return {
    resource: resource.url,
    ...(issuers.length === 0 ? {} : { authorization_servers: [...new Set(issuers.map(({ issuer }) => issuer))] }),
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
    bearer_methods_supported: ['header'],
    ...(resource.title === undefined ? {} : { resource_name: resource.title }),
    ...(resource.documentation === undefined ? {} : { resource_documentation: resource.documentation }),
    tls_client_certificate_bound_access_tokens: listener?.tls !== undefined && listener.tls.clientAuth !== 'none',
    dpop_signing_alg_values_supported: proofAlgorithms,
    dpop_bound_access_tokens_required: issuers.length > 0 && issuers.every(({ proof }) => proof.required === 'dpop'),
  }
}

function issuersOf(policy: Policy, routes: readonly Route[]): readonly Issuer[] {
  const requirements = routes.flatMap(({ access }) => access.flatMap((name) => policy.access[name]?.authenticate ?? []))
  const names = new Set(requirements.flatMap(leavesOf).flatMap(({ kind, name }) => (kind === 'jwt' || kind === 'introspection' ? [name] : [])))
  return [...names].flatMap((name) => policy.issuers[name] ?? []).filter(({ quarantined }) => quarantined === undefined)
}

/** Whatever a rule that is in force lets pass by its scopes. */
function scopesOf(policy: Policy, routes: readonly Route[]): readonly string[] {
  const names = new Set(routes.flatMap(({ access }) => access))
  const rules = [...names].flatMap((name) => policy.access[name]?.rules ?? []).filter(({ effect, mode }) => effect === 'allow' && mode === 'enforce')
  const scopes = rules.flatMap(({ matcher }) => (matcher.scopes === undefined ? [] : [matcher.scopes.all, matcher.scopes.any]))
  return [...new Set(scopes.flat())].toSorted()
}
