import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { isAnything, isTextual, isTextualType } from './fields.ts'
import { buildSizes, isDemanded } from './sizes.ts'

type FieldPath = readonly DescField[]

/** What of a request message comes from where. */
export interface BoundParts {
  readonly input: DescMessage
  /** Fields that are set whatever the query says: those of the path. Each makes the messages that it goes through. */
  readonly variables: readonly FieldPath[]
  /** `*`, the field, or undefined for none. */
  readonly body: '*' | DescField | undefined
  /** Maps bind from the query too. */
  readonly maps: boolean
}

export interface Demands {
  /** Query parameters without which the message cannot be serialized. `any`: it stands for whatever makes this message. */
  readonly parameters: readonly { readonly path: FieldPath; readonly any: FieldPath | undefined }[]
  /** Fields that the message needs and no request can say. */
  readonly unsayable: readonly { readonly path: FieldPath; readonly why: string }[]
}

interface Found {
  readonly parameters: Demands['parameters'][number][]
  readonly unsayable: Demands['unsayable'][number][]
}

const sizeOf = buildSizes(isDemanded)
/** A message that needs more fields than this is not spelled out. */
const mostNeeded = 1000
/** As deep as query parameters may go. */
const deepest = 100

/**
 * What a request has to say besides its path so that its message has all that it requires (proto2 `required`, LEGACY_REQUIRED of editions): the
 * message itself, and every message that the path, or another required field, makes within it. What the body says itself is its schema's business.
 */
export function demandsOf(parts: BoundParts): Demands {
  const { input, body, variables } = parts
  if (body === '*') return inBody(input, [])
  const ofQuery = walk(input, [], saidInQuery)
  if (body?.fieldKind !== 'message') return ofQuery
  const isMade = variables.some((path) => path.length > 1 && path[0] === body)
  const ofBody = isMade ? inBody(body.message, [body]) : isDemanded(body) ? saidInBody([body]) : nothing()
  return { parameters: ofQuery.parameters, unsayable: [...ofQuery.unsayable, ...ofBody.unsayable] }

  function inBody(desc: DescMessage, at: FieldPath): Found {
    return walk(desc, at, saidInBody)
  }

  /** What the fields of a message that is made demand. */
  function walk(desc: DescMessage, at: FieldPath, say: (path: FieldPath) => Found): Found {
    const found = nothing()
    for (const field of desc.fields) {
      const here = [...at, field]
      const bound = variables.filter((path) => here.every((step, i) => path[i] === step))
      if (bound.some((path) => path.length === here.length) || (at.length === 0 && field === body)) continue
      if (bound.length > 0 && field.fieldKind === 'message') add(found, walk(field.message, here, say))
      else if (isDemanded(field)) add(found, say(here))
    }
    return found
  }

  function saidInBody(path: FieldPath): Found {
    const why = endless(path)
    return why === undefined ? nothing() : unsaid(path, why)
  }

  function endless(path: FieldPath): string | undefined {
    const field = path.at(-1)
    if (field?.fieldKind !== 'message') return undefined
    const size = sizeOf(field.message)
    if (size === Number.POSITIVE_INFINITY) return 'it requires a message within itself, without end'
    return size > mostNeeded ? `it requires more than ${mostNeeded} fields` : undefined
  }

  function saidInQuery(path: FieldPath): Found {
    return inQuery(path, [])
  }

  function inQuery(path: FieldPath, stack: readonly DescMessage[]): Found {
    const field = path.at(-1)
    if (field === undefined) return nothing()
    if (path.length > deepest) return unsaid(path, `it lies deeper than ${deepest} messages`)
    if (isTextual(field)) return { parameters: [{ path, any: undefined }], unsayable: [] }
    if (field.fieldKind !== 'message' || isAnything(field)) return unsaid(path, 'it is any JSON, which has no text')
    const why = endless(path)
    if (why !== undefined) return unsaid(path, why)
    const found = walk(field.message, path, (inner) => inQuery(inner, stack))
    if (found.parameters.length + found.unsayable.length > 0) return found
    const any = anyOf(field.message, path, [...stack, field.message])
    return any === undefined ? unsaid(path, 'no field of it has a text') : { parameters: any.map((one) => ({ path: one, any: path })), unsayable: [] }
  }

  /** Parameters that make a message which requires nothing: its first field that has a text, or what makes its first message that can be made. */
  function anyOf(desc: DescMessage, at: FieldPath, stack: readonly DescMessage[]): readonly FieldPath[] | undefined {
    const texts = desc.fields.filter((field) => isText(field, parts.maps))
    // A member of a oneof would leave no room for the others.
    const direct = texts.find(({ oneof }) => oneof === undefined) ?? texts[0]
    if (direct !== undefined) return [[...at, direct]]
    for (const field of desc.fields) {
      if (field.fieldKind !== 'message' || stack.includes(field.message)) continue
      const found = inQuery([...at, field], stack)
      if (found.unsayable.length === 0) return found.parameters.map(({ path }) => path)
    }
    return undefined
  }
}

/** Whether a query has room for a value of the field, or for an item or entry of it. */
function isText(field: DescField, maps: boolean): boolean {
  if (field.enum?.typeName === 'google.protobuf.NullValue') return false
  if (field.fieldKind === 'map') return maps && (field.mapKind !== 'message' || isTextualType(field.message))
  return isTextual(field) || (field.fieldKind === 'list' && field.listKind !== 'message')
}

function nothing(): Found {
  return { parameters: [], unsayable: [] }
}

function unsaid(path: FieldPath, why: string): Found {
  return { parameters: [], unsayable: [{ path, why }] }
}

function add(to: Found, { parameters, unsayable }: Found): void {
  to.parameters.push(...parameters)
  to.unsayable.push(...unsayable)
}

/** Whether a message of the type can be made at all, in a size that can be shown. */
export function isMakeable(desc: DescMessage): boolean {
  return sizeOf(desc) <= mostNeeded
}
