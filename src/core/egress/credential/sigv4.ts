import type { FieldList } from '../../model/fields.ts'
import { hexOf, hmac } from './mac.ts'

/** A request as AWS Signature Version 4 reads it. */
export interface Signable {
  readonly method: string
  /** Of the Host header. */
  readonly authority: string
  /** As it goes on the wire. */
  readonly path: string
  /** As it goes on the wire, without "?". */
  readonly query: string
  /** Names lower-case. All are signed but those that others on the way may change. */
  readonly headers: FieldList
  /** Hex SHA-256 of the body, or `UNSIGNED-PAYLOAD`. */
  readonly payload: string
}

export interface SigningKey {
  readonly accessKeyId: string
  readonly secret: string
  readonly region: string
  readonly service: string
}

export const unsignedPayload = 'UNSIGNED-PAYLOAD'

/** Headers that proxies and libraries change: the list of the AWS SDKs. */
const unsigned: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'connection',
  'expect',
  'from',
  'keep-alive',
  'max-forwards',
  'pragma',
  'referer',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-amzn-trace-id',
])

/**
 * The Authorization header of AWS Signature Version 4 (AWS, "Create a signed AWS API request"), and its signature alone. `date` is `20150830T123600Z` and
 * stands in `x-amz-date` of the headers already.
 */
export async function signV4(
  request: Signable,
  key: SigningKey,
  date: string,
  digest: (text: string) => string | Promise<string>,
): Promise<{ readonly authorization: string; readonly signature: string }> {
  const { text, signedHeaders } = canonicalRequest(request, key.service)
  const scope = `${date.slice(0, 8)}/${key.region}/${key.service}/aws4_request`
  const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${await digest(text)}`
  let derived: Uint8Array | string = `AWS4${key.secret}`
  for (const part of scope.split('/')) derived = await hmac('sha256', derived, part)
  const signature = hexOf(await hmac('sha256', derived, toSign))
  return { signature, authorization: `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}` }
}

function canonicalRequest(
  { method, authority, path, query, headers, payload }: Signable,
  service: string,
): { readonly text: string; readonly signedHeaders: string } {
  const fields = new Map<string, string[]>([['host', [authority]]])
  for (const [name, value] of headers.entries()) {
    if (unsigned.has(name) || name.startsWith('proxy-') || name.startsWith('sec-') || name === 'host') continue
    fields.set(name, [...(fields.get(name) ?? []), value.trim().replaceAll(/[ \t]+/g, ' ')])
  }
  const names = Array.from(fields.keys()).sort()
  const lines = names.map((name) => `${name}:${fields.get(name)?.join(',')}\n`)
  const signedHeaders = names.join(';')
  const text = [method, canonicalUri(path, service), canonicalQuery(query), lines.join(''), signedHeaders, payload].join('\n')
  return { text, signedHeaders }
}

/** S3 encodes a path once and keeps it as it is; every other service encodes what is encoded already, and joins slashes. */
function canonicalUri(path: string, service: string): string {
  if (service === 's3') return path.split('/').map(reencoded).join('/')
  return path
    .replaceAll(/\/{2,}/g, '/')
    .split('/')
    .map((segment) => encoded(new TextEncoder().encode(segment)))
    .join('/')
}

function canonicalQuery(query: string): string {
  if (query === '') return ''
  const pairs = plainQuery(query)
    .split('&')
    .map((pair) => {
      const at = pair.indexOf('=')
      return at < 0 ? ([pair, ''] as const) : ([pair.slice(0, at), pair.slice(at + 1)] as const)
    })
  // By the encoded name, then the value, in the order of their bytes, which all are ASCII.
  const sorted = pairs.sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : x > y ? 1 : 0) : a < b ? -1 : 1))
  return sorted.map(([name, value]) => `${name}=${value}`).join('&')
}

/**
 * A query in the one spelling that everybody reads alike: escapes where they must be, "%20" for the "+" of forms, and no empty parts. Sent like this, it
 * cannot mean something else to the service than to the signature.
 */
export function plainQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=')
      const part = (text: string) => reencoded(text.replaceAll('+', ' '))
      return at < 0 ? `${part(pair)}=` : `${part(pair.slice(0, at))}=${part(pair.slice(at + 1))}`
    })
    .join('&')
}

/** Decodes escapes and encodes anew, byte by byte: what is no escape stands for itself. */
function reencoded(text: string): string {
  const bytes: number[] = []
  for (const part of text.split(/(%[0-9A-Fa-f]{2})/)) {
    if (/^%[0-9A-Fa-f]{2}$/.test(part)) bytes.push(Number.parseInt(part.slice(1), 16))
    else bytes.push(...new TextEncoder().encode(part))
  }
  return encoded(bytes)
}

/** Everything but the unreserved characters of RFC 3986 as an escape. */
function encoded(bytes: Iterable<number>): string {
  let text = ''
  for (const byte of bytes) {
    const char = String.fromCharCode(byte)
    text += /[A-Za-z0-9\-._~]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}
