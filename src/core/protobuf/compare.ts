import { type DescEnum, type DescField, type DescMessage, type DescMethod, type DescService, ScalarType } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence as Presence } from '@bufbuild/protobuf/wkt'
import type { HttpBinding } from '../model/rpc.ts'
import type { DescriptorBook } from './book.ts'
import { declaredBindings } from './rules.ts'

/**
 * One way in which what a server says differs from what is pinned. `addition`: the server has something that the pinned set does not know,
 * which harms nobody. `breaking`: something that the pinned set says does not hold there any more.
 */
export interface Difference {
  readonly kind: 'breaking' | 'addition'
  /** The proto file: of the pinned set, or of the server for what only that has. */
  readonly file: string
  /** The service, RPC (`package.Service/Method`), message, field (`package.Message.field`), enum or value. */
  readonly element: string
  /** What is different: a clause that begins in lower case. */
  readonly change: string
}

/** What a comparison collects. */
interface Comparison {
  readonly live: DescriptorBook
  readonly found: Difference[]
  /** Types that were looked at, or wait for it. */
  readonly seen: Set<string>
  readonly waiting: (DescMessage | DescEnum)[]
}

/**
 * Compares what the gateway uses of a pinned set with what a server says: these services, their RPCs, kinds of stream, HTTP rules, and
 * every message and enum that can be reached from them. Files, comments, order and whatever else stands beside them do not count.
 */
export function compareServices(pinned: DescriptorBook, live: DescriptorBook, services: readonly string[]): readonly Difference[] {
  const comparison: Comparison = { live, found: [], seen: new Set(), waiting: [] }
  for (const name of services) {
    const service = pinned.registry.getService(name)
    if (service !== undefined) compareService(comparison, service)
  }
  for (let type = comparison.waiting.pop(); type !== undefined; type = comparison.waiting.pop()) {
    if (type.kind === 'message') compareMessage(comparison, type)
    else compareEnum(comparison, type)
  }
  return comparison.found.toSorted((a, b) => rank(a) - rank(b) || order(a.file, b.file) || order(a.element, b.element) || order(a.change, b.change))
}

function rank({ kind }: Difference): number {
  return kind === 'breaking' ? 0 : 1
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function say(
  { found }: Comparison,
  kind: Difference['kind'],
  of: { readonly file: { readonly proto: { readonly name: string } } },
  element: string,
  change: string,
): void {
  found.push({ kind, file: of.file.proto.name, element, change })
}

function compareService(comparison: Comparison, service: DescService): void {
  const other = comparison.live.registry.getService(service.typeName)
  if (other === undefined) return say(comparison, 'breaking', service, service.typeName, 'the service is gone')
  for (const method of service.methods) {
    const counterpart = other.methods.find(({ name }) => name === method.name)
    if (counterpart === undefined) say(comparison, 'breaking', service, rpcName(method), 'the RPC is gone')
    else compareMethod(comparison, method, counterpart)
  }
  for (const method of other.methods) {
    if (!service.methods.some(({ name }) => name === method.name)) say(comparison, 'addition', other, rpcName(method), 'the RPC is new')
  }
}

function rpcName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`
}

function compareMethod(comparison: Comparison, method: DescMethod, other: DescMethod): void {
  const changed = (what: string, was: string, is: string) => {
    if (was !== is) say(comparison, 'breaking', method.parent, rpcName(method), `${what} is ${is}, was ${was}`)
  }
  changed('its kind', kindName(method), kindName(other))
  changed('its request', method.input.typeName, other.input.typeName)
  changed('its answer', method.output.typeName, other.output.typeName)
  changed('its idempotency_level', idempotency(method), idempotency(other))
  compareRules(comparison, method, other)
  if (method.input.typeName === other.input.typeName) visit(comparison, method.input)
  if (method.output.typeName === other.output.typeName) visit(comparison, method.output)
}

function kindName({ methodKind }: DescMethod): string {
  return methodKind.replace('_', ' ')
}

function idempotency({ idempotency: level }: DescMethod): string {
  return ['IDEMPOTENCY_UNKNOWN', 'NO_SIDE_EFFECTS', 'IDEMPOTENT'][level] ?? `${level}`
}

/** Rules are told apart by their method and path: one with another body is the same rule, changed. */
function compareRules(comparison: Comparison, method: DescMethod, other: DescMethod): void {
  const [was, is] = [declaredBindings(method), declaredBindings(other)]
  for (const rule of was) {
    const counterpart = is.find((candidate) => ruleName(candidate) === ruleName(rule))
    if (counterpart === undefined) say(comparison, 'breaking', method.parent, rpcName(method), `the HTTP rule ${ruleName(rule)} is gone`)
    else if (bodies(counterpart) !== bodies(rule))
      say(comparison, 'breaking', method.parent, rpcName(method), `the HTTP rule ${ruleName(rule)} has ${bodies(counterpart)}, was ${bodies(rule)}`)
  }
  for (const rule of is) {
    if (!was.some((candidate) => ruleName(candidate) === ruleName(rule)))
      say(comparison, 'addition', method.parent, rpcName(method), `the HTTP rule ${ruleName(rule)} is new`)
  }
}

function ruleName({ method, template }: HttpBinding): string {
  return `${method} ${template}`
}

function bodies({ body, responseBody }: HttpBinding): string {
  return `body "${body}" and response_body "${responseBody}"`
}

/** The well-known types are what they are, whatever a server says of them. */
function visit({ seen, waiting }: Comparison, type: DescMessage | DescEnum): void {
  if (seen.has(type.typeName) || type.typeName.startsWith('google.protobuf.')) return
  seen.add(type.typeName)
  waiting.push(type)
}

function compareMessage(comparison: Comparison, message: DescMessage): void {
  const other = comparison.live.registry.getMessage(message.typeName)
  if (other === undefined) return say(comparison, 'breaking', message, message.typeName, 'the message is gone')
  for (const field of message.fields) {
    const counterpart = other.fields.find(({ number }) => number === field.number)
    if (counterpart === undefined) missingField(comparison, message, field, other)
    else compareField(comparison, message, field, counterpart)
    const type = typeOf(field)
    if (type !== undefined && counterpart !== undefined && typeOf(counterpart)?.typeName === type.typeName) visit(comparison, type)
  }
  for (const field of other.fields) {
    if (message.fields.some(({ number, name }) => number === field.number || name === field.name)) continue
    // Whoever does not know a required field cannot send it.
    const kind = labelOf(field) === 'required' ? 'breaking' : 'addition'
    say(comparison, kind, other, `${other.typeName}.${field.name}`, `the field is new (number ${field.number}, ${labelOf(field)} ${typeName(field)})`)
  }
}

function missingField(comparison: Comparison, message: DescMessage, field: DescField, other: DescMessage): void {
  const moved = other.fields.find(({ name }) => name === field.name)
  const change = moved === undefined ? 'the field is gone' : `the number is ${moved.number}, was ${field.number}`
  say(comparison, 'breaking', message, `${message.typeName}.${field.name}`, change)
}

function compareField(comparison: Comparison, message: DescMessage, field: DescField, other: DescField): void {
  const facts = [
    ['name', field.name, other.name],
    ['JSON name', field.jsonName, other.jsonName],
    ['type', typeName(field), typeName(other)],
    ['label', labelOf(field), labelOf(other)],
    ['oneof', field.oneof?.name ?? 'none', other.oneof?.name ?? 'none'],
    ['encoding', encodingOf(field), encodingOf(other)],
  ] as const
  for (const [what, was, is] of facts) {
    if (was !== is) say(comparison, 'breaking', message, `${message.typeName}.${field.name}`, `the ${what} is ${is}, was ${was}`)
  }
}

/** The message or enum that a field refers to. */
function typeOf(field: DescField): DescMessage | DescEnum | undefined {
  return field.message ?? field.enum
}

function typeName(field: DescField): string {
  const type = typeOf(field)?.typeName ?? scalarName(field.scalar)
  return field.fieldKind === 'map' ? `map<${scalarName(field.mapKey)}, ${type}>` : type
}

function scalarName(scalar: ScalarType | undefined): string {
  return scalar === undefined ? 'nothing' : ScalarType[scalar].toLowerCase()
}

function labelOf(field: DescField): string {
  if (field.fieldKind === 'list' || field.fieldKind === 'map') return 'repeated'
  if (field.presence === Presence.LEGACY_REQUIRED) return 'required'
  return field.presence === Presence.EXPLICIT ? 'optional' : 'singular'
}

function encodingOf(field: DescField): string {
  return (field.fieldKind === 'message' || field.fieldKind === 'list') && 'delimitedEncoding' in field && field.delimitedEncoding ? 'delimited' : 'plain'
}

function compareEnum(comparison: Comparison, type: DescEnum): void {
  const other = comparison.live.registry.getEnum(type.typeName)
  if (other === undefined) return say(comparison, 'breaking', type, type.typeName, 'the enum is gone')
  if (type.open !== other.open) say(comparison, 'breaking', type, type.typeName, `the enum is ${openness(other)}, was ${openness(type)}`)
  for (const { name, number } of type.values) {
    const counterpart = other.values.find((value) => value.name === name)
    if (counterpart !== undefined && counterpart.number !== number)
      say(comparison, 'breaking', type, `${type.typeName}.${name}`, `the number is ${counterpart.number}, was ${number}`)
    else if (counterpart === undefined) say(comparison, 'breaking', type, `${type.typeName}.${name}`, goneValue(other, number))
  }
  for (const { name, number } of other.values) {
    const known = type.values.some((value) => value.name === name || value.number === number)
    if (!known) say(comparison, 'addition', other, `${type.typeName}.${name}`, `the value is new (number ${number})`)
  }
}

function goneValue(other: DescEnum, number: number): string {
  const renamed = other.values.find((value) => value.number === number)
  return renamed === undefined ? 'the value is gone' : `the name is ${renamed.name} now (number ${number})`
}

function openness({ open }: DescEnum): string {
  return open ? 'open' : 'closed'
}
