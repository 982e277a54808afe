import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { isTextual } from './fields.ts'
import { buildSteps, isText, passable } from './sayable.ts'
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
const stepsWithMaps = buildSteps(true)
const stepsWithout = buildSteps(false)
/** A message that needs more fields than this is not spelled out. */
const mostNeeded = 1000
/** As deep as query parameters may go. */
const deepest = 100

/**
 * What a request has to say besides its path so that its message has all that it requires (proto2 `required`, LEGACY_REQUIRED of editions): the
 * message itself, and every message that the path, or another required field, makes within it. What the body says itself is its schema's business.
 */
export function demandsOf(parts: BoundParts): Demands {
  return demandsWithin(parts, parts.input, [])
}

/**
 * What a query parameter, which no request has to bring, brings with it: the demands of the messages that it makes. Undefined where these
 * need what no query can say, or more than `most` fields.
 */
export function companionsOf(parts: BoundParts, path: FieldPath, most: number): readonly FieldPath[] | undefined {
  const isMade = (at: FieldPath) => at.every(isDemanded) || parts.variables.some((one) => one.length > at.length && at.every((step, i) => one[i] === step))
  const first = path.findIndex((_, i) => i < path.length - 1 && !isMade(path.slice(0, i + 1)))
  const made = path[first]
  if (made?.fieldKind !== 'message') return []
  if (path.slice(first, -1).some(({ message }) => message === undefined || sizeOf(message) > 2 * most)) return undefined
  const { parameters, unsayable } = demandsWithin({ ...parts, variables: [...parts.variables, path] }, made.message, path.slice(0, first + 1))
  return unsayable.length > 0 || parameters.length > most ? undefined : parameters.map((one) => one.path)
}

function demandsWithin(parts: BoundParts, root: DescMessage, from: FieldPath): Demands {
  const { body, variables } = parts
  if (body === '*') return inBody(root, from)
  const ofQuery = walk(root, from, saidInQuery)
  if (body?.fieldKind !== 'message' || from.length > 0) return ofQuery
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
    const field = path.at(-1)
    if (field === undefined) return nothing()
    if (path.length > deepest) return unsaid(path, `it lies deeper than ${deepest} messages`)
    if (isTextual(field)) return { parameters: [{ path, any: undefined }], unsayable: [] }
    const message = passable(field)
    if (message === undefined) return unsaid(path, 'it is any JSON, which has no text')
    const why = endless(path)
    if (why !== undefined) return unsaid(path, why)
    const found = walk(message, path, saidInQuery)
    if (found.parameters.length + found.unsayable.length > 0) return found
    const any = anyOf(message, path)
    return any === undefined ? unsaid(path, 'no field of it has a text') : { parameters: any.map((one) => ({ path: one, any: path })), unsayable: [] }
  }

  /** Parameters that make a message which requires nothing: a field that has a text, or what makes the message within it that is made the easiest. */
  function anyOf(desc: DescMessage, at: FieldPath): readonly FieldPath[] | undefined {
    const texts = desc.fields.filter((field) => isText(field, parts.maps))
    // A member of a oneof would leave no room for the others.
    const direct = texts.find(({ oneof }) => oneof === undefined) ?? texts[0]
    if (direct !== undefined) return [[...at, direct]]
    const steps = parts.maps ? stepsWithMaps : stepsWithout
    const ways = desc.fields.flatMap((field) => {
      const inner = passable(field)
      return inner === undefined || steps(inner) === Number.POSITIVE_INFINITY ? [] : [{ field, count: steps(inner) }]
    })
    const [way] = ways.toSorted((one, other) => one.count - other.count)
    return way === undefined ? undefined : saidInQuery([...at, way.field]).parameters.map(({ path }) => path)
  }
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
