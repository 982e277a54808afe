import { keyRingsOf, publishedKeys } from '../key-ring.ts'
import type { Received } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import { resourceMetadataUrl } from '../model/resource-metadata.ts'
import type { Outbound } from '../model/wire.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { metadataOf } from './publish/metadata.ts'

/** The gateway's own document that a request asks for; undefined where it asks for something else. @throws Fault `method_not_allowed`, `credential_unavailable` */
export type Publish = (x: Received) => Outbound | Promise<Outbound> | undefined

interface Document {
  readonly text: string
  /** Seconds. */
  readonly maxAge: number
}

const keySetPath = '/.well-known/jwks.json'

/**
 * Builds the room that answers what the policies publish to everybody, before any route is looked for: the keys of minted tokens (RFC 7517), and the
 * metadata of resources under their own hosts (RFC 9728).
 */
export function buildPublish(policy: Policy, ports: Pick<Ports, 'clock' | 'secrets' | 'lasting' | 'journal'>): Publish {
  const rings = keyRingsOf(ports)
  const kinds = Object.values(policy.tokens).filter(({ publish }) => publish)
  const keys = kinds.map((token) => ({ ring: rings(token.name, token), activateAfterMs: token.activateAfterMs }))
  const metadata = new Map(
    Object.values(policy.resources).map((resource) => {
      const { hostname, pathname } = new URL(resourceMetadataUrl(resource.url))
      return [`${hostname} ${pathname}`, { text: JSON.stringify(metadataOf(policy, resource)), maxAge: 300 }] as const
    }),
  )
  if (keys.length === 0 && metadata.size === 0) return () => undefined

  return (x) => {
    const { path } = x.request.target
    if (!path.startsWith('/.well-known/')) return undefined
    const own = keys.length > 0 && path === keySetPath
    const known = metadata.get(`${x.request.host} ${path}`)
    if (!own && known === undefined) return undefined
    if (x.request.method !== 'GET' && x.request.method !== 'HEAD')
      throw new Fault('method_not_allowed', `${x.request.method} is not taken here`, { headers: [['allow', 'GET, HEAD']] })
    if (known !== undefined) return answerWith(x, known)
    return publishedKeys(keys).then((document) => answerWith(x, document), lost)
  }
}

function lost(error: unknown): never {
  throw new Fault('credential_unavailable', 'the keys are not available', {
    internal: error instanceof Error ? error.message : 'unknown',
    headers: [['retry-after', '1']],
  })
}

function answerWith(x: Received, { text, maxAge }: Document): Outbound {
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
