import * as z from 'zod'
import { checkExpression } from '../../expression.ts'
import { canonicalPath } from '../../model/path.ts'
import { isTemplateError, parseTemplate } from '../../model/template.ts'
import { checkCidr, isAddress, isLoopbackHost, parseAuthority } from '../../net.ts'
import { checkPattern } from '../../pattern.ts'
import { checkSpiffePattern } from '../../spiffe.ts'
import { durationPattern, parseDuration, percentPattern, quotaPattern, ratePattern, sizePattern, timePattern } from '../units.ts'
import { checked, filled } from './build.ts'

/*
 * The scalars of the format: each has a title, examples and a pattern, which the JSON Schema and the messages share.
 */

function lexical(title: string, pattern: RegExp, ...examples: readonly string[]) {
  return z.string().regex(pattern).meta({ title, examples })
}

/** Names of objects: lower-case, so that they fit labels, metrics and host names. */
export const namePattern = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/
export const name = lexical('name', namePattern, 'orders', 'per-client')

/** Any text of one line. */
export const text = z
  .string()
  .regex(/^[^\p{Cc}]{1,1000}$/u)
  .meta({ title: 'text of one line' })

export const duration = lexical('duration', durationPattern, '250ms', '2s', '1h30m')
/** A duration between two others. */
export function durationBetween(least: string, most: string) {
  const [from, to] = [parseDuration(least) ?? 0, parseDuration(most) ?? Number.POSITIVE_INFINITY]
  const check = (value: string): string | undefined => {
    const ms = parseDuration(value)
    return ms !== undefined && (ms < from || ms > to) ? `${value} is not between ${least} and ${most}.` : undefined
  }
  return duration.check((context) => {
    const message = check(context.value)
    if (message !== undefined)
      context.issues.push({ code: 'custom', message, input: context.value, params: { hint: `Write a duration from ${least} to ${most}.` } })
  })
}

export const rate = lexical('rate', ratePattern, '100/1m', '20/1s')
export const quota = lexical('quota', quotaPattern, '10000/month', '500/day')
export const size = lexical('size', sizePattern, '16KiB', '1MiB')
export const percent = lexical('percentage', percentPattern, '20%')
export const timeOfDay = lexical('time of day', timePattern, '08:00', '18:30')
export const method = lexical('HTTP method in capitals', /^[A-Z][A-Z-]{0,31}$/, 'GET', 'POST')
export const headerName = lexical('header name in lower case', /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'x-version')
export const grpcService = lexical('gRPC service', /^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*$/, 'shop.v1.Orders')
export const grpcMethod = lexical('gRPC method', /^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*\/(?:\*|[A-Za-z_]\w*)$/, 'shop.v1.Orders/GetOrder', 'shop.v1.Orders/*')
export const host = lexical('host name', /^(?:\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$|^\[[0-9a-f:.]+\]$/, 'api.example.com', '*.example.com')
/** A path under the policies folder. */
export const assetPath = lexical('path under the policies folder', /^(?!.*(?:^|\/)\.\.?(?:\/|$))[^/\\\p{Cc}][^\\\p{Cc}]*$/u, 'descriptors/shop.binpb')
export const sha256 = lexical('SHA-256 in lower-case hex', /^[0-9a-f]{64}$/, 'a37d8b1c8e3e3c1b0a0f8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f')
/** A dotted path into claims. A claim whose own name holds dots, such as a URL, is tried as a whole first. */
export const claimPath = lexical('claim', /^[^\s\p{Cc}]{1,256}$/u, 'tenant', 'realm_access.roles')

/** A reference to a secret, never the secret itself. */
export const secretPattern =
  /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:\/[^\p{Cc}]+|vault:[A-Za-z0-9_-]+(?:\/(?!\.+[/?#])[A-Za-z0-9_.-]+)+(?:\?version=[1-9]\d{0,8})?#[A-Za-z0-9_.-]+)$/u
export const secret = z
  .string()
  .regex(secretPattern)
  .meta({ title: 'secret reference', examples: ['env:PAY_KEY', 'file:/run/secrets/pay', 'vault:kv/pay#key'], 'x-secret': true })
/** A reference to PEM text. */
export const pem = secret.meta({ title: 'reference to PEM text', examples: ['file:/run/tls/tls.crt', 'env:TLS_CERTIFICATE'] })

export const path = checked(checkPath, { title: 'path template', examples: ['/v1/orders/{id}', '/catalog/{**}'] })

function checkPath(value: string): string | undefined {
  const template = parseTemplate(value)
  if (isTemplateError(template)) return `"${value}" is not a path template: ${template.message} (character ${template.at + 1}).`
  for (const segment of template.segments) {
    if (segment.kind !== 'literal') continue
    const canonical = canonicalPath(`/${segment.text}`)
    if ('ambiguous' in canonical) return `"${value}" never matches: "${segment.text}" holds ${canonical.ambiguous}.`
    if (canonical.path !== `/${segment.text}`) return `"${value}" never matches: "${segment.text}" is written "${canonical.path.slice(1)}" in canonical paths.`
  }
  return undefined
}

export const cidr = checked(
  (value) => {
    const problem = checkCidr(value)
    return problem === undefined ? undefined : `${upper(problem)}.`
  },
  { title: 'network', examples: ['10.0.0.0/8', '2001:db8::/32'] },
)

export const pattern = checked(
  (value) => {
    const problem = checkPattern(value)
    return problem === undefined ? undefined : `The pattern is not RE2: ${problem}.`
  },
  { title: 'RE2 pattern', examples: ['v[12]'] },
  () => 'RE2 has no look-around and no back references.',
)

/** A SPIFFE id; in its path `*` stands for one segment, and at the end for everything below. */
export const spiffeId = checked(
  (value) => {
    const problem = checkSpiffePattern(value)
    return problem === undefined ? undefined : `"${value}" is not a SPIFFE id: ${problem}.`
  },
  { title: 'SPIFFE id', examples: ['spiffe://example.org/ns/shop/sa/orders', 'spiffe://example.org/ns/*/sa/orders', 'spiffe://example.org/ns/shop/*'] },
)
/** RFC 6749 section 3.3 */
export const scope = lexical('scope', /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'orders:read')
export const trustDomain = lexical('SPIFFE trust domain', /^[a-z0-9._-]{1,255}$/, 'example.org')

export const expression = checked(
  (value) => {
    const problem = checkExpression(value)
    if (problem === undefined) return undefined
    return `The expression does not hold up: ${problem.message}${problem.at === undefined ? '' : ` (character ${problem.at + 1})`}.`
  },
  { title: 'CEL expression', examples: ['claims.tenant != request.params.tenant'] },
  () => 'It is CEL with a boolean result, over request, claims, principal, client and now; matches() is not available, use a pattern matcher.',
)

/** `host:port`, port required. */
export const address = checked(checkAddress, { title: 'address', examples: ['127.0.0.1:8080', '[::1]:8080'] }, () => 'Write host:port, such as 127.0.0.1:8080.')

export function checkAddress(value: string): string | undefined {
  const parsed = parseAuthority(value)
  if ('problem' in parsed) return `"${value}" is not an address: ${parsed.problem}.`
  return parsed.port === undefined ? `"${value}" has no port.` : undefined
}

/** `host:port` or `unix:/path`. */
export const endpointAddress = checked(
  (value) => {
    if (value.startsWith('unix:')) return /^unix:\/[^\p{Cc}]+$/u.test(value) ? undefined : `"${value}" is not an absolute path after unix:.`
    return checkAddress(value) ?? (value.endsWith(':0') ? `"${value}" has no port that can be called.` : undefined)
  },
  { title: 'endpoint', examples: ['127.0.0.1:15001', 'unix:/run/orders.sock'] },
  () => 'Write host:port, such as 127.0.0.1:15001, or unix:/path.',
)

/** What the upstream reads as Host or `:authority`. */
export const authority = checked(
  (value) => {
    const parsed = parseAuthority(value)
    return 'problem' in parsed ? `"${value}" is not an authority: ${parsed.problem}.` : undefined
  },
  { title: 'authority', examples: ['orders.shop.svc.cluster.local', 'orders.shop:8080'] },
)

export interface HttpUrl {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  /** As written; empty, or from "/" on. */
  readonly path: string
}

const urlShape = /^(https?):\/\/([^/?#\\]*)([^?#\\\s\p{Cc}]*)$/u

/** Reads an absolute http or https URL without query and fragment, strictly; a problem sentence otherwise. */
export function parseHttpUrl(value: string): HttpUrl | { readonly problem: string } {
  const parts = urlShape.exec(value)
  if (parts === null) return { problem: `"${value}" is not an http or https URL without query and fragment.` }
  const [, scheme, authorityText = '', rest = ''] = parts
  const parsed = parseAuthority(authorityText)
  if ('problem' in parsed) return { problem: `"${value}" is not a URL: ${parsed.problem}.` }
  const isHttps = scheme === 'https'
  return { scheme: isHttps ? 'https' : 'http', host: parsed.host, port: parsed.port ?? (isHttps ? 443 : 80), path: rest }
}

export const url = checked(
  (value) => {
    const parsed = parseHttpUrl(value)
    return 'problem' in parsed ? parsed.problem : undefined
  },
  { title: 'URL', examples: ['https://api.pay.example'] },
)

/** Where an egress service lives: a URL, or for a TCP service `host:port`. Which of them fits is for whoever knows its kind. */
export const egressTarget = checked(
  (value) => {
    const parsed = parseHttpUrl(value)
    if (!('problem' in parsed) || (checkAddress(value) === undefined && !value.endsWith(':0'))) return undefined
    return parsed.problem
  },
  { title: 'URL, or host:port', examples: ['https://api.pay.example', 'ledger.corp.example:5432'] },
)

/** A host of the forward proxy. Whether a wildcard is too wide, and an address allowed, is said with the reason when the policies are linked. */
export const proxyHost = checked(
  (value) => {
    const parsed = parseAuthority(value.startsWith('*.') ? value.slice(2) : value)
    if ('problem' in parsed) return `"${value}" is not a host: ${parsed.problem}.`
    if (parsed.port !== undefined) return `"${value}" holds a port.`
    if (value !== value.toLowerCase()) return `"${value}" is not in lower case.`
    return value.startsWith('*.') && isAddress(parsed.host) ? `"${value}" is not a host.` : undefined
  },
  { title: 'host name, or *. and a host name', examples: ['github.com', '*.githubusercontent.com'] },
  (value) => (value.includes(':') ? 'Ports stand beside, under ports:.' : undefined),
)

/** https, or http to this very machine. */
export const safeUrl = checked(
  (value) => {
    const parsed = parseHttpUrl(value)
    if ('problem' in parsed) return parsed.problem
    return parsed.scheme === 'https' || isLoopbackHost(parsed.host) ? undefined : `"${value}" is not https: anybody on the way could answer.`
  },
  { title: 'https URL', examples: ['https://idp.example.com'] },
  () => 'Write an https URL; http is for loopback addresses only.',
)

function upper(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1)
}

const scalar = z.union([z.string(), z.number(), z.boolean()])
/** A claim's value: typed, so `"1"` and `1` differ. */
export const claimValue = scalar.meta({ title: 'text, a number, or true or false' })

/** A test of one header or query parameter: text for an exact value, or a mapping. */
export const fieldTest = z
  .union([
    z.string(),
    filled(
      z.strictObject({
        exact: z.string().optional().meta({ description: 'The whole value.' }),
        prefix: z.string().min(1).optional().meta({ description: 'What the value begins with.' }),
        present: z.boolean().optional().meta({ description: 'Whether it is there at all.' }),
        pattern: pattern.optional().meta({ description: 'RE2 pattern for the whole value.' }),
      }),
    ),
  ])
  .meta({ description: 'The exact value, or a mapping of exact, prefix, present and pattern: all that are given must hold.' })

export const fieldTests = z.record(headerName, fieldTest)
export const queryTests = z.record(
  z
    .string()
    .regex(/^[^\s&=]{1,128}$/)
    .meta({ title: 'query parameter', examples: ['version'] }),
  fieldTest,
)

export const stickyKey = z
  .string()
  .regex(/^(?:claim\.[^\s]{1,200}|header\.[a-z0-9!#$%&'*+.^_`|~-]{1,128}|cookie\.[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}|client)$/)
  .meta({ title: 'sticky key', examples: ['claim.sub', 'header.x-tenant', 'cookie.session', 'client'] })
