import { type DescField, type DescMessage, fromJson, type JsonObject, type JsonValue, type Registry, ScalarType, toJson } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import type { HttpBinding, Rpc } from '../../../src/core/model/rpc.ts'
import type { Dice } from '../../protobuf/dice.ts'
import type { Case } from './house.ts'
import { anything, fieldOf, messageOf, type Wish } from './values-by-type.ts'

/** Values of one segment; those with a slash only where the variable is one segment. */
const segments = ['a', 'item-7', 'with space', 'ünï 日本', 'a:b', '50%', 'x+y', '.hidden', "~t'!()*", ';v=1', '%2F', '?#[]@', 'slash/in']
const httpBody = 'google.api.HttpBody'
const fieldMask = 'google.protobuf.FieldMask'

type PathValue = readonly [path: readonly DescField[], value: JsonValue]

/** A random request by one binding of an RPC, with the message that must arrive (as `@bufbuild/protobuf` reads it) and the answer. */
export function caseOf(dice: Dice, registry: Registry, rpc: Rpc, binding: HttpBinding): Case {
  const [input, output] = [typeOf(registry, rpc.input), typeOf(registry, rpc.output)]
  const { path, values } = fill(dice, binding.template, input)
  const paths = values.map(([fields]) => fields)
  const body = bodyOf(dice, rpc, binding, input, paths)
  const bodyField = input.fields.find(({ name }) => name === binding.body)
  const query = binding.body === '*' ? {} : messageOf(dice, input, queryWish(binding, paths, bodyField))
  const first = { ...query, ...body.members }
  for (const [fields, value] of values) put(first, fields, value)
  const messages = [first, ...body.later].map((json) => canonical(input, json, registry))
  const search = [...pairsOf(input, query, '')].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')
  const { reply, answer } = answerOf(dice, registry, rpc, binding, output)
  const made = {
    name: `${binding.method} ${binding.template}`,
    source: `the annotation of ${rpc.path.slice(1)}`,
    send: { method: binding.method, path: search === '' ? path : `${path}?${search}`, ...body.send },
    ...(reply === undefined ? {} : { reply }),
  }
  if (input.typeName !== httpBody || !rpc.clientStream) return { ...made, reaches: { rpc: rpc.path.slice(1), messages }, answer }
  // In as many pieces as the network makes of it.
  const also: Case['answer']['also'] = (_, { recorder }) => {
    const pieces = (recorder.reached[0]?.messages ?? []) as readonly { readonly data: string }[]
    expect(Buffer.concat(pieces.map(({ data }) => Buffer.from(data, 'base64'))).toString('base64')).toBe(first['data'])
  }
  return { ...made, reaches: { rpc: rpc.path.slice(1) }, answer: { ...answer, also } }
}

function typeOf(registry: Registry, name: string): DescMessage {
  const desc = registry.getMessage(name)
  if (desc === undefined) throw new Error(`no message ${name}`)
  return desc
}

function canonical(desc: DescMessage, json: JsonValue, registry: Registry): JsonValue {
  return toJson(desc, fromJson(desc, json, { registry }), { registry })
}

/** The path of a template with random values for its variables. */
function fill(dice: Dice, template: string, input: DescMessage): { readonly path: string; readonly values: readonly PathValue[] } {
  const verb = /:[A-Za-z]+$/.exec(template)?.[0] ?? ''
  const values: PathValue[] = []
  const parts = template.slice(1, template.length - verb.length).match(/\{[^}]*\}|[^/{}]+/g) ?? []
  const path = parts.flatMap((part) => {
    if (!part.startsWith('{')) return [part]
    const [name = '', pattern = '*'] = part.slice(1, -1).split('=')
    const fields = fieldsOf(input, name)
    const leaf = fields.at(-1) as DescField
    const typed = leaf.scalar === ScalarType.STRING ? undefined : fieldOf(dice, leaf, anything)
    const texts = typed === undefined ? pattern.split('/').flatMap((piece) => choose(dice, piece, pattern)) : [textOf(typed)]
    values.push([fields, typed ?? texts.join('/')])
    return texts.map(encodeURIComponent)
  })
  return { path: `/${path.join('/')}${verb}`, values }
}

function choose(dice: Dice, piece: string, pattern: string): readonly string[] {
  const segment = (): string => dice.pick(pattern === '*' ? segments : segments.slice(0, -1))
  if (piece === '*') return [segment()]
  if (piece !== '**') return [piece]
  // A prefix without anything behind it may be another rule's.
  return Array.from({ length: dice.pick(pattern === '**' ? [0, 1, 3] : [1, 3]) }, segment)
}

function fieldsOf(input: DescMessage, name: string): readonly DescField[] {
  let at: DescMessage | undefined = input
  return name.split('.').map((step) => {
    const field: DescField | undefined = at?.fields.find((candidate) => candidate.name === step)
    if (field === undefined) throw new Error(`no field ${name}`)
    at = field.message
    return field
  })
}

function queryWish(binding: HttpBinding, paths: Wish['paths'], body: DescField | undefined): Wish {
  const needs = (field: DescField): boolean => binding.method === 'PATCH' && field.message?.typeName === fieldMask
  return { paths: body === undefined ? paths : [...paths, [body]], textOnly: true, needs }
}

interface Body {
  readonly send: Partial<Case['send']>
  readonly members: JsonObject
  /** Messages after the first of a stream. */
  readonly later: readonly JsonObject[]
}

function bodyOf(dice: Dice, rpc: Rpc, { body }: HttpBinding, input: DescMessage, paths: Wish['paths']): Body {
  const json = (value: JsonValue) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) })
  if (body === '') return { send: {}, members: {}, later: [] }
  if (body === '*' && input.typeName === httpBody) {
    const { send, value } = rawOf(dice)
    return { send, members: value, later: [] }
  }
  const wish = { ...anything, paths }
  if (body === '*' && rpc.clientStream) {
    const messages = [messageOf(dice, input, wish), messageOf(dice, input, wish), messageOf(dice, input, wish)] as const
    const lines = messages.map((message) => `${JSON.stringify(message)}\n`).join('')
    return { send: { headers: { 'content-type': 'application/x-ndjson' }, body: lines }, members: messages[0], later: messages.slice(1) }
  }
  if (body === '*') {
    const members = messageOf(dice, input, wish)
    return { send: json(members), members, later: [] }
  }
  const field = fieldsOf(input, body)[0] as DescField
  if (field.message?.typeName === httpBody) {
    const { send, value } = rawOf(dice)
    return { send, members: { [field.jsonName]: value }, later: [] }
  }
  const inside = { ...anything, paths: paths.filter(([head]) => head === field).map((path) => path.slice(1)) }
  const value = fieldOf(dice, field, inside) as JsonValue
  return { send: json(value), members: { [field.jsonName]: structuredClone(value) }, later: [] }
}

function rawOf(dice: Dice): { readonly send: Partial<Case['send']>; readonly value: JsonObject } {
  const type = dice.pick(['image/png', 'application/json', 'text/plain; charset=utf-8'])
  const bytes = Buffer.from(Array.from({ length: dice.pick([1, 300]) }, () => dice.below(256)))
  return { send: { headers: { 'content-type': type }, body: bytes }, value: { contentType: type, data: bytes.toString('base64') } }
}

/** Sets a field by its path, under whatever spelling its parents have. */
function put(json: JsonObject, [field, ...rest]: readonly DescField[], value: JsonValue): void {
  if (field === undefined) return
  const key = Object.hasOwn(json, field.name) ? field.name : field.jsonName
  if (rest.length === 0) {
    json[key] = value
    return
  }
  const inner = { ...(json[key] as JsonObject | undefined) }
  json[key] = inner
  put(inner, rest, value)
}

function* pairsOf(desc: DescMessage, json: JsonObject, prefix: string): Iterable<readonly [name: string, value: string]> {
  for (const [name, value] of Object.entries(json)) {
    const field = desc.fields.find((candidate) => candidate.name === name || candidate.jsonName === name)
    if (Array.isArray(value)) for (const item of value) yield [`${prefix}${name}`, textOf(item)]
    else if (typeof value === 'object' && value !== null && field?.message !== undefined) yield* pairsOf(field.message, value, `${prefix}${name}.`)
    else yield [`${prefix}${name}`, textOf(value)]
  }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function answerOf(dice: Dice, registry: Registry, rpc: Rpc, { responseBody }: HttpBinding, output: DescMessage): Pick<Case, 'reply' | 'answer'> {
  const field = output.fields.find(({ name }) => name === responseBody)
  const wish: Wish = { ...anything, needs: (candidate) => candidate === field }
  const raw = (field?.message ?? output).typeName === httpBody && (responseBody === '' || field !== undefined)
  const count = rpc.serverStream ? 3 : 1
  const replies = Array.from({ length: count }, () => {
    const own = rawOf(dice).value
    if (raw) return field === undefined ? own : { [field.jsonName]: own }
    return canonical(output, messageOf(dice, output, wish), registry) as JsonObject
  })
  const shown = replies.map((reply) => (field === undefined ? reply : (reply[field.jsonName] ?? (field.fieldKind === 'list' ? [] : ''))))
  const reply = { messages: replies }
  if (raw) {
    // `rawOf` made them.
    const bodies = shown as readonly JsonObject[] as readonly { readonly contentType: string; readonly data: string }[]
    const bytes = Buffer.concat(bodies.map(({ data }) => Buffer.from(data, 'base64')))
    const headers = { 'content-type': bodies[0]?.contentType }
    return { reply, answer: { status: 200, headers, also: ({ body }) => expect(body.equals(bytes)).toBe(true) } }
  }
  if (!rpc.serverStream) return { reply, answer: { status: 200, headers: { 'content-type': 'application/json' }, json: shown[0] as JsonValue } }
  const also: Case['answer']['also'] = ({ body }) => {
    const lines = body.toString().split('\n').slice(0, -1)
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(shown)
  }
  return { reply, answer: { status: 200, headers: { 'content-type': 'application/x-ndjson' }, also } }
}
