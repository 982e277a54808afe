import type { Introduced } from '../../model/exchange.ts'
import { FieldList } from '../../model/fields.ts'
import { endToEnd, isHopByHop } from '../../model/hop-by-hop.ts'
import { buildWithheld, folded, handedOn } from './handed-on.ts'

const prefix = 'grpc-metadata-'

/** What a JSON caller's own headers may become without asking. */
const passedFromHttp: ReadonlySet<string> = new Set(['accept-language', 'idempotency-key'])

/** Fields of the HTTP message or of gRPC itself, never metadata (gRPC over HTTP/2, "Requests"). */
const protocolOwn: ReadonlySet<string> = new Set(['host', 'content-type', 'content-length', 'content-encoding', 'accept-encoding', 'expect', 'user-agent'])

/** What only the gateway, a trusted proxy or the mesh may say; a caller cannot say it through `grpc-metadata-*` either. */
const spoken =
  /^(?:forwarded|cookie|proxy|b3|x-real-ip|x-http-method.*|x-method-override|x-original-url|x-rewrite-url|(?:proxy|x-forwarded|x-envoy|l5d|x-b3|x-egress|x-sallyport)-.*)$/

/** Fields of a browser's HTTP exchange, and those that Connect and gRPC-Web keep for themselves. */
const webOwn = /^(?:accept|connect-.*|content-.*|cookie|dnt|origin|pragma|priority|referer|sec-.*|upgrade-insecure-requests|x-grpc-web|x-user-agent)$/

const metadataName = /^[0-9a-z_.-]+$/
const printable = /^[\x20-\x7e]*$/
const base64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Metadata for a call that was made from JSON: `grpc-metadata-*` without the prefix, a short allow-list, and what is always handed on. */
export function metadataFromHttp(x: Introduced): FieldList {
  const withheld = buildWithheld(x)
  const metadata = new FieldList()
  for (const [name, value] of x.request.headers.entries()) {
    if (passedFromHttp.has(name)) add(metadata, name, value)
    if (!name.startsWith(prefix)) continue
    const own = name.slice(prefix.length)
    if (isPassable(own) && !withheld(own) && !spoken.test(folded(own))) add(metadata, own, value)
  }
  return withHandedOn(metadata, x)
}

/** Metadata for a native gRPC call: every end-to-end field that is not the protocol's own, and what is always handed on. */
export function metadataFromGrpc(x: Introduced): FieldList {
  const withheld = buildWithheld(x)
  const metadata = new FieldList()
  for (const [name, value] of endToEnd(x.request.headers).entries()) {
    if (isPassable(name) && !withheld(name)) add(metadata, name, value)
  }
  return withHandedOn(metadata, x)
}

/**
 * Metadata for a gRPC-Web or Connect call: as for a native one, without what the browser and the protocol say about their own HTTP exchange, and
 * without cookies.
 */
export function metadataFromWeb(x: Introduced): FieldList {
  const withheld = buildWithheld(x)
  const metadata = new FieldList()
  for (const [name, value] of endToEnd(x.request.headers).entries()) {
    if (isPassable(name) && !webOwn.test(name) && !withheld(name)) add(metadata, name, value)
  }
  return withHandedOn(metadata, x)
}

function isPassable(name: string): boolean {
  return metadataName.test(name) && !name.startsWith('grpc-') && !protocolOwn.has(name) && !isHopByHop(name)
}

/**
 * Binary values (`-bin`) are base64 with or without padding, several joined by commas; they go on one by one, unpadded. What is no
 * base64, and text outside printable ASCII, is dropped (gRPC over HTTP/2, "Custom-Metadata").
 */
function add(metadata: FieldList, name: string, value: string): void {
  if (!name.endsWith('-bin')) {
    if (printable.test(value)) metadata.append(name, value)
    return
  }
  for (const part of value.split(',')) {
    const bytes = part.trim()
    if (base64.test(bytes)) metadata.append(name, bytes.replaceAll('=', ''))
  }
}

function withHandedOn(metadata: FieldList, x: Introduced): FieldList {
  for (const [name, value] of handedOn(x)) metadata.append(name, value)
  return metadata
}
