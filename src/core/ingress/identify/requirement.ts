import type { AccessPolicy, Requirement } from '../../policy/policy.ts'

/**
 * What a route asks of the Authorization header. With one kind of credential every requirement tree comes down to
 * a set of issuers and whether the request may come without any.
 */
export interface Demand {
  /** False: every policy of the route says `none`, and the header is not looked at. */
  readonly reads: boolean
  readonly optional: boolean
  /** Names of the issuers whose tokens are accepted. */
  readonly issuers: readonly string[]
}

/** The demand of a route: the requirements of all its access policies must be met at once. */
export function demandOf(policies: readonly AccessPolicy[]): Demand {
  const trees = policies.map((policy) => reduce(policy.authenticate)).filter((tree) => tree.reads)
  const [first, ...rest] = trees
  if (first === undefined) return { reads: false, optional: true, issuers: [] }
  return {
    reads: true,
    optional: trees.every((tree) => tree.optional),
    issuers: first.issuers.filter((name) => rest.every((tree) => tree.issuers.includes(name))),
  }
}

function reduce(tree: Requirement): Demand {
  switch (tree.kind) {
    case 'none':
      return { reads: false, optional: true, issuers: [] }
    case 'jwt':
      return { reads: true, optional: false, issuers: [tree.issuer] }
    case 'optional':
      return { ...reduce(tree.of), optional: true }
    case 'anyOf': {
      const branches = tree.of.map(reduce)
      return {
        reads: branches.some((branch) => branch.reads),
        optional: branches.some((branch) => branch.optional),
        issuers: [...new Set(branches.flatMap((branch) => branch.issuers))],
      }
    }
    default:
      return tree satisfies never
  }
}
