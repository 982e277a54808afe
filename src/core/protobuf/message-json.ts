import type { Policy } from '../policy/policy.ts'
import { buildRouteCodecs, type RouteTypes } from './route-codecs.ts'

/**
 * What a message of a route's service is for JSON callers; undefined for a type that the route does not know. Types of a route are read when its
 * first message comes. @throws Error for bytes that are no such message.
 */
export function buildMessageJson(
  policy: Pick<Policy, 'routes' | 'descriptors'>,
): (route: string, type: string, bytes: Uint8Array) => { readonly json: unknown } | undefined {
  const known = new Map<string, RouteTypes | undefined>()
  const typesOf = (name: string) => {
    if (!known.has(name)) {
      const routes = policy.routes.filter((route) => route.name === name)
      known.set(name, buildRouteCodecs({ routes, descriptors: policy.descriptors }).get(name))
    }
    return known.get(name)
  }
  return (route, type, bytes) => {
    const own = typesOf(route)
    const message = own?.registry.getMessage(type)
    return own === undefined || message === undefined ? undefined : { json: JSON.parse(own.codec.toText(message, bytes)) as unknown }
  }
}
