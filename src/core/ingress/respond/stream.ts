import type { Registry } from '@bufbuild/protobuf'
import type { GrpcReply } from '../../model/call.ts'
import type { Translated } from '../../model/exchange.ts'
import { Fault, faultCatalogue } from '../../model/fault.ts'
import { FieldList } from '../../model/fields.ts'
import type { Outbound } from '../../model/wire.ts'
import { errorAnswer, statusJson } from './error.ts'
import { addPrefixed, withExchange } from './headers.ts'
import type { Render, Rendered } from './render.ts'

const text = new TextEncoder()

/**
 * A server stream as newline-delimited JSON, one message per line, or as the raw bytes of google.api.HttpBody messages. It waits for
 * the first message or the status, so that an early error has its real HTTP status. Pulled: a slow downstream slows the service. An error
 * after the first line is a last line `{"error": google.rpc.Status}`; raw bytes have no place for one, so they break off.
 */
export async function streamAnswer(x: Translated, reply: GrpcReply, render: Render, registry: Registry): Promise<Outbound> {
  const messages = reply.messages[Symbol.asyncIterator]()
  const first = await messages.next()
  if (first.done === true && reply.status().code !== 0) return errorAnswer(x, reply.status(), registry)
  const rendered = first.done === true ? undefined : render(first.value)
  const headers = new FieldList([['content-type', rendered?.kind === 'raw' ? rendered.type : 'application/x-ndjson']])
  addPrefixed(headers, 'grpc-metadata-', reply.metadata)
  return { status: 200, headers: withExchange(headers, x), body: rendered === undefined ? new Uint8Array() : body(rendered, messages, reply, render, registry) }
}

async function* body(first: Rendered, messages: AsyncIterator<Uint8Array>, reply: GrpcReply, render: Render, registry: Registry): AsyncIterable<Uint8Array> {
  try {
    yield bytesOf(first)
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) yield bytesOf(render(next.value))
    const status = reply.status()
    if (status.code === 0) return
    if (first.kind === 'raw') throw new Fault('upstream_reset', 'the upstream broke off')
    yield errorLine(statusJson(status, registry))
  } catch (error) {
    if (first.kind === 'raw') throw error
    const fault = Fault.from(error)
    yield errorLine({ code: faultCatalogue[fault.code].grpc, message: fault.message, details: [] })
  } finally {
    await messages.return?.()
  }
}

function bytesOf(rendered: Rendered): Uint8Array {
  return rendered.kind === 'json' ? text.encode(`${rendered.text}\n`) : rendered.bytes
}

function errorLine(status: ReturnType<typeof statusJson>): Uint8Array {
  return text.encode(`${JSON.stringify({ error: status })}\n`)
}
