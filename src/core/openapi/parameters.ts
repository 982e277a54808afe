import type { DescField, DescMessage } from '@bufbuild/protobuf'
import type { FieldTest } from '../model/field-test.ts'
import type { TranslateOptions } from '../model/translate-options.ts'
import { collide, companionsOf, demandsOf, isDemanded, isTextual, isTextualType, resolvePath } from '../protobuf.ts'
import { keyExample, textExample } from './examples.ts'
import { type JsonObject, present } from './json.ts'
import type { PathPart } from './path.ts'
import type { Schemas } from './schemas.ts'
import { isRequired, queryName, type Style } from './style.ts'

type FieldPath = readonly DescField[]

/** Where a rule's fields come from, besides its body. */
export interface Sources {
  readonly input: DescMessage
  /** Fields that the path sets. */
  readonly variables: readonly FieldPath[]
  /** `*`, the field, or undefined for none. */
  readonly body: '*' | DescField | undefined
  /** What an update mask may name. */
  readonly mask: string | undefined
  /** Maps bind from the query too. */
  readonly maps: boolean
}

/** A message within itself, and what lies deeper than this, can be asked for and is not listed. */
const deepest = 5
/** An optional parameter that comes only together with more others is taken too, and not listed. */
const mostNeeds = 16

/** The parameters of a path; `input` types them on gRPC routes. */
export function pathParameters(
  parts: readonly PathPart[],
  grpc: { readonly input: DescMessage; readonly style: Style; readonly schemas: Schemas } | undefined,
): readonly JsonObject[] {
  return parts.map((part) => {
    const { name, variable, whole, rest } = part
    const path = grpc === undefined || variable === undefined ? undefined : resolvePath(grpc.input, variable.name, false)
    const field = path === undefined || 'problem' in path ? undefined : path.at(-1)
    const typed = whole && !rest && field !== undefined && grpc !== undefined
    const where = whereIn(part)
    const many = rest ? 'Any number of segments, slashes and all.' : undefined
    const description = [where, many].filter((text) => text !== undefined).join(' ')
    return present({
      name,
      in: 'path',
      required: true,
      description: description === '' ? undefined : description,
      schema: typed ? grpc.schemas.text(field, grpc.style) : { type: 'string', ...(rest ? {} : { pattern: '^[^/]+$' }) },
      example: typed ? textExample(field, grpc.style, undefined) : 'example',
    })
  })
}

/** What the parameter is to its variable, where their names alone do not say it. */
function whereIn({ name, variable, pattern }: PathPart): string | undefined {
  if (variable === undefined) return undefined
  if (pattern !== undefined) return `Part of \`${variable.name}\`, which is \`{${pattern}}\`.`
  return name === variable.name ? undefined : `Sets \`${variable.name}\`.`
}

/**
 * Every query parameter that binds to a field: no field of the path or the body, no list of messages, and maps only where the route takes them. What the
 * message cannot be without is required; an optional one that makes a message says what else this message needs.
 */
export function queryParameters(sources: Sources, style: Style, schemas: Schemas, describe: (field: DescField) => string | undefined): readonly JsonObject[] {
  if (sources.body === '*') return []
  const found = Array.from(leaves(sources, style, sources.input, [], []))
  const meant = found.filter(
    (path) => path.every((step) => isRequired(step, style) && step.oneof === undefined) && companionsOf(sources, path, mostNeeds) !== undefined,
  )
  const { parameters } = demandsOf({ ...sources, variables: [...sources.variables, ...meant] })
  const given = [...meant, ...parameters.map(({ path }) => path)]
  const needed = new Map([...meant.map((path) => ({ path, any: undefined })), ...parameters].map(({ path, any }) => [keyOf(path), any]))
  const write = (path: FieldPath, role: Role) => queryParameter(path, sources, style, schemas, describe, role)
  const listed = new Set<string>()
  const written: JsonObject[] = []
  // What another one needs is listed too, however deep it lies; it is appended while the list is read.
  const waiting = [...found, ...given]
  for (const path of waiting) {
    const key = keyOf(path)
    if (listed.has(key)) continue
    if (needed.has(key)) written.push(write(path, { required: true, any: needed.get(key), needs: [] }))
    else {
      // Of a oneof there is room for what is required alone.
      const needs = given.some((one) => collide(one, path) === 'oneof')
        ? undefined
        : companionsOf(sources, path, mostNeeds)?.filter((one) => !needed.has(keyOf(one)))
      if (needs === undefined) continue
      written.push(write(path, { required: false, any: undefined, needs }))
      waiting.push(...needs)
    }
    listed.add(key)
  }
  return written
}

function keyOf(path: FieldPath): string {
  return path.map(({ number }) => number).join('.')
}

/** What a parameter is to the others. */
interface Role {
  readonly required: boolean
  /** The message that it stands for. */
  readonly any: FieldPath | undefined
  /** Parameters that have to come with it. */
  readonly needs: readonly FieldPath[]
}

function* leaves(sources: Sources, style: Style, desc: DescMessage, path: readonly DescField[], stack: readonly DescMessage[]): Iterable<readonly DescField[]> {
  for (const field of desc.fields) {
    const here = [...path, field]
    if (isTaken(here, sources)) continue
    const isList = field.fieldKind === 'list' && field.listKind !== 'message'
    if (isList || isTextual(field) || (sources.maps && isTextualMap(field))) {
      if (
        !sources.variables.some((variable) => collide(here, variable) !== undefined) &&
        (isDemanded(field) || !style.behavior(field).outputOnly) &&
        field.enum?.typeName !== 'google.protobuf.NullValue'
      )
        yield here
    } else if (field.fieldKind === 'message' && isOpen(field.message, [...stack, desc])) {
      yield* leaves(sources, style, field.message, here, [...stack, desc])
    }
  }
}

/** A map whose values can each be given as one text. */
function isTextualMap(field: DescField): boolean {
  return field.fieldKind === 'map' && (field.mapKind !== 'message' || isTextualType(field.message))
}

function isOpen(message: DescMessage, stack: readonly DescMessage[]): boolean {
  return !message.typeName.startsWith('google.protobuf.') && !stack.includes(message) && stack.length < deepest
}

/** What belongs to the body, and what setting would clear something that path or body sets. */
function isTaken(path: readonly DescField[], { variables, body }: Sources): boolean {
  if (body !== undefined && body !== '*' && collide(path, [body]) !== undefined) return true
  return variables.some((variable) => collide(path, variable) === 'oneof')
}

function queryParameter(
  path: readonly DescField[],
  { mask }: Sources,
  style: Style,
  schemas: Schemas,
  describe: (field: DescField) => string | undefined,
  { required, any, needs }: Role,
): JsonObject {
  // leaves yields no empty path.
  const field = path.at(-1) as DescField
  const isList = field.fieldKind === 'list'
  const isMap = field.fieldKind === 'map'
  const text = textExample(field, style, mask)
  const example = typedExample(field, style, text)
  const rivals = field.oneof?.fields.filter((other) => other !== field).map((other) => `\`${queryName(other, style)}\``) ?? []
  const alone = rivals.length === 0 ? undefined : `Not together with ${rivals.join(', ')}.`
  const together = needs.length === 0 ? undefined : `Only together with ${needs.map((one) => `\`${parameterName(one, style)}\``).join(', ')}.`
  const instead = any === undefined ? undefined : `\`${parameterName(any, style)}\` has to be there: this, or anything else of it.`
  const description = [describe(field), alone, together, instead].filter((one) => one !== undefined).join('\n\n')
  return present({
    name: parameterName(path, style),
    in: 'query',
    description: description === '' ? undefined : description,
    required: required ? true : undefined,
    deprecated: path.some((step) => step.proto.options?.deprecated === true) ? true : undefined,
    ...(isList ? { style: 'form', explode: true } : isMap ? { style: 'deepObject', explode: true } : {}),
    schema: isList
      ? { type: 'array', items: schemas.text(field, style) }
      : isMap
        ? { type: 'object', additionalProperties: schemas.text(field, style) }
        : schemas.text(field, style),
    example: isList ? [example] : isMap ? { [keyExample(field.mapKey)]: example } : example,
  })
}

function parameterName(path: readonly DescField[], style: Style): string {
  return path.map((step) => queryName(step, style)).join('.')
}

/** The example as the schema types it: numbers and booleans are none between quotes. */
function typedExample({ scalar, enum: named, message }: DescField, { enumsAsInts }: Style, text: string): string | number | boolean {
  if (named !== undefined) return enumsAsInts ? Number(text) : text
  const isNumber = /^-?\d+(?:\.\d+)?$/.test(text)
  if (text === 'true') return true
  const kind = message === undefined ? scalar : message.fields[0]?.scalar
  return isNumber && kind !== undefined && !quoted.has(kind) ? Number(text) : text
}

/** ScalarType of the 64-bit integers, which JSON writes as strings (descriptor.proto, FieldDescriptorProto.Type). */
const quoted: ReadonlySet<number> = new Set([3, 4, 6, 16, 18, 9])

const ignoredHeaders: ReadonlySet<string> = new Set(['accept', 'content-type', 'authorization'])

/** What a route's match asks for. OpenAPI ignores some header parameters (3.1, "Parameter Object"): those are not listed. */
export function testParameters(tests: readonly FieldTest[], place: 'header' | 'query'): readonly JsonObject[] {
  const ignored = place === 'header' ? ignoredHeaders : new Set<string>()
  return tests
    .filter(({ name, present: wanted }) => !ignored.has(name.toLowerCase()) && wanted !== false)
    .map(({ name, exact, prefix, pattern }) => {
      const schema = present({
        type: 'string',
        const: exact,
        pattern:
          exact !== undefined ? undefined : prefix !== undefined ? `^${escaped(prefix)}` : pattern === undefined ? undefined : usable(`^(?:${pattern})$`),
      })
      // No value can be made up for a pattern.
      const example = exact ?? (pattern === undefined ? (prefix ?? 'example') : undefined)
      return present({ name, in: place, required: true, description: 'The route asks for it.', schema, example })
    })
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

/** RE2 knows forms that ECMAScript, and so JSON Schema, does not. */
function usable(pattern: string): string | undefined {
  try {
    return new RegExp(pattern, 'u').source
  } catch {
    return undefined
  }
}

/** Headers that become metadata of the call. What OpenAPI ignores is not listed, nor are names with a wildcard. */
export function headerParameters({ requestHeaders = [] }: TranslateOptions): readonly JsonObject[] {
  return requestHeaders
    .filter((name) => !name.endsWith('*') && !ignoredHeaders.has(name.toLowerCase()))
    .map((name) => ({
      name,
      in: 'header',
      description: name.endsWith('-bin') ? 'For the service. Bytes in base64.' : 'For the service.',
      schema: { type: 'string' },
      example: name.endsWith('-bin') ? 'ZXhhbXBsZQ' : 'example',
    }))
}
