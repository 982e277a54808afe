import type { Registry } from '@bufbuild/protobuf'
import type { GrpcReply } from '../../model/call.ts'
import type { Translated } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { FieldList } from '../../model/fields.ts'
import type { Outbound } from '../../model/wire.ts'
import { chosenStatus } from './chosen-status.ts'
import { errorAnswer } from './error.ts'
import { isKnown } from './etag.ts'
import { addAnswered, withExchange } from './headers.ts'
import type { Render } from './render.ts'

/** Statuses whose answers have no body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304])

/** The answer of a unary call: its one message, or its error. @throws Fault `upstream_protocol` when it is neither */
export async function unaryAnswer(x: Translated, reply: GrpcReply, render: Render, registry: Registry): Promise<Outbound> {
  const message = await onlyMessage(reply)
  const status = reply.status()
  if (status.code !== 0) return errorAnswer(x, reply.metadata, status, registry)
  if (message === undefined) throw new Fault('upstream_protocol', 'the upstream ended the call without an answer')
  const { translate } = x.route
  const rendered = render(message)
  const headers = new FieldList()
  addAnswered(headers, 'grpc-metadata-', reply.metadata, translate)
  addAnswered(headers, 'grpc-trailer-', status.trailers, translate)
  const etag = render.etag?.(message)
  if (etag !== undefined) headers.set('etag', etag)
  withExchange(headers, x)
  const httpStatus =
    chosenStatus(x, [...reply.metadata.entries(), ...status.trailers.entries()], headers) ?? (render.isEmpty ? (translate.emptyAnswer ?? 200) : 200)
  if (httpStatus === 200 && etag !== undefined && isKnown(x.request, etag)) return { status: 304, headers, body: undefined }
  if (bodiless.has(httpStatus)) return { status: httpStatus, headers, body: undefined }
  const body = rendered.kind === 'json' ? new TextEncoder().encode(rendered.text) : rendered.bytes
  headers.set('content-type', rendered.kind === 'json' ? 'application/json' : rendered.type).set('content-length', `${body.length}`)
  return { status: httpStatus, headers, body: x.request.method === 'HEAD' ? undefined : body }
}

/** The one message of a unary reply; undefined when there is none. @throws Fault `upstream_protocol` for more than one */
export async function onlyMessage(reply: GrpcReply): Promise<Uint8Array | undefined> {
  let only: Uint8Array | undefined
  for await (const message of reply.messages) {
    if (only !== undefined) throw new Fault('upstream_protocol', 'the upstream answered a unary call more than once')
    only = message
  }
  return only
}
