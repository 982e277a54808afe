import { isHopByHop } from './hop-by-hop.ts'

/** Fields of the HTTP message or of gRPC itself, never metadata (gRPC over HTTP/2, "Requests"). */
export const protocolOwn: ReadonlySet<string> = new Set([
  'host',
  'content-type',
  'content-length',
  'content-encoding',
  'accept-encoding',
  'expect',
  'user-agent',
])

/** What only the gateway, a trusted proxy or the mesh may say, and what of it is a credential. In names whose every odd character is a "-". */
export const spoken =
  /^(?:forwarded|cookie|proxy|b3|x-real-ip|x-http-method.*|x-method-override|x-original-url|x-rewrite-url|(?:proxy|x-forwarded|x-envoy|l5d|x-b3|x-egress|x-sallyport)-.*)$/

/** Fields that the gateway writes on every call. */
const written: ReadonlySet<string> = new Set(['x-request-id', 'traceparent', 'tracestate'])

/** Fields of an answer that the gateway writes itself, and what a server or a proxy says about itself. */
const answerOwn =
  /^(?:date|server|alt-svc|x-powered-by|x-request-id|ratelimit|ratelimit-policy|(?:grpc|content|access-control|connect|trailer|sec-websocket|x-envoy|l5d|x-sallyport)-.*)$/

/** Fields that mean nothing, or something else, after the body (RFC 9110 section 6.5.1). */
const leading: ReadonlySet<string> = new Set([
  'age',
  'cache-control',
  'etag',
  'expires',
  'last-modified',
  'location',
  'pragma',
  'retry-after',
  'set-cookie',
  'vary',
  'www-authenticate',
])

/** Whether a name is in a list of names, where `*` at the end of one stands for the rest. */
export function isListed(list: readonly string[], name: string): boolean {
  return list.some((item) => item === name || (item.endsWith('*') && name.startsWith(item.slice(0, -1))))
}

/** Why a header of a request can never be metadata of a call; undefined when it can. */
export function metadataProblem(name: string): string | undefined {
  if (name === 'authorization') return 'handOn: { token: true } hands the token on'
  if (isHopByHop(name) || protocolOwn.has(name) || name.startsWith('grpc-')) return 'it belongs to the HTTP message or to gRPC itself'
  return spoken.test(name) || written.has(name) ? 'only the gateway, a proxy or the mesh may say it' : undefined
}

/** Why metadata of an answer can never be a header of this name; undefined when it can. */
export function answerHeaderProblem(name: string): string | undefined {
  if (isHopByHop(name)) return 'it belongs to one connection'
  return answerOwn.test(name) ? 'the gateway writes it itself, or it says what a body is' : undefined
}

/** Whether metadata of an answer goes out as a header of its own name. `set-cookie` must be listed by its whole name. */
export function isPromoted(list: readonly string[], name: string): boolean {
  if (list.length === 0 || !isListed(list, name)) return false
  return answerHeaderProblem(name) === undefined && (name !== 'set-cookie' || list.includes(name))
}

/** Whether a field may stand after the body. */
export function mayTrail(name: string): boolean {
  return !leading.has(name)
}
