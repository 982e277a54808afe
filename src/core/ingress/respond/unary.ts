import type { Registry } from '@bufbuild/protobuf'
import type { GrpcReply } from '../../model/call.ts'
import type { Translated } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { FieldList } from '../../model/fields.ts'
import type { Outbound } from '../../model/wire.ts'
import { errorAnswer } from './error.ts'
import { addPrefixed, withExchange } from './headers.ts'
import type { Render } from './render.ts'

/** The answer of a unary call: its one message, or its error. @throws Fault `upstream_protocol` when it is neither */
export async function unaryAnswer(x: Translated, reply: GrpcReply, render: Render, registry: Registry): Promise<Outbound> {
  const message = await onlyMessage(reply)
  const status = reply.status()
  if (status.code !== 0) return errorAnswer(x, reply.metadata, status, registry)
  if (message === undefined) throw new Fault('upstream_protocol', 'the upstream ended the call without an answer')
  const rendered = render(message)
  const body = rendered.kind === 'json' ? new TextEncoder().encode(rendered.text) : rendered.bytes
  const headers = new FieldList([
    ['content-type', rendered.kind === 'json' ? 'application/json' : rendered.type],
    ['content-length', `${body.length}`],
  ])
  addPrefixed(headers, 'grpc-metadata-', reply.metadata)
  addPrefixed(headers, 'grpc-trailer-', status.trailers)
  return { status: 200, headers: withExchange(headers, x), body: x.request.method === 'HEAD' ? undefined : body }
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
