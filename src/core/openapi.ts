import { buildComments } from './openapi/comments.ts'
import { type Json, type JsonObject, present } from './openapi/json.ts'
import { type OpenapiPath, renamed } from './openapi/path.ts'
import { errorSchemas, sharedHeaders, sharedResponses } from './openapi/responses.ts'
import { isOperation, type Omission, type Operation, operationsOf, type Surroundings } from './openapi/route-operations.ts'
import { buildSchemas, type Schemas } from './openapi/schemas.ts'
import { securitySchemes } from './openapi/security.ts'
import { defaultServers } from './openapi/servers.ts'
import type { Policy } from './policy/policy.ts'
import { type DescriptorBook, readDescriptors } from './protobuf.ts'

export type { Json, JsonObject } from './openapi/json.ts'
export type { Omission } from './openapi/route-operations.ts'

export interface OpenapiOptions {
  /** Names of the routes to describe; undefined means all. */
  readonly routes?: ReadonlySet<string> | undefined
  readonly title?: string | undefined
  /** Of the API; undefined means the revision of the policy. */
  readonly version?: string | undefined
  /** The document stands at the listener that it describes, for readers outside: servers relative to it, and nothing about the gateway's insides. */
  readonly published?: boolean
}

export interface Openapi {
  readonly document: JsonObject
  /** What OpenAPI has no place for. */
  readonly omitted: readonly Omission[]
  /** Operations that are there, and that no request can succeed at. */
  readonly impossible: readonly Omission[]
}

/**
 * The OpenAPI 3.1 document of a policy: every HTTP rule and path of its routes as the gateway takes them, with the schemas of their
 * messages in ProtoJSON, what callers must prove, and what limits them. A function of the policy alone. Where two routes take
 * one path and method (on different hosts, or by a header), the first has it and the others are among what is omitted.
 */
export function buildOpenapi(policy: Policy, options: OpenapiOptions = {}): Openapi {
  const comments = buildComments()
  const schemas = buildSchemas(comments)
  const around: Surroundings = { policy, schemas, comments, book: bookReader(policy), extensions: options.published !== true }
  const routes = policy.routes.filter(({ name }) => options.routes === undefined || options.routes.has(name))
  const found = routes.flatMap((route) => operationsOf(route, around))
  const { paths, placed, crowded } = placeAll(found.filter(isOperation))
  const omitted: readonly Omission[] = [...found.filter((one): one is Omission => !isOperation(one)), ...crowded]
  const document = present({
    openapi: '3.1.0',
    info: { title: options.title ?? 'Gateway API', version: options.version ?? policy.revision },
    servers: defaultServers(policy, options.published === true),
    tags: tagsOf(placed),
    paths,
    components: componentsOf(policy, schemas, paths),
    'x-sallyport-omitted':
      around.extensions && omitted.length > 0 ? omitted.map(({ route, operation, reason }) => present({ route, operation, reason })) : undefined,
  })
  return { document, omitted, impossible: placed.flatMap(impossibilityOf) }
}

function impossibilityOf({ route, method, path, impossible }: Operation): readonly Omission[] {
  return impossible.length === 0 ? [] : [{ route: route.name, operation: `${method} ${path.path}`, reason: impossible.join(' ') }]
}

function bookReader(policy: Policy): Surroundings['book'] {
  const books = new Map<string, DescriptorBook>()
  return (path) => {
    const known = books.get(path)
    if (known !== undefined) return known
    const bytes = policy.descriptors[path]
    const book = bytes === undefined ? { problem: 'they are missing' } : readDescriptors(bytes)
    if ('problem' in book) throw new Error(`descriptors ${path}: ${book.problem}`)
    books.set(path, book)
    return book
  }
}

interface Placed {
  readonly paths: JsonObject
  readonly placed: readonly Operation[]
  readonly crowded: readonly Omission[]
}

/** Puts each operation at its path. Paths that differ in the names of variables alone are one path to OpenAPI: the first gives the names. */
function placeAll(operations: readonly Operation[]): Placed {
  const paths = new Map<string, { readonly path: OpenapiPath; readonly item: Record<string, Json> }>()
  const placed: Operation[] = []
  const crowded: Omission[] = []
  const ids = new Set<string>()
  for (const operation of operations) {
    const { route, method, path, id, write } = operation
    const place = paths.get(path.shape) ?? { path, item: {} }
    const key = method.toLowerCase()
    if (key in place.item) {
      crowded.push({ route: route.name, operation: `${method} ${path.path}`, reason: 'another route has this path and method' })
      continue
    }
    paths.set(path.shape, place)
    const names = place.path.parts.map(({ name }) => name)
    place.item[key] = write(renamed(path, names), freeId(id, route.name, ids))
    placed.push(operation)
  }
  return { paths: Object.fromEntries(Array.from(paths.values(), ({ path, item }) => [path.path, item])), placed, crowded }
}

function freeId(wanted: string, route: string, ids: Set<string>): string {
  const tidy = wanted.replaceAll(/[^A-Za-z0-9_-]/g, '_')
  const base = ids.has(tidy) ? `${route}_${tidy}` : tidy
  let id = base
  for (let i = 2; ids.has(id); i++) id = `${base}_${i}`
  ids.add(id)
  return id
}

function tagsOf(placed: readonly Operation[]): readonly JsonObject[] {
  const tags = new Map(placed.map(({ tag }) => [tag.name, tag]))
  return Array.from(tags.values(), ({ name, description }) => present({ name, description }))
}

/** Only schemes that some operation asks for. */
function componentsOf(policy: Policy, schemas: Schemas, paths: JsonObject): JsonObject {
  const names = new Set(operationsIn(paths).flatMap(({ security }) => (Array.isArray(security) ? security.flatMap((one) => Object.keys(one ?? {})) : [])))
  const schemes = securitySchemes(policy, names)
  return present({
    schemas: { ...schemas.all(), ...errorSchemas },
    responses: sharedResponses,
    headers: sharedHeaders,
    securitySchemes: Object.keys(schemes).length === 0 ? undefined : schemes,
  })
}

function operationsIn(paths: JsonObject): readonly JsonObject[] {
  // placeAll wrote nothing but items of operations.
  return Object.values(paths).flatMap((item) => Object.values(item as JsonObject) as JsonObject[])
}
