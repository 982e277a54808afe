import type { ProofKind } from '../model/principal.ts'
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

/** Where a credential stands in a request: there is one of each, so two that stand at one place never come together. */
export const standsIn = {
  jwt: 'authorization',
  introspection: 'authorization',
  apiKey: 'key',
  mtls: 'connection',
} as const satisfies Record<ProofKind, string>
