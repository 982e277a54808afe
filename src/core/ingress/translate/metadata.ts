import type { Introduced } from '../../model/exchange.ts'
import { FieldList } from '../../model/fields.ts'
import { endToEnd, isHopByHop } from '../../model/hop-by-hop.ts'
import { isListed, protocolOwn, spoken } from '../../model/metadata-names.ts'
import { buildWithheld, folded, handedOn } from './handed-on.ts'

const prefix = 'grpc-metadata-'

/** What a JSON caller's own headers may become without asking. */
const passedFromHttp: ReadonlySet<string> = new Set(['accept-language', 'idempotency-key'])

/** Fields of a browser's HTTP exchange, and those that Connect and gRPC-Web keep for themselves. */
const webOwn = /^(?:accept|connect-.*|content-.*|cookie|dnt|origin|pragma|priority|referer|sec-.*|upgrade-insecure-requests|x-grpc-web|x-user-agent)$/

const metadataName = /^[0-9a-z_.-]+$/
const printable = /^[\x20-\x7e]*$/
const base64 = /^[A-Za-z0-9+/]*={0,2}$/

/**
 * Metadata for a call that was made from JSON: `grpc-metadata-*` without the prefix, a short allow-list and the route's own, and what is always handed
 * on. What only the gateway, a proxy or the mesh may say cannot be said in any of these ways.
 */
export function metadataFromHttp(x: Introduced): FieldList {
  const withheld = buildWithheld(x)
  const listed = x.route.translate.requestHeaders ?? []
  const metadata = new FieldList()
  for (const [name, value] of endToEnd(x.request.headers).entries()) {
    const own = name.startsWith(prefix) ? name.slice(prefix.length) : name
    if (passedFromHttp.has(name)) add(metadata, name, value)
    else if ((own !== name || isListed(listed, name)) && isPassable(own) && !withheld(own) && !spoken.test(folded(own))) add(metadata, own, value)
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
    const bare = bytes.replaceAll('=', '')
    // A lone character at the end holds six bits of a byte.
    if (base64.test(bytes) && bare.length % 4 !== 1) metadata.append(name, bare)
  }
}

function withHandedOn(metadata: FieldList, x: Introduced): FieldList {
  for (const [name, value] of handedOn(x)) metadata.append(name, value)
  return metadata
}
