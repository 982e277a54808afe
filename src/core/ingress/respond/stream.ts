import type { Registry } from '@bufbuild/protobuf'
import type { GrpcReply } from '../../model/call.ts'
import type { StreamForm, Translated } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { FieldList, noFields } from '../../model/fields.ts'
import type { TranslateOptions } from '../../model/translate-options.ts'
import type { Fields, Outbound } from '../../model/wire.ts'
import type { Clock } from '../../ports.ts'
import { errorAnswer, statusJson } from './error.ts'
import { addAnswered, answeredTrailers, takesTrailers, withExchange } from './headers.ts'
import { nextOrIdle } from './next-or-idle.ts'
import type { Render, Rendered } from './render.ts'
import { type Writing, writings } from './stream-form.ts'

/** What a streamed answer is made from. */
interface Source {
  readonly messages: AsyncIterator<Uint8Array>
  readonly reply: GrpcReply
  readonly render: Render
  readonly registry: Registry
  readonly clock: Pick<Clock, 'after'>
  readonly showInternal: boolean
}

const text = new TextEncoder()

/** Server-sent events that have nothing to say say so this often: proxies cut what is silent. Milliseconds. */
const heartbeatMs = 15_000

/**
 * A server stream in the form that the downstream chose, or as the raw bytes of google.api.HttpBody messages. It waits for the first
 * message or the status, so that an early error has its real HTTP status. Pulled: a slow downstream slows the service. An error after
 * that is said in the form's own way; an array and raw bytes have no place for one, so they break off.
 */
export async function streamAnswer(x: Translated, reply: GrpcReply, render: Render, registry: Registry, clock: Pick<Clock, 'after'>): Promise<Outbound> {
  const messages = reply.messages[Symbol.asyncIterator]()
  const { translate } = x.route
  const source = { messages, reply, render, registry, clock, showInternal: translate.showInternal === true }
  const first = await messages.next()
  if (first.done === true && reply.status().code !== 0) return errorAnswer(x, reply.metadata, reply.status(), registry)
  const rendered = first.done === true ? undefined : await firstOf(source, first.value)
  const headers = new FieldList()
  addAnswered(headers, 'grpc-metadata-', reply.metadata, translate)
  if (first.done === true) addAnswered(headers, 'grpc-trailer-', reply.status().trailers, translate)
  for (const [name, value] of headersOf(x.form, rendered).entries()) headers.set(name, value)
  withExchange(headers, x)
  if (x.request.method === 'HEAD') {
    // Nobody reads what the service would go on to send.
    await messages.return?.()
    return { status: 200, headers, body: undefined }
  }
  const body = bodyOf(x.form, rendered, source)
  if (first.done === true || !takesTrailers(x)) return { status: 200, headers, body }
  return { status: 200, headers, body, trailers: () => trailersOf(reply, translate) }
}

/** What the service said at the end, if it came to that. */
function trailersOf(reply: GrpcReply, options: TranslateOptions): Fields {
  try {
    return answeredTrailers(reply.status().trailers, options)
  } catch {
    return noFields // it broke off, and its status is not known
  }
}

/** A first message that cannot be read is refused with a status of its own; nobody reads the rest then. */
async function firstOf({ messages, render }: Source, bytes: Uint8Array): Promise<Rendered> {
  try {
    return render(bytes)
  } catch (error) {
    await messages.return?.()
    throw error
  }
}

function headersOf(form: StreamForm | undefined, first: Rendered | undefined): FieldList {
  if (form === undefined) return new FieldList([['content-type', first?.kind === 'raw' ? first.type : 'application/octet-stream']])
  const headers = new FieldList([['content-type', form.type]])
  // Nginx and its kin would hold events back until a buffer is full; caches would keep a stream that has no end.
  return form.kind === 'sse' ? headers.set('cache-control', 'no-store').set('x-accel-buffering', 'no') : headers
}

function bodyOf(form: StreamForm | undefined, first: Rendered | undefined, source: Source): NonNullable<Outbound['body']> {
  const writing = form === undefined ? undefined : writings[form.kind]
  if (first === undefined) return text.encode(writing?.end(true) ?? '')
  if (first.kind === 'raw') return closing(rawBody(first.bytes, source), source)
  if (writing === undefined) throw new Error('a stream of JSON without a form')
  return closing(jsonBody(first.text, writing, source), source)
}

/** A generator that nobody has begun to read runs none of its own clean-up when it is dropped, as with an answer to HEAD; one that waits, only later. */
function closing(body: AsyncGenerator<Uint8Array>, { messages }: Source): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => body.next(),
      async return() {
        await messages.return?.()
        return body.return(undefined)
      },
    }),
  }
}

async function* jsonBody(first: string, writing: Writing, source: Source): AsyncGenerator<Uint8Array> {
  const { messages, reply, render, registry, clock, showInternal } = source
  const next = writing.idle === undefined ? () => messages.next() : nextOrIdle(messages, clock, heartbeatMs)
  try {
    yield text.encode(writing.message(first, true))
    for (let step = await next(); step?.done !== true; step = await next()) {
      yield text.encode(step === undefined ? (writing.idle ?? '') : writing.message(jsonOf(render(step.value)), false))
    }
    const status = reply.status()
    const last = status.code === 0 ? writing.end(false) : writing.error?.(statusJson(status, registry, showInternal))
    if (last === undefined) throw brokenOff(status.code)
    if (last !== '') yield text.encode(last)
  } catch (error) {
    if (writing.error === undefined) throw error
    const fault = Fault.from(error)
    yield text.encode(writing.error({ code: fault.grpcStatus, message: fault.message, details: [] }))
  } finally {
    await messages.return?.()
  }
}

async function* rawBody(first: Uint8Array, { messages, reply, render }: Source): AsyncGenerator<Uint8Array> {
  try {
    yield first
    for (let step = await messages.next(); step.done !== true; step = await messages.next()) {
      const rendered = render(step.value)
      if (rendered.kind === 'raw') yield rendered.bytes
    }
    const { code } = reply.status()
    if (code !== 0) throw brokenOff(code)
  } finally {
    await messages.return?.()
  }
}

function brokenOff(code: number): Fault {
  return new Fault('upstream_reset', 'the upstream broke off', { internal: `the stream ended with gRPC status ${code}` })
}

function jsonOf(rendered: Rendered): string {
  if (rendered.kind === 'json') return rendered.text
  throw new Error('raw bytes in a stream of JSON')
}
