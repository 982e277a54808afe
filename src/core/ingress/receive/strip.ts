import type { Arrival } from '../../model/exchange.ts'
import { FieldList } from '../../model/fields.ts'
import { isHopByHop } from '../../model/hop-by-hop.ts'
import { refusal } from './refusal.ts'

/** Beside the fields of one hop: Host and Content-Length, whose facts stand in `authority` and `body`, Expect, which listeners answer, and Proxy, which CGI reads as HTTP_PROXY. */
const ownHop = ['content-length', 'expect', 'host', 'proxy']

/** What the gateway says itself, and what would talk an upstream into another method or path than the one that was judged. */
const ownWord = [
  'traceparent',
  'tracestate',
  'x-forwarded-client-cert',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-request-id',
  'x-rewrite-url',
]
const ownPrefixes = ['l5d-', 'proxy-', 'sec-websocket-', 'x-envoy-', 'x-sallyport-', 'x-egress-']

/** What a proxy in front may say and a stranger may not. */
const proxyWord: ReadonlySet<string> = new Set(['b3', 'forwarded', 'x-real-ip'])
const proxyPrefixes = ['x-forwarded-', 'x-b3-']

/** What Connection may not name: the next hop would lose it, and with it what was judged. */
const endToEnd: ReadonlySet<string> = new Set([
  'accept',
  'authorization',
  'cookie',
  'dpop',
  'forwarded',
  'host',
  'idempotency-key',
  'origin',
  'range',
  'referer',
  'transfer-encoding',
  'user-agent',
  'x-api-key',
  'x-real-ip',
  'x-request-id',
])
const endToEndPrefixes = ['accept-', 'content-', 'grpc-', 'if-', 'x-forwarded-', 'connect-', ...ownPrefixes]

export interface StripRules {
  /** Further names that are never taken from a request, in any spelling. */
  readonly own: readonly string[]
  /** Exceptions, spelt exactly so. */
  readonly keep: readonly string[]
  /** Exceptions in every spelling: a later room refuses all but the right one, so that none is ignored. */
  readonly keepSpellings: readonly string[]
}

/**
 * Compiles the filter between what was sent and what the house reads: fields of this hop and fields that Connection names
 * go first, then every field that only the gateway (or, untrusted, a proxy) may say. Names are compared with whatever
 * stands between letters and digits folded to one "-", as CGI-like upstreams do and more, and
 * without "grpc-metadata-" before them. @throws Fault when Connection names an end-to-end field.
 */
export function buildStrip(rules: StripRules): (arrival: Arrival, fields: FieldList, trusted: boolean) => FieldList {
  const keep = new Set(rules.keep)
  const spelt = new Set(rules.keepSpellings)
  const own = new Set([...ownHop, ...ownWord, ...rules.own.map(fold)])
  const isProtected = (name: string) => endToEnd.has(name) || own.has(name) || startsWithAny(name, endToEndPrefixes)
  const isForeign = (name: string, trusted: boolean) =>
    isHopByHop(name) || own.has(name) || startsWithAny(name, ownPrefixes) || (!trusted && (proxyWord.has(name) || startsWithAny(name, proxyPrefixes)))
  return (arrival, fields, trusted) => {
    const nominated = fields.has('connection') ? readNominated(arrival, fields, isProtected) : undefined
    const kept = new FieldList()
    fields.each((name, value) => {
      if (nominated?.has(name) === true) return
      const folded = fold(name)
      if (keep.has(name) || spelt.has(folded) || !isForeign(bare(folded), trusted)) kept.append(name, value)
    })
    return kept
  }
}

function readNominated(arrival: Arrival, fields: FieldList, isProtected: (name: string) => boolean): ReadonlySet<string> {
  const nominated = new Set<string>()
  for (const value of fields.all('connection')) {
    for (const option of value.split(',')) {
      const name = option.trim().toLowerCase()
      if (name === '' || name === 'close' || (isHopByHop(name) && name !== 'transfer-encoding')) continue
      if (isProtected(fold(name))) throw refusal(arrival, 'request_invalid', `connection names ${name}, which is not of this hop`)
      nominated.add(name)
    }
  }
  return nominated
}

function startsWithAny(name: string, prefixes: readonly string[]): boolean {
  for (const prefix of prefixes) if (name.startsWith(prefix)) return true
  return false
}

const asMetadata = 'grpc-metadata-'

/** What a JSON front of gRPC services makes of a field with the prefix: the name behind it, as metadata. */
function bare(folded: string): string {
  let name = folded
  while (name.startsWith(asMetadata)) name = name.slice(asMetadata.length)
  return name
}

/** The name as it is when it has letters, digits and single "-" only, which nearly all have. */
function fold(name: string): string {
  let before = 0
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i)
    const ordinary = (code >= 0x61 && code <= 0x7a) || (code === 0x2d && before !== 0x2d) || (code >= 0x30 && code <= 0x39)
    if (!ordinary) return name.replaceAll(/[^a-z0-9]+/g, '-')
    before = code
  }
  return name
}
