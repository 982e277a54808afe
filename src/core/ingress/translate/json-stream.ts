import type { Introduced } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import type { Body } from '../../model/wire.ts'
import { type JsonCodec, parseJson, serialize } from '../../protobuf.ts'
import { bindLaterMessage, bindMessage, type Parts } from './bind.ts'
import { cutArray, cutLines } from './cut-json.ts'
import { demandJsonStream } from './media.ts'
import type { BindingPlan } from './plan.ts'

type Content = Parts['body']
type Cut = (body: Body, limit: number) => AsyncIterable<() => Content>

/**
 * The messages of a client's stream, out of a body of newline-delimited JSON or a JSON array; of google.api.HttpBody, out of the body's
 * chunks as they come. Pulled one at a time. Path and query go into the first message; a later one may repeat what the path says, not
 * contradict it. No body, or an empty one, is a stream without messages. `limit` holds for each message, in bytes.
 * @throws Fault at once `media_type_unsupported` and `request_invalid` for path and query; while it is read `body_invalid` and
 * `request_invalid`, with the number of the message, and `body_too_large`
 */
export function streamedMessages(x: Introduced, plan: BindingPlan, codec: JsonCodec, limit: number): AsyncIterable<Uint8Array> {
  const { headers, body, target } = x.request
  const { params, route } = x
  const bind = (content: Content) => bindMessage(plan, { params, query: target.query, body: content }, codec, route.translate.unknownQuery)
  const isEmpty = body === undefined || body.length === 0
  const cut = cutOf(x, plan, isEmpty && !headers.has('content-type'))
  // What path and query say by themselves is refused before the service hears of the call.
  bind({ kind: 'none' })

  async function* messages(from: Body): AsyncIterable<Uint8Array> {
    let count = 0
    for await (const content of cut(from, limit)) {
      count++
      yield numbered(count, () => serialize(plan.input, count === 1 ? bind(content()) : bindLaterMessage(plan, params, content(), codec)))
    }
  }
  return isEmpty ? nothing() : messages(body)
}

async function* nothing(): AsyncIterable<Uint8Array> {}

function cutOf(x: Introduced, plan: BindingPlan, untyped: boolean): Cut {
  const { headers } = x.request
  if (plan.body.kind !== 'none' && plan.body.raw) {
    const type = headers.get('content-type') ?? ''
    return async function* (body) {
      for await (const bytes of body.chunks()) if (bytes.length > 0) yield () => ({ kind: 'raw', type, bytes })
    }
  }
  const pieces = untyped || demandJsonStream(headers) === 'lines' ? cutLines : cutArray
  return async function* (body, limit) {
    for await (const bytes of pieces(body.chunks(), limit)) yield () => ({ kind: 'json', json: parseJson(bytes) })
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
