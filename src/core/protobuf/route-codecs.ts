import type { Registry } from '@bufbuild/protobuf'
import type { Policy } from '../policy/policy.ts'
import { type DescriptorBook, readDescriptors } from './book.ts'
import { buildJsonCodec, type JsonCodec } from './json-codec.ts'

/** The types of a gRPC route, and ProtoJSON as the route wants it. */
export interface RouteTypes {
  readonly registry: Registry
  readonly codec: JsonCodec
}

/** By route name, for every gRPC route that is in order. @throws Error when descriptors that the policy linked cannot be read */
export function buildRouteCodecs(policy: Pick<Policy, 'routes' | 'descriptors'>): ReadonlyMap<string, RouteTypes> {
  const books = new Map<string, DescriptorBook>()
  const types = new Map<string, RouteTypes>()
  for (const route of policy.routes) {
    const path = route.match.grpc?.descriptors
    if (path === undefined || route.quarantined !== undefined) continue
    const book = books.get(path) ?? bookOf(policy, path)
    books.set(path, book)
    types.set(route.name, { registry: book.registry, codec: buildJsonCodec(book.registry, route.translate) })
  }
  return types
}

function bookOf(policy: Pick<Policy, 'descriptors'>, path: string): DescriptorBook {
  const bytes = policy.descriptors[path]
  const book = bytes === undefined ? { problem: 'it is missing' } : readDescriptors(bytes)
  if ('problem' in book) throw new Error(`descriptors ${path}: ${book.problem}`)
  return book
}
