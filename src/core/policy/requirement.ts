import type { Requirement, RequirementLeaf } from './policy.ts'

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
