import type { PublishedKeys } from '../key-ring.ts'
import type { Received } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import { resourceMetadataUrl } from '../model/resource-metadata.ts'
import type { Outbound } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import { metadataOf } from './well-known/metadata.ts'

/** The gateway's own document that a request asks for; undefined where it asks for something else. @throws Fault `method_not_allowed`, `credential_unavailable` */
export type WellKnown = (x: Received) => Outbound | Promise<Outbound> | undefined

const keySetPath = '/.well-known/jwks.json'

/**
 * Builds the room that answers what the policies publish to everybody, before any route is looked for: the keys of minted tokens (RFC 7517), and the
 * metadata of resources under their own hosts (RFC 9728). `keys` reads those that are published; undefined where none are.
 */
export function buildWellKnown(policy: Policy, keys: (() => Promise<PublishedKeys>) | undefined): WellKnown {
  const metadata = new Map(
    Object.values(policy.resources).map((resource) => {
      const { hostname, pathname } = new URL(resourceMetadataUrl(resource.url))
      return [`${hostname} ${pathname}`, { text: JSON.stringify(metadataOf(policy, resource)), maxAge: 300 }] as const
    }),
  )
  if (keys === undefined && metadata.size === 0) return () => undefined

  return (x) => {
    const { path } = x.request.target
    if (!path.startsWith('/.well-known/')) return undefined
    const known = metadata.get(`${x.request.host} ${path}`)
    const read = path === keySetPath ? keys : undefined
    if (read === undefined && known === undefined) return undefined
    if (x.request.method !== 'GET' && x.request.method !== 'HEAD')
      throw new Fault('method_not_allowed', `${x.request.method} is not taken here`, { headers: [['allow', 'GET, HEAD']] })
    return known === undefined ? read?.().then((document) => answerWith(x, document), lost) : answerWith(x, known)
  }
}

function lost(error: unknown): never {
  throw new Fault('credential_unavailable', 'the keys are not available', {
    internal: error instanceof Error ? error.message : 'unknown',
    headers: [['retry-after', '1']],
  })
}

function answerWith(x: Received, { text, maxAge }: PublishedKeys): Outbound {
  const body = new TextEncoder().encode(text)
  const headers = new FieldList([
    ['content-type', 'application/json'],
    ['content-length', `${body.length}`],
    ['cache-control', `public, max-age=${maxAge}`],
    // Public, and the same for everybody: clients in browsers read it too.
    ['access-control-allow-origin', '*'],
    ['x-content-type-options', 'nosniff'],
    ['x-request-id', x.id],
  ])
  return { status: 200, headers, body: x.request.method === 'HEAD' ? undefined : body }
}
