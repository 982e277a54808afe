import { addCors } from '../model/cors.ts'
import type { Metered } from '../model/exchange.ts'
import { FieldList } from '../model/fields.ts'
import { rateLimitHeaders } from '../model/reading.ts'
import type { PublishedApi } from '../model/route.ts'
import type { Outbound } from '../model/wire.ts'
import { buildOpenapi } from '../openapi.ts'
import type { Policy } from '../policy/policy.ts'

/** The answer of a route that publishes an OpenAPI document; undefined for every other, which goes on to its destination. */
export type Publish = (x: Metered) => Outbound | undefined

/**
 * Builds the room that answers for the gateway itself. Nothing is sent anywhere. A document is written when it is first asked for; it is a
 * function of the policy, whose revision is its entity tag.
 */
export function buildPublish(policy: Policy): Publish {
  const documents = new Map<string, () => Uint8Array>()
  for (const { name, openapi } of policy.routes)
    if (openapi !== undefined)
      documents.set(
        name,
        once(() => written(policy, openapi)),
      )
  const etag = `"${policy.revision}"`

  return function publish(x) {
    const document = documents.get(x.route.name)
    if (document === undefined) return undefined
    const headers = new FieldList([
      ['etag', etag],
      // An answer to somebody who had to prove who they are is theirs alone; anybody else's may be kept and asked about again.
      ['cache-control', x.principal.kind === 'anonymous' ? 'no-cache' : 'private, no-cache'],
      ['x-content-type-options', 'nosniff'],
      ...rateLimitHeaders(x.readings),
      ['x-request-id', x.id],
    ])
    if (x.route.cors !== undefined) addCors(headers, x.route.cors, { method: x.request.method, origins: x.request.headers.all('origin') })
    if (isKnown(x.request.headers.all('if-none-match'), etag)) return { status: 304, headers, body: undefined }
    const body = document()
    headers.append('content-type', 'application/json').append('content-length', `${body.length}`)
    return { status: 200, headers, body: x.request.method === 'HEAD' ? undefined : body }
  }
}

function written(policy: Policy, { routes, title, version }: PublishedApi): Uint8Array {
  const { document } = buildOpenapi(policy, { routes: new Set(routes), title, version, published: true })
  return new TextEncoder().encode(JSON.stringify(document))
}

/** RFC 9110 section 13.1.2: weak comparison, in a list, or any. */
function isKnown(fields: readonly string[], etag: string): boolean {
  return fields.flatMap((value) => value.split(',')).some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
