import type { AccessPolicy, Issuer, Matcher, Requirement, Rule } from '../policy/policy.ts'
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
  const trees = policies.map(({ authenticate }) => reduced(authenticate)).filter(({ issuers }) => issuers.length > 0)
  const [first, ...rest] = trees
  if (first === undefined) return { security: [], reads: false, refuses: !isOpen }
  const issuers = first.issuers.filter((name) => rest.every((tree) => tree.issuers.includes(name)))
  const isOptional = trees.every(({ optional }) => optional) && allows.some(({ matcher }) => matcher.anonymous)
  const named = issuers.flatMap((issuer) => scopesFor(allows, issuer).map((scopes): JsonObject => ({ [issuer]: scopes })))
  // Policies that trust no issuer in common ask for tokens of all: one request cannot bring them, and nothing would read as public.
  const ways = named.length > 0 ? named : [Object.fromEntries(trees.flatMap((tree) => tree.issuers.map((name) => [name, []])))]
  return { security: isOptional ? [{}, ...ways] : ways, reads: true, refuses: !isOpen }
}

function reduced(tree: Requirement): { readonly optional: boolean; readonly issuers: readonly string[] } {
  switch (tree.kind) {
    case 'none':
      return { optional: true, issuers: [] }
    case 'jwt':
      return { optional: false, issuers: [tree.issuer] }
    case 'optional':
      return { ...reduced(tree.of), optional: true }
    case 'anyOf': {
      const branches = tree.of.map(reduced)
      return { optional: branches.some(({ optional }) => optional), issuers: Array.from(new Set(branches.flatMap(({ issuers }) => issuers))) }
    }
    default:
      return tree satisfies never
  }
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

/** An issuer whose keys are found by discovery is an OpenID provider to tools; of others only the form of the token is known. */
export function securityScheme({ issuer, jwks, audiences }: Issuer): JsonObject {
  const description = `A token of ${issuer}${audiences.length === 0 ? '' : `, for ${audiences.join(' or ')}`}, in the Authorization header.`
  if (jwks !== undefined) return { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description }
  return { type: 'openIdConnect', openIdConnectUrl: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, description }
}
