import type { Cors } from '../../model/cors.ts'
import type { RouteDocument } from '../document/routes.ts'
import { type Entry, isWhole, type Linking, refuse, warn } from './linking.ts'
import { ms } from './values.ts'

/** What the browser clients of gRPC-Web and Connect send and read. */
const grpcHeaders = ['content-type', 'connect-protocol-version', 'connect-timeout-ms', 'grpc-timeout', 'x-grpc-web', 'x-user-agent']
const grpcExpose = ['grpc-status', 'grpc-message', 'grpc-status-details-bin']

/** Checks and links `cors` of a route. Undefined when it is not said, or broken. */
export function linkCors(linking: Linking, entry: Entry<RouteDocument>): Cors | undefined {
  const { cors, match } = entry.value ?? {}
  if (cors === undefined || !isWhole(entry, 'cors')) return undefined
  const isGrpc = match?.grpc !== undefined
  if (cors.credentials) refuseWildcards(linking, entry, cors)
  if (cors.origins.includes('*') && cors.origins.length > 1)
    warn(linking, entry, ['cors', 'origins'], {
      code: 'no_effect',
      message: 'Beside "*" the other origins have no effect.',
      hint: 'Keep "*" alone, or remove it.',
    })
  return {
    origins: cors.origins,
    methods: cors.methods,
    headers: unique([...cors.headers, ...(isGrpc ? grpcHeaders : [])]),
    expose: unique([...cors.expose, ...(isGrpc ? grpcExpose : [])]),
    credentials: cors.credentials,
    maxAgeSeconds: Math.floor(ms(cors.maxAge) / 1000),
    privateNetwork: cors.privateNetwork,
  }
}

/** With credentials, `*` is no wildcard to a browser but a name of its own (Fetch, "CORS protocol and credentials"). */
function refuseWildcards(linking: Linking, entry: Entry<RouteDocument>, cors: NonNullable<RouteDocument['cors']>): void {
  for (const key of ['origins', 'headers', 'expose'] as const) {
    const list: readonly string[] = cors[key]
    const at = list.indexOf('*')
    if (at < 0) continue
    refuse(linking, entry, ['cors', key, at], {
      code: 'cors_wildcard',
      message: `With credentials: true, ${key} cannot be "*": ${key === 'origins' ? 'every page there is could act as the person in front of it' : 'browsers would not take it'}.`,
      hint: `List the ${key === 'origins' ? 'origins' : 'headers'}, or remove credentials.`,
    })
  }
}

function unique(list: readonly string[]): readonly string[] {
  return Array.from(new Set(list))
}
