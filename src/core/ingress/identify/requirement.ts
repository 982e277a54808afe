import type { Subject } from '../../model/principal.ts'
import type { Requirement, RequirementLeaf } from '../../policy/linked/access.ts'

/** A credential that was verified, and the leaf of the requirement that it meets. */
export interface Proved {
  readonly leaf: RequirementLeaf
  readonly subject: Subject
}

/**
 * The proofs that meet a requirement, in its order; none of them where it may be met without any, undefined where it is not met.
 * A choice prefers the first branch that somebody proved, so that who came with a credential is not taken for anonymous.
 */
export function meet(requirement: Requirement, proofs: readonly Proved[]): readonly Proved[] | undefined {
  if ('name' in requirement) {
    const proved = proofs.find(({ leaf }) => leaf.kind === requirement.kind && leaf.name === requirement.name)
    return proved === undefined ? undefined : [proved]
  }
  switch (requirement.kind) {
    case 'none':
      return []
    case 'optional':
      return meet(requirement.of, proofs) ?? []
    case 'anyOf': {
      const met = requirement.of.map((each) => meet(each, proofs)).filter((each) => each !== undefined)
      return met.find((each) => each.length > 0) ?? met[0]
    }
    case 'allOf': {
      const met = requirement.of.map((each) => meet(each, proofs))
      return met.includes(undefined) ? undefined : met.flatMap((each) => each ?? [])
    }
    default:
      return requirement satisfies never
  }
}

/** Who a request comes from, when these proofs met what was asked: the first, and with it the others. Undefined for nobody. */
export function subjectOf(proofs: readonly Proved[]): Subject | undefined {
  const [first, ...rest] = [...new Set(proofs.map(({ subject }) => subject))]
  return first === undefined || rest.length === 0 ? first : Object.freeze({ ...first, also: rest })
}
