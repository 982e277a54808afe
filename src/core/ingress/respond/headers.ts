import type { Metered } from '../../model/exchange.ts'
import { FieldList } from '../../model/fields.ts'
import { endToEnd, isHopByHop } from '../../model/hop-by-hop.ts'
import { isPromoted, mayTrail } from '../../model/metadata-names.ts'
import { rateLimitHeaders } from '../../model/reading.ts'
import type { TranslateOptions } from '../../model/translate-options.ts'
import type { Fields } from '../../model/wire.ts'

/** What a mesh proxy or an upstream server says about itself. */
const inward = /^(?:server|alt-svc|x-powered-by|x-envoy-.*|l5d-.*|x-sallyport-.*)$/
const httpOwn = /^(?:access-control-|connect-|content-|trailer-)/
const printable = /^[\x20-\x7e]*$/

/** Fields of an HTTP answer that go on downstream. */
export function passedOn(fields: Fields): FieldList {
  return endToEnd(fields).without((name) => inward.test(name))
}

/** Metadata that goes on downstream under its own name, with a native gRPC answer. */
export function metadataPassedOn(metadata: Fields): FieldList {
  const kept = new FieldList()
  for (const [name, value] of metadata.entries()) if (isOwn(name)) addMetadata(kept, name, value)
  return kept
}

/** Metadata that may stand among the headers of an HTTP answer: not what the gateway's own framing or CORS says there, nor what Connect keeps for itself. */
export function withoutHttpOwn(metadata: FieldList): FieldList {
  return metadata.without((name) => httpOwn.test(name))
}

/** The same as headers of an answer, under a prefix: a service cannot write the gateway's own headers. */
export function addPrefixed(headers: FieldList, prefix: string, metadata: Fields): void {
  for (const [name, value] of metadata.entries()) if (isOwn(name)) addMetadata(headers, `${prefix}${name}`, value)
}

/** Metadata as headers of a JSON answer: what the route lists under its own name, the rest under the prefix. Metadata that says the status is used up. */
export function addAnswered(headers: FieldList, prefix: string, metadata: Fields, { responseHeaders = [], statusFrom }: TranslateOptions): void {
  for (const [name, value] of metadata.entries()) {
    if (name !== statusFrom && isOwn(name)) addMetadata(headers, isPromoted(responseHeaders, name) ? name : `${prefix}${name}`, value)
  }
}

/** The trailers of a stream as trailers of its JSON answer, without what only counts before the body. */
export function answeredTrailers(trailers: Fields, options: TranslateOptions): FieldList {
  const fields = new FieldList()
  addAnswered(fields, 'grpc-trailer-', trailers, options)
  return fields.without((name) => !mayTrail(name))
}

/** Whether the downstream takes trailers (RFC 9110 section 10.1.4). `TE` is of this hop, so it is read from the arrival. */
export function takesTrailers({ arrival: { rawHeaders } }: Pick<Metered, 'arrival'>): boolean {
  return rawHeaders.some(
    (name, i) =>
      i % 2 === 0 && name.toLowerCase() === 'te' && (rawHeaders[i + 1] ?? '').split(',').some((coding) => coding.trim().toLowerCase() === 'trailers'),
  )
}

/** The request's id and what is left of its limits. */
export function withExchange(headers: FieldList, x: Pick<Metered, 'id' | 'readings'>): FieldList {
  for (const [name, value] of rateLimitHeaders(x.readings)) headers.set(name, value)
  return headers.set('x-request-id', x.id)
}

function isOwn(name: string): boolean {
  return !name.startsWith('grpc-') && !name.startsWith(':') && name !== 'content-type' && name !== 'content-length' && !isHopByHop(name) && !inward.test(name)
}

function addMetadata(fields: FieldList, name: string, value: string): void {
  if (name.endsWith('-bin')) fields.append(name, value.replaceAll('=', ''))
  else if (printable.test(value)) fields.append(name, value)
}
