import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { mockAnswer } from '../../src/core/policy/document/mocks.ts'
import { policyJsonSchema } from '../../src/core/policy/json-schema.ts'

const text = readFileSync(new URL('../../docs/policies.md', import.meta.url), 'utf8')

/** Names of every member that a mapping of the format may have. */
function membersOf(node: unknown, into: Set<string> = new Set()): ReadonlySet<string> {
  if (typeof node !== 'object' || node === null) return into
  if ('properties' in node && typeof node.properties === 'object' && node.properties !== null && !Array.isArray(node.properties)) {
    for (const name of Object.keys(node.properties)) into.add(name)
  }
  for (const inner of Object.values(node)) membersOf(inner, into)
  return into
}

describe("the operator's reference", () => {
  it('names every field of the format and of mock files', () => {
    const names = new Set([...membersOf(policyJsonSchema()), ...membersOf(z.toJSONSchema(mockAnswer, { io: 'input' }))])
    expect(names.size).toBeGreaterThan(100)
    const code = Array.from(text.matchAll(/`([^`]+)`/g), ([, inside]) => inside ?? '').join(' ')
    const words = new Set(code.match(/[$A-Za-z][\w$]*/g))
    expect(Array.from(names).filter((name) => !words.has(name))).toEqual([])
  })
})
