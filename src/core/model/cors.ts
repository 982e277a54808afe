import { FieldList } from './fields.ts'
import type { Fields } from './wire.ts'

/** Which pages of other origins may call a route, and what of its answers they may read (WHATWG Fetch, "CORS protocol"). Plain data. */
export interface Cors {
  /** Origins as browsers write them, `https://*.example.com` for one label more, or `*` for any. */
  readonly origins: readonly string[]
  /** Upper-case; undefined means whatever the route takes. GET covers HEAD. */
  readonly methods: readonly string[] | undefined
  /** Request headers in lower case; `*` for any but `authorization`. */
  readonly headers: readonly string[]
  /** Answer headers in lower case that scripts may read beside the safelisted ones. */
  readonly expose: readonly string[]
  /** Cookies and client certificates may go with it. Never together with `*`. */
  readonly credentials: boolean
  /** Whole seconds that a browser may remember a preflight. */
  readonly maxAgeSeconds: number
  /** Pages of the public internet may call it where it stands in a private network. */
  readonly privateNetwork: boolean
}

/** What a preflight asks for: OPTIONS with one `origin` and one `access-control-request-method`. */
export interface Preflight {
  readonly origin: string
  readonly method: string
  /** Lower-case. */
  readonly headers: readonly string[]
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * Whether pages of an origin may call a route: for CORS, and for handshakes that browsers make without asking (WebSocket). `origin` is the header as it came.
 * Without settings nobody may. `null`, the origin of pages that have none, is covered by `*` alone.
 */
export function corsAllows(cors: Cors | undefined, origin: string): boolean {
  return cors?.origins.some((pattern) => pattern === '*' || pattern === origin || isUnder(pattern, origin)) ?? false
}

/** `https://*.example.com` covers `https://a.example.com`: the same scheme and port, and one label. */
function isUnder(pattern: string, origin: string): boolean {
  const star = pattern.indexOf('*.')
  if (star < 0) return false
  const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)]
  if (!origin.startsWith(before) || !origin.endsWith(after)) return false
  return /^[a-z0-9_-]+$/.test(origin.slice(before.length, Math.max(before.length, origin.length - after.length)))
}

/** What a request asks for when it is a preflight; undefined when it is none. */
export function readPreflight({ method, headers }: { readonly method: string; readonly headers: Fields }): Preflight | undefined {
  if (method !== 'OPTIONS') return undefined
  const [origin, ...others] = headers.all('origin')
  const [wanted, ...more] = headers.all('access-control-request-method')
  if (origin === undefined || wanted === undefined || others.length + more.length > 0 || !token.test(wanted)) return undefined
  const names = headers.all('access-control-request-headers').flatMap((value) => value.split(','))
  return { origin, method: wanted, headers: names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '') }
}

/** Why a preflight is not granted, or undefined. */
export function preflightProblem(cors: Cors | undefined, asked: Preflight): string | undefined {
  if (cors === undefined) return 'this route takes no cross-origin requests'
  if (!corsAllows(cors, asked.origin)) return 'this origin may not call this route'
  if (!takesMethod(cors, asked.method)) return `pages of other origins may not use ${asked.method} here`
  const header = asked.headers.find((name) => !takesHeader(cors, name))
  return header === undefined ? undefined : `pages of other origins may not send the header ${token.test(header) ? header.slice(0, 128) : 'that is none'} here`
}

function takesMethod({ methods }: Cors, method: string): boolean {
  return methods === undefined || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'))
}

/** `*` does not cover `authorization` (Fetch, "CORS non-wildcard request-header name"). */
function takesHeader({ headers }: Cors, name: string): boolean {
  return headers.includes(name) || (headers.includes('*') && name !== 'authorization' && token.test(name))
}

/** The fields that grant a preflight: what was asked for and no more, so that it holds for all routes that the request itself may meet. */
export function preflightGrant(all: readonly Cors[], asked: Preflight, privateNetwork: boolean): FieldList {
  const fields = new FieldList()
  for (const name of ['origin', 'access-control-request-method', 'access-control-request-headers']) addVary(fields, name)
  fields.set('access-control-allow-origin', all.every(isOpen) ? '*' : asked.origin)
  if (all.every(({ credentials }) => credentials)) fields.set('access-control-allow-credentials', 'true')
  fields.set('access-control-allow-methods', asked.method)
  if (asked.headers.length > 0) fields.set('access-control-allow-headers', asked.headers.join(', '))
  if (privateNetwork && all.every((cors) => cors.privateNetwork)) fields.set('access-control-allow-private-network', 'true')
  return fields.set('access-control-max-age', `${Math.min(...all.map(({ maxAgeSeconds }) => maxAgeSeconds))}`)
}

function isOpen({ origins }: Cors): boolean {
  return origins.includes('*')
}

/**
 * Puts the gateway's word on CORS into an answer, in place of what the upstream said. `vary` is there whoever asks, unless the answer is the same for
 * all origins, so that no cache gives one origin's answer to another (Fetch, "CORS protocol and HTTP caches").
 */
export function addCors(headers: FieldList, cors: Cors, { method, origins }: { readonly method: string; readonly origins: readonly string[] }): FieldList {
  for (const [name] of headers.entries()) if (name.startsWith('access-control-')) headers.remove(name)
  if (!isOpen(cors)) addVary(headers, 'origin')
  const [origin, ...others] = origins
  const fits = isOpen(cors) || (origin !== undefined && others.length === 0 && corsAllows(cors, origin))
  if (!fits || !takesMethod(cors, method)) return headers
  headers.set('access-control-allow-origin', isOpen(cors) ? '*' : (origin ?? ''))
  if (cors.credentials) headers.set('access-control-allow-credentials', 'true')
  if (cors.expose.length > 0) headers.set('access-control-expose-headers', cors.expose.join(', '))
  return headers
}

function addVary(headers: FieldList, name: string): void {
  const said = headers.all('vary').flatMap((value) => value.split(',').map((item) => item.trim()))
  if (said.includes('*') || said.some((item) => item.toLowerCase() === name)) return
  headers.set('vary', [...said.filter((item) => item !== ''), name].join(', '))
}
