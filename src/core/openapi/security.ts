import type { AccessPolicy, Matcher, Rule } from '../policy/linked/access.ts'
import type { ApiKeySet } from '../policy/linked/api-keys.ts'
import type { CertificateMapping } from '../policy/linked/certificates.ts'
import type { Issuer } from '../policy/linked/issuers.ts'
import type { Policy } from '../policy/policy.ts'
import { isPossible, type Leaves, leavesOf, together, waysOf } from '../policy/requirement.ts'
import type { JsonObject } from './json.ts'

/** What an operation's callers must prove. */
export interface Demanded {
  /** Alternatives, each a set of schemes; empty where nothing is asked. */
  readonly security: readonly JsonObject[]
  /** A credential is read: a bad one is 401. */
  readonly reads: boolean
  /** Some rule may refuse who is known, or nobody in particular. */
  readonly refuses: boolean
}

/** What of an operation rules look at. */
export interface Asked {
  readonly method: string
  /** `package.Service/Method` */
  readonly rpc: string | undefined
}

/** More alternatives than this say nothing to a reader. */
const most = 8

/** The requirement of a route's policies, all of which must be met, with the scopes of the rules that let an operation pass. */
export function demandedOf(policies: readonly AccessPolicy[], asked: Asked): Demanded {
  const allows = policies.flatMap(({ rules }) => rules).filter((rule) => rule.effect === 'allow' && rule.mode === 'enforce' && fits(rule.matcher, asked))
  const isOpen =
    allows.some((rule) => rule.matcher.anonymous && isBare(rule)) &&
    !policies.some(({ rules }) => rules.some(({ effect, mode }) => effect === 'deny' && mode === 'enforce'))
  if (!policies.some(({ authenticate }) => leavesOf(authenticate).length > 0)) return { security: [], reads: false, refuses: !isOpen }
  const sets = together(policies.map(({ authenticate }) => waysOf(authenticate)))
  const possible = sets.filter(isPossible)
  const isOptional = sets.some((leaves) => leaves.length === 0) && allows.some(({ matcher }) => matcher.anonymous)
  const useful = possible.filter((leaves) => leaves.length > 0)
  // Policies that trust nobody in common ask for the credentials of all: one request cannot bring them, and nothing would read as public.
  const all = (useful.length > 0 ? useful : sets.filter((leaves) => leaves.length > 0)).flatMap((leaves) => schemesOf(leaves, allows))
  // A token of one issuer is one scheme, whether it is verified or asked about.
  const ways = Array.from(new Map(all.map((way) => [JSON.stringify(way), way])).values())
  return { security: isOptional ? [{}, ...ways] : ways, reads: true, refuses: !isOpen }
}

function schemesOf(leaves: Leaves, allows: readonly Rule[]): readonly JsonObject[] {
  const [first, ...others] = leaves
  if (first === undefined) return []
  const rest = others.map(({ name }) => [name, []] as const)
  return scopesFor(allows, first.name).map((scopes): JsonObject => Object.fromEntries([[first.name, scopes], ...rest]))
}

/** Rules about other methods and RPCs do not matter; what else they ask depends on the request. */
function fits({ methods, grpc }: Matcher, { method, rpc }: Asked): boolean {
  if (methods !== undefined && !methods.includes(method)) return false
  return grpc === undefined || (rpc !== undefined && grpc.some((one) => one === rpc || (one.endsWith('/*') && rpc.startsWith(one.slice(0, -1)))))
}

function isBare({ matcher, when }: Rule): boolean {
  const { anonymous: _, methods: __, grpc: ___, ...others } = matcher
  return when === undefined && Object.values(others).every((test) => test === undefined)
}

/** The sets of scopes that the rules take from an issuer's tokens, each once. */
function scopesFor(allows: readonly Rule[], issuer: string): readonly (readonly string[])[] {
  const sets = allows
    .filter(({ matcher }) => matcher.issuers === undefined || matcher.issuers.includes(issuer))
    .flatMap(({ matcher }) => {
      const { all, any } = matcher.scopes ?? { all: [], any: [] }
      return any.length === 0 ? [all] : any.map((scope) => all.concat(scope))
    })
  const distinct = Array.from(new Map(sets.map((scopes) => [Array.from(new Set(scopes)).sort().join(' '), Array.from(new Set(scopes)).sort()])).values())
  return distinct.length === 0 || distinct.length > most || distinct.some((scopes) => scopes.length === 0) ? [[]] : distinct
}

/** The schemes of these names: issuers, sets of API keys and mappings of certificates, whose names the policies hold apart. */
export function securitySchemes({ issuers, apiKeys, certificates, access }: Policy, names: ReadonlySet<string>): JsonObject {
  const leaves = Object.values(access).flatMap(({ authenticate }) => leavesOf(authenticate))
  const verified = new Set(leaves.flatMap(({ kind, name }) => (kind === 'jwt' ? [name] : [])))
  const all = [
    ...Object.values(issuers).map((issuer) => [issuer.name, verified.has(issuer.name) ? tokenScheme(issuer) : opaqueScheme(issuer)] as const),
    ...Object.values(apiKeys).map((set) => [set.name, keyScheme(set)] as const),
    ...Object.values(certificates).map((mapping) => [mapping.name, certificateScheme(mapping)] as const),
  ]
  return Object.fromEntries(all.filter(([name]) => names.has(name)))
}

/** An issuer whose keys are found by discovery is an OpenID provider to tools; of others only the form of the token is known. */
function tokenScheme(issuer: Issuer): JsonObject {
  const description = tokenText(issuer)
  if (issuer.jwks === undefined)
    return { type: 'openIdConnect', openIdConnectUrl: `${issuer.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, description }
  return { type: 'http', ...(issuer.proof.required === 'dpop' ? { scheme: 'dpop' } : { scheme: 'bearer', bearerFormat: 'JWT' }), description }
}

function opaqueScheme(issuer: Issuer): JsonObject {
  return { type: 'http', scheme: issuer.proof.required === 'dpop' ? 'dpop' : 'bearer', description: tokenText(issuer) }
}

const boundTo = {
  none: '',
  any: ', bound to a key (DPoP, RFC 9449) or a client certificate (RFC 8705)',
  dpop: ', bound to a key (DPoP, RFC 9449)',
  certificate: ', bound to a client certificate (RFC 8705)',
} as const

function tokenText({ issuer, audiences, proof }: Issuer): string {
  const whose = audiences.length === 0 ? '' : `, for ${audiences.join(' or ')}`
  return `A token of ${issuer}${whose}${boundTo[proof.required]}, in the Authorization header.`
}

function keyScheme({ header }: ApiKeySet): JsonObject {
  return { type: 'apiKey', in: 'header', name: header, description: `An API key, in the header ${header}.` }
}

const certificateNames = {
  spiffe: 'a SPIFFE id',
  'uri-san': 'a URI',
  'dns-san': 'a DNS name',
  'email-san': 'an e-mail address',
  'common-name': 'a common name',
} as const

function certificateScheme({ subject }: CertificateMapping): JsonObject {
  return { type: 'mutualTLS', description: `A client certificate with ${certificateNames[subject]}.` }
}
