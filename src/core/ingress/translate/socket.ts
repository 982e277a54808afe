import type { Introduced } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import type { Rpc } from '../../model/rpc.ts'
import { noneMore, openSocket, socketHead } from '../../model/socket.ts'
import { type JsonCodec, parseJson } from '../../protobuf.ts'
import { bindBytes, bindMessage, type Parts } from './bind.ts'
import { boundMessages } from './json-stream.ts'
import type { BindingPlan } from './plan.ts'
import { queryOptionsOf } from './query.ts'

/**
 * The messages that a downstream sends over its WebSocket, each a text of JSON. The WebSocket is opened when the first one is wanted: what
 * path and query say by themselves is refused before. An RPC that takes one message has the first; a rule without a body wants none.
 * `limit` holds for each message, in bytes.
 * @throws Fault `not_implemented` for google.api.HttpBody, whose bytes are no JSON; `request_invalid`, `body_invalid`, and what the WebSocket throws
 */
export async function socketMessages(
  x: Introduced,
  rpc: Rpc,
  plan: BindingPlan,
  codec: JsonCodec,
  limit: number,
): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  if (plan.rawAnswer || (plan.body.kind !== 'none' && plan.body.raw)) throw new Fault('not_implemented', 'streams of google.api.HttpBody have no WebSocket')
  const { params, request, route } = x
  const parts = (body: Parts['body']): Parts => ({ params, query: request.target.query, body })
  const options = queryOptionsOf(route)
  const bytesOf = (body: Parts['body']) => bindBytes(plan, parts(body), codec, options)
  if (plan.body.kind === 'none') return bytesOf({ kind: 'none' })
  if (rpc.clientStream) return boundMessages(x, plan, codec, contents(x, limit))
  bindMessage(plan, parts({ kind: 'none' }), codec, options)
  const frames = openSocket(x, socketHead(x), limit)
  const first = await frames.next()
  if (first.done !== true) void noneMore(x, frames)
  return bytesOf(first.done === true ? { kind: 'none' } : { kind: 'json', json: parseJson(first.value) })
}

async function* contents(x: Introduced, limit: number): AsyncIterable<() => Parts['body']> {
  const frames = openSocket(x, socketHead(x), limit)
  for (let step = await frames.next(); step.done !== true; step = await frames.next()) {
    const { value } = step
    yield () => ({ kind: 'json', json: parseJson(value) })
  }
}
