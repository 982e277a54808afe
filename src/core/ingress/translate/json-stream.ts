import type { Introduced } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import type { Body, Fields } from '../../model/wire.ts'
import { type JsonCodec, parseJson, serialize } from '../../protobuf.ts'
import { bindLaterMessage, bindMessage, type Parts } from './bind.ts'
import { cutArray, cutLines } from './cut-json.ts'
import { ifMatchOf } from './if-match.ts'
import { demandJsonStream } from './media.ts'
import type { BindingPlan } from './plan.ts'
import { queryOptionsOf } from './query.ts'

type Content = Parts['body']
type Cut = (body: Body, limit: number) => AsyncIterable<() => Content>

/**
 * The messages of a client's stream, out of an inflated body of newline-delimited JSON or a JSON array; of google.api.HttpBody, out of the body's
 * chunks as they come. Pulled one at a time. Path and query go into the first message; a later one may repeat what the path says, not
 * contradict it. No body, or an empty one, is a stream without messages. `limit` holds for each message, in bytes.
 * @throws Fault at once `media_type_unsupported` and `request_invalid` for path and query; while it is read `body_invalid` and
 * `request_invalid`, with the number of the message, and `body_too_large`
 */
export function streamedMessages(x: Introduced, body: Body | undefined, plan: BindingPlan, codec: JsonCodec, limit: number): AsyncIterable<Uint8Array> {
  const cut = cutOf(x, plan)
  return boundMessages(x, plan, codec, body === undefined || body.length === 0 ? nothing() : cut(body, limit))
}

/**
 * Serializes the messages of a stream one by one, as they are pulled. @throws Fault at once `request_invalid` for what path and query say by
 * themselves, before the service hears of the call; while they are pulled `body_invalid` and `request_invalid`, with the number of the message
 */
export function boundMessages(x: Introduced, plan: BindingPlan, codec: JsonCodec, contents: AsyncIterable<() => Content>): AsyncIterable<Uint8Array> {
  const { params, route, request } = x
  const ifMatch = ifMatchOf(x, plan)
  const options = queryOptionsOf(route)
  const bind = (content: Content) => bindMessage(plan, { params, query: request.target.query, body: content, ifMatch }, codec, options)
  bind({ kind: 'none' })
  return (async function* () {
    let count = 0
    for await (const content of contents) {
      count++
      yield numbered(count, () => serialize(plan.input, count === 1 ? bind(content()) : bindLaterMessage(plan, params, content(), codec)))
    }
  })()
}

async function* nothing(): AsyncIterable<never> {}

function cutOf(x: Introduced, plan: BindingPlan): Cut {
  const { headers, body: from } = x.request
  if (plan.body.kind !== 'none' && plan.body.raw) {
    const type = headers.get('content-type') ?? ''
    return async function* (body) {
      for await (const bytes of body.chunks()) if (bytes.length > 0) yield () => ({ kind: 'raw', type, bytes })
    }
  }
  // Without a type there may still be no body: over HTTP/2 its length need not be known before its end.
  const isOpen = !headers.has('content-type') && (from?.length ?? 0) === 0
  const form = isOpen ? undefined : demandJsonStream(headers)
  return async function* (body, limit) {
    const chunks = form === undefined ? typed(body.chunks(), headers) : body.chunks()
    for await (const bytes of form === 'array' ? cutArray(chunks, limit) : cutLines(chunks, limit)) yield () => ({ kind: 'json', json: parseJson(bytes) })
  }
}

/** Nothing at all, unless the bytes have a type. @throws Fault `media_type_unsupported` at the first byte without one */
async function* typed(chunks: AsyncIterable<Uint8Array>, headers: Fields): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    if (chunk.length > 0) demandJsonStream(headers)
    yield chunk
  }
}

function numbered<T>(count: number, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof Fault) throw new Fault(error.code, `message ${count}: ${error.message}`, error.detail)
    throw error
  }
}
