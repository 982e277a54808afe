import type { Registry } from '@bufbuild/protobuf'
import type { GrpcReply } from '../../model/call.ts'
import type { Translated } from '../../model/exchange.ts'
import { Fault, faultCatalogue } from '../../model/fault.ts'
import { FieldList } from '../../model/fields.ts'
import { endOfFault, goodEnd, noneMore, openSocket, socketHead } from '../../model/socket.ts'
import type { Outbound, SocketEnd } from '../../model/wire.ts'
import { errorAnswer, statusJson } from './error.ts'
import { addAnswered } from './headers.ts'
import type { Render } from './render.ts'
import { codeName } from './status.ts'

/** What a conversation is answered from. */
interface Source {
  readonly messages: AsyncIterator<Uint8Array>
  readonly reply: GrpcReply
  readonly render: Render
  readonly registry: Registry
  readonly streamed: boolean
  readonly showInternal: boolean | undefined
}

const text = new TextEncoder()
/** Nobody reads a message of a downstream that has none to send; one comes all the same, and is refused by its size at the latest. */
const unwantedBytes = 1024

/**
 * The answers of an RPC over a WebSocket, a text message each. As long as it is not open, an early error has its real HTTP status; from then
 * on an error is a last message `{"error": …}` and a close code that fits.
 */
export async function socketAnswer(x: Translated, reply: GrpcReply, render: Render, registry: Registry): Promise<Outbound> {
  const messages = reply.messages[Symbol.asyncIterator]()
  const { showInternal } = x.route.translate
  const source: Source = { messages, reply, render, registry, streamed: x.rpc?.rpc.serverStream === true, showInternal }
  const first = await messages.next()
  const isOpen = x.arrival.socket?.opened === true
  if (!isOpen && first.done === true && reply.status().code !== 0) return errorAnswer(x, reply.metadata, reply.status(), registry)
  let end: SocketEnd = goodEnd
  try {
    const said = first.done === true ? undefined : encoded(render, first.value)
    if (!isOpen) {
      const head = socketHead(x)
      addAnswered(head, 'grpc-metadata-', reply.metadata, x.route.translate)
      void noneMore(x, openSocket(x, head, unwantedBytes))
    }
    return { status: 101, headers: new FieldList(), body: frames(said, source, (why) => (end = why)), ending: () => end }
  } catch (error) {
    await messages.return?.()
    throw error
  }
}

/** The answer to a fault after the WebSocket was opened. The status is for the record: on the wire it was 101. */
export function socketFault(fault: Fault): Outbound & { readonly headers: FieldList } {
  return { status: fault.status, headers: new FieldList(), body: errorFrame(faultJson(fault)), ending: () => endOfFault(fault) }
}

async function* frames(first: Uint8Array | undefined, source: Source, close: (end: SocketEnd) => void): AsyncIterable<Uint8Array> {
  const { messages, reply, render, registry, streamed, showInternal } = source
  try {
    if (first !== undefined) {
      yield first
      for (let step = await messages.next(); step.done !== true; step = await messages.next()) {
        if (!streamed) throw new Fault('upstream_protocol', 'the upstream answered a unary call more than once')
        yield encoded(render, step.value)
      }
    }
    const status = reply.status()
    if (status.code !== 0) {
      close({ code: status.code === 14 ? 1013 : 1011, reason: codeName(status.code) })
      yield errorFrame(statusJson(status, registry, showInternal))
    } else if (first === undefined && !streamed) throw new Fault('upstream_protocol', 'the upstream ended the call without an answer')
  } catch (error) {
    const fault = Fault.from(error)
    close(endOfFault(fault))
    yield errorFrame(faultJson(fault))
  } finally {
    await messages.return?.()
  }
}

function encoded(render: Render, message: Uint8Array): Uint8Array {
  const rendered = render(message)
  if (rendered.kind === 'json') return text.encode(rendered.text)
  throw new Error('raw bytes for a WebSocket of JSON')
}

function faultJson({ code, message }: Fault): { readonly code: number; readonly message: string; readonly details: readonly [] } {
  return { code: faultCatalogue[code].grpc, message, details: [] }
}

function errorFrame(error: unknown): Uint8Array {
  return text.encode(JSON.stringify({ error }))
}
