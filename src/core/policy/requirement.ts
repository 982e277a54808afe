import type { ProofKind } from '../model/principal.ts'
import type { Requirement, RequirementLeaf } from './linked/access.ts'
import type { Issuer } from './linked/issuers.ts'
import type { Policy } from './policy.ts'

/** Every credential that a requirement names, in its order. */
export function leavesOf(requirement: Requirement): readonly RequirementLeaf[] {
  if ('name' in requirement) return [requirement]
  switch (requirement.kind) {
    case 'none':
      return []
    case 'anyOf':
    case 'allOf':
      return requirement.of.flatMap(leavesOf)
    case 'optional':
      return leavesOf(requirement.of)
    default:
      return requirement satisfies never
  }
}

/** Sound issuers whose keys somebody may need: one that is only ever asked about tokens may have none, and nobody should miss them. */
export function signingIssuers({ access, issuers, callers }: Pick<Policy, 'access' | 'issuers' | 'callers'>): readonly Issuer[] {
  const leaves = Object.values(access).flatMap(({ authenticate }) => leavesOf(authenticate))
  const ofCallers = Object.values(callers).flatMap(({ token }) => token?.issuer ?? [])
  const verified = new Set([...leaves.flatMap(({ kind, name }) => (kind === 'jwt' ? [name] : [])), ...ofCallers])
  return Object.values(issuers).filter(
    ({ name, quarantined, introspection }) => quarantined === undefined && (introspection === undefined || verified.has(name)),
  )
}

/** Where a credential stands in a request: there is one of each, so two that stand at one place never come together. */
export const standsIn = {
  jwt: 'authorization',
  introspection: 'authorization',
  apiKey: 'key',
  mtls: 'connection',
} as const satisfies Record<ProofKind, string>

/** A set of credentials. */
export type Leaves = readonly RequirementLeaf[]

/** The sets of credentials that meet a requirement. */
export function waysOf(tree: Requirement): readonly Leaves[] {
  if ('name' in tree) return [[tree]]
  switch (tree.kind) {
    case 'none':
      return [[]]
    case 'optional':
      return [[], ...waysOf(tree.of)]
    case 'anyOf':
      return tree.of.flatMap(waysOf)
    case 'allOf':
      return together(tree.of.map(waysOf))
    default:
      return tree satisfies never
  }
}

/** One way of each, in every combination, each set of credentials once. */
export function together(parts: readonly (readonly Leaves[])[]): readonly Leaves[] {
  const sets = parts.reduce<readonly Leaves[]>((all, ways) => all.flatMap((one) => ways.map((way) => distinct(one.concat(way)))), [[]])
  return [...new Map(sets.map((leaves) => [leaves.map(nameOf).sort().join(' '), leaves])).values()]
}

function distinct(leaves: Leaves): Leaves {
  return [...new Map(leaves.map((leaf) => [nameOf(leaf), leaf])).values()]
}

const nameOf = ({ kind, name }: RequirementLeaf): string => `${kind}:${name}`

/** Whether one request can bring all of them. */
export function isPossible(leaves: Leaves): boolean {
  return new Set(leaves.map(({ kind }) => standsIn[kind])).size === leaves.length
}
