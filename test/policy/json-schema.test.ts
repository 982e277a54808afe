import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { factsOf } from '../../src/core/policy/document/build.ts'
import { defaults } from '../../src/core/policy/document/defaults.ts'
import { mockAnswer } from '../../src/core/policy/document/mocks.ts'
import { documentSchema } from '../../src/core/policy/document.ts'
import { policyJsonSchema } from '../../src/core/policy/json-schema.ts'

describe('the JSON Schema', () => {
  it('that is checked in is the one the format gives', () => {
    const file = readFileSync(new URL('../../schema/sallyport.v1.json', import.meta.url), 'utf8')
    expect(file).toBe(`${JSON.stringify(policyJsonSchema(), null, 2)}\n`)
  })

  it('is 2020-12 and closed: no mapping takes a key that the format does not know', () => {
    const schema = policyJsonSchema()
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema')
    const open: string[] = []
    visit(schema, '$', (node, path) => {
      if (node['type'] === 'object' && node['additionalProperties'] === undefined) open.push(path)
    })
    expect(open).toEqual([])
  })

  it('describes every member, so that editors help', () => {
    const silent: string[] = []
    visit(policyJsonSchema(), '$', (node, path) => {
      const members = typeof node['properties'] === 'object' && node['properties'] !== null ? Object.entries(node['properties']) : []
      for (const [name, member] of members) {
        const said = typeof member === 'object' && member !== null && ('description' in member || '$ref' in member || hasDescribedBranch(member))
        if (!said) silent.push(`${path}.${name}`)
      }
    })
    expect(silent).toEqual([])
  })
})

describe('defaults', () => {
  const found = new Map<unknown, z.ZodDefault>()
  collect(documentSchema, found)
  collect(mockAnswer, found)

  it('fit the fields they stand for', () => {
    expect(found.size).toBeGreaterThan(0)
    for (const field of found.values()) {
      const value = field.parse(undefined)
      expect(z.safeParse(field.unwrap(), value), factsOf(field).description).toMatchObject({ success: true })
    }
  })

  it('are all in use and all have a reason', () => {
    const described = Array.from(found.values(), (field) => factsOf(field).description ?? '')
    for (const [name, { value, reason }] of Object.entries(defaults)) {
      expect(
        described.some((text) => text.endsWith(`Default: ${JSON.stringify(value)} (${reason}).`)),
        name,
      ).toBe(true)
    }
  })
})

function hasDescribedBranch(member: object): boolean {
  return 'anyOf' in member && Array.isArray(member.anyOf)
}

function visit(node: unknown, path: string, see: (node: Readonly<Record<string, unknown>>, path: string) => void): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const [i, item] of node.entries()) visit(item, `${path}[${i}]`, see)
    return
  }
  see(node as Readonly<Record<string, unknown>>, path)
  for (const [key, inner] of Object.entries(node)) if (key !== 'default' && key !== 'examples') visit(inner, `${path}.${key}`, see)
}

function collect(schema: z.core.$ZodType, into: Map<unknown, z.ZodDefault>, seen = new Set<unknown>()): void {
  if (seen.has(schema)) return
  seen.add(schema)
  if (schema instanceof z.ZodDefault) into.set(schema, schema)
  if (schema instanceof z.ZodObject) for (const member of Object.values(schema.shape)) collect(member as z.core.$ZodType, into, seen)
  if (schema instanceof z.ZodRecord) collect(schema.valueType, into, seen)
  if (schema instanceof z.ZodArray) collect(schema.element, into, seen)
  if (schema instanceof z.ZodUnion) for (const option of schema.options) collect(option, into, seen)
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) collect(schema.unwrap(), into, seen)
}
