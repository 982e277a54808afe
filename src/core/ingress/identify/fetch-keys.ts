import { Fault } from '../../model/fault.ts'
import type { Fetch, FetchResponse } from '../../ports.ts'
import { type PublicJwk, usableKeys } from './jwk.ts'

/** Where an issuer's keys come from. */
export interface KeySource {
  /** The `iss` value. */
  readonly issuer: string
  /** Key set URL; undefined means discovery. */
  readonly jwks: string | undefined
}

/** What is known from earlier answers. */
export interface Earlier {
  /** Where discovery said the keys are; undefined to ask it again. */
  readonly uri: string | undefined
  /** The answer that a conditional request may confirm. */
  readonly answer: { readonly uri: string; readonly etag: string | undefined } | undefined
}

export type FetchedKeys =
  | { readonly kind: 'unchanged'; readonly uri: string; readonly maxAgeMs: number; readonly etag: string | undefined }
  | { readonly kind: 'keys'; readonly uri: string; readonly maxAgeMs: number; readonly etag: string | undefined; readonly keys: readonly PublicJwk[] }

const sizeLimit = 1_048_576
const minute = 60_000
const maxAge = { least: minute, usual: 10 * minute, most: 24 * 60 * minute }

/**
 * Fetches an issuer's keys in at most `budget()` milliseconds, discovery included. No redirects; at most 1 MiB.
 * @throws Error with what went wrong.
 */
export async function fetchKeys(source: KeySource, earlier: Earlier, fetch: Fetch, budget: () => number): Promise<FetchedKeys> {
  const uri = source.jwks ?? earlier.uri ?? (await discover(source.issuer, 'jwks_uri', fetch, budget))
  const etag = earlier.answer?.uri === uri ? earlier.answer.etag : undefined
  const answer = await get(uri, etag === undefined ? {} : { 'if-none-match': etag }, fetch, budget)
  const maxAgeMs = lifetimeOf(answer.headers)
  // A 304 that nobody asked for confirms nothing.
  if (answer.status === 304 && etag !== undefined) return { kind: 'unchanged', uri, maxAgeMs, etag }
  if (answer.status !== 200) throw new Error(`${uri} answered ${answer.status}`)
  return { kind: 'keys', uri, maxAgeMs, etag: answer.headers['etag'], keys: usableKeys(answer.text) }
}

/**
 * The URL that an issuer's metadata names as `member`: OpenID Connect Discovery 1.0 section 4, then RFC 8414 section 3 (path insertion). The
 * document must name the same issuer. @throws Error
 */
export async function discover(issuer: string, member: string, fetch: Fetch, budget: () => number): Promise<string> {
  const problems: string[] = []
  for (const url of metadataUrls(issuer)) {
    try {
      return urlIn(issuer, member, await get(url, {}, fetch, budget))
    } catch (error) {
      problems.push(`${url}: ${reasonOf(error)}`)
    }
  }
  throw new Error(`discovery failed: ${problems.join('; ')}`)
}

/** Read by operators only, so the record's words come first. */
function reasonOf(error: unknown): string {
  if (error instanceof Fault) return error.detail.internal ?? error.message
  return error instanceof Error ? error.message : 'failed'
}

/** The places where an issuer's metadata may stand. @throws Error when the issuer is no http(s) URL without query and fragment. */
export function metadataUrls(issuer: string): readonly string[] {
  const url = URL.parse(issuer)
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw new Error(`the issuer "${issuer}" is no URL to discover from`)
  const path = url.pathname.replace(/\/$/, '')
  return [`${url.origin}${path}/.well-known/openid-configuration`, `${url.origin}/.well-known/oauth-authorization-server${path}`]
}

function urlIn(issuer: string, member: string, answer: FetchResponse): string {
  if (answer.status !== 200) throw new Error(`answered ${answer.status}`)
  const document: unknown = JSON.parse(answer.text)
  if (typeof document !== 'object' || document === null || !('issuer' in document) || document.issuer !== issuer) throw new Error('speaks of another issuer')
  const named = Object.hasOwn(document, member) ? (document as Readonly<Record<string, unknown>>)[member] : undefined
  const uri = typeof named === 'string' ? URL.parse(named) : null
  if (uri === null) throw new Error(`has no ${member}`)
  // Plaintext only where the issuer itself is plaintext, as on a developer's machine.
  if (uri.protocol !== 'https:' && !(uri.protocol === 'http:' && issuer.startsWith('http:'))) throw new Error(`its ${member} is not https`)
  return uri.href
}

async function get(url: string, headers: Readonly<Record<string, string>>, fetch: Fetch, budget: () => number): Promise<FetchResponse> {
  const timeoutMs = budget()
  if (timeoutMs <= 0) throw new Error('no time left')
  const answer = await fetch({ url, method: 'GET', headers: { accept: 'application/json', ...headers }, body: undefined, timeoutMs, limit: sizeLimit })
  if (answer.text.length > sizeLimit) throw new Error(`${url} answered more than ${sizeLimit} bytes`)
  return answer
}

/** How long an answer is fresh (RFC 9111 section 5.2.2), between one minute and one day; ten minutes where it does not say. */
function lifetimeOf(headers: Readonly<Record<string, string>>): number {
  const control = headers['cache-control'] ?? ''
  if (/(?:^|,)\s*no-(?:store|cache)\b/i.test(control)) return maxAge.least
  const seconds = /(?:^|,)\s*max-age\s*=\s*"?(\d{1,10})/i.exec(control)?.[1]
  if (seconds === undefined) return maxAge.usual
  const age = /^\d{1,10}$/.test(headers['age'] ?? '') ? Number(headers['age']) : 0
  return Math.min(maxAge.most, Math.max(maxAge.least, (Number(seconds) - age) * 1000))
}
