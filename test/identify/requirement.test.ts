import { describe, expect, it } from 'vitest'
import { meet, type Proved, subjectOf } from '../../src/core/ingress/identify/requirement.ts'
import type { Requirement } from '../../src/core/policy/linked/access.ts'
import { subject } from '../support/metering.ts'

const leaf = (name: string): Requirement => ({ kind: 'jwt', name })
const proved = (name: string): Proved => ({ leaf: { kind: 'jwt', name }, subject: subject(name) })
const [a, b] = [leaf('a'), leaf('b')]

/** Names of who met it; undefined where it is not met. */
const who = (requirement: Requirement, ...names: readonly string[]) => meet(requirement, names.map(proved))?.map(({ subject }) => subject.subject)

describe('a requirement', () => {
  const rows: readonly (readonly [string, Requirement, readonly string[], readonly string[] | undefined])[] = [
    ['of nothing is met by nothing', { kind: 'none' }, [], []],
    ['of one credential is met by it', a, ['a'], ['a']],
    ['of one credential is not met by another', a, ['b'], undefined],
    ['of any takes the first that is proved', { kind: 'anyOf', of: [a, b] }, ['b', 'a'], ['a']],
    ['of any is not met by none', { kind: 'anyOf', of: [a, b] }, [], undefined],
    ['of any prefers a proof to a branch that asks for none', { kind: 'anyOf', of: [{ kind: 'optional', of: a }, b] }, ['b'], ['b']],
    ['of any with an optional branch is met by nobody', { kind: 'anyOf', of: [{ kind: 'optional', of: a }, b] }, [], []],
    ['of all is met by all, in its order', { kind: 'allOf', of: [a, b] }, ['b', 'a'], ['a', 'b']],
    ['of all is not met by some', { kind: 'allOf', of: [a, b] }, ['a'], undefined],
    ['of all with an optional part is met without it', { kind: 'allOf', of: [a, { kind: 'optional', of: b }] }, ['a'], ['a']],
    ['that is optional is met by nobody', { kind: 'optional', of: { kind: 'allOf', of: [a, b] } }, ['a'], []],
  ]
  it.each(rows)('%s', (_, requirement, names, expected) => {
    expect(who(requirement, ...names)).toEqual(expected)
  })
})

describe('who a request comes from', () => {
  it('is nobody without a proof', () => expect(subjectOf([])).toBeUndefined())
  it('is the first proof, with the others beside it', () => {
    expect(subjectOf([proved('a'), proved('b')])).toMatchObject({ subject: 'a', also: [{ subject: 'b' }] })
  })
  it('is named once when one proof meets two policies', () => {
    const one = proved('a')
    expect(subjectOf([one, one])).toBe(one.subject)
  })
})
