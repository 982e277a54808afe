import type { HttpCall, HttpReply } from '../../core/model/call.ts'
import { Fault } from '../../core/model/fault.ts'
import { FieldList } from '../../core/model/fields.ts'
import type { CallOptions, Channel, Channels, Clock } from '../../core/ports.ts'
import { chunksOf } from '../chunks.ts'
import { fill } from '../stream.ts'

/**
 * The one way out of an edge: HTTP to the gateway behind, by `fetch`. The platform speaks HTTP/1.1 or better by itself, keeps the
 * connections, and writes Host from the URL; trailers are lost. @throws Error for any endpoint that is not `origin` (host and port).
 */
export function createChannels(origin: { readonly host: string; readonly port: number }, clock: Clock): Channels {
  return {
    acquire({ address }): Channel {
      if (address.kind !== 'tcp' || address.host !== origin.host || address.port !== origin.port) throw new Error('an edge calls nobody but its origin')
      return {
        http: (call, options) => send(call, options, clock),
        grpc: () => Promise.reject(new Fault('not_implemented', 'an edge does not call over gRPC')),
        release: () => {},
      }
    },
    reach: () => Promise.reject(new Fault('not_implemented', 'an edge opens no connections by itself')),
  }
}

async function send(call: HttpCall, options: CallOptions, clock: Clock): Promise<HttpReply> {
  const { lifeline } = options
  lifeline.check()
  if (call.upgrade !== undefined) throw new Fault('not_implemented', 'this edge passes no changed protocols on')
  const cut = new AbortController()
  const forget = lifeline.onEnd((why) => cut.abort(why))
  const late = new Fault('deadline_exceeded', 'the gateway behind this edge did not answer in time')
  const timer = Number.isFinite(options.deadline) ? clock.after(Math.max(0, options.deadline - clock.ticks()), () => cut.abort(late)) : undefined
  const body = call.body === undefined ? undefined : fill(call.body.chunks(), call.body.length)
  try {
    const response = await fetch(`${call.scheme}://${call.authority}${call.target}`, {
      method: call.method,
      headers: [...call.headers.entries()] as [string, string][], // the platform's type wants a mutable list
      body: body?.readable ?? null,
      redirect: 'manual',
      signal: cut.signal,
    })
    const chunks = response.body === null ? undefined : bodyOf(response.body, { cut, options, clock, forget })
    if (chunks === undefined) forget()
    return { kind: 'http', status: response.status, headers: fieldsOf(response), body: chunks }
  } catch (error) {
    forget()
    throw lifeline.ended ?? (cut.signal.aborted ? late : await faultOf(body?.over, error))
  } finally {
    timer?.cancel()
  }
}

/** A body of the downstream's that broke or was too long says more than the call that broke with it. Whether anything was sent is not known. */
async function faultOf(over: ReturnType<typeof fill>['over'] | undefined, error: unknown): Promise<Fault> {
  const ended = over === undefined ? undefined : await Promise.race([over, Promise.resolve(undefined)])
  if (typeof ended === 'object' && ended.broken instanceof Fault) return ended.broken
  return new Fault('upstream_reset', 'the gateway behind this edge cannot be reached', { cause: error })
}

interface Reading {
  readonly cut: AbortController
  readonly options: CallOptions
  readonly clock: Clock
  readonly forget: () => void
}

/** The answer's chunks; silence longer than allowed ends them with a fault. */
async function* bodyOf(stream: ReadableStream<Uint8Array>, { cut, options, clock, forget }: Reading): AsyncGenerator<Uint8Array, void, undefined> {
  const silent = new Fault('upstream_reset', 'the gateway behind this edge fell silent')
  const wait = () => clock.after(options.idleMs, () => cut.abort(silent))
  let timer = wait()
  try {
    for await (const chunk of chunksOf(stream)) {
      timer.cancel()
      yield chunk
      timer = wait()
    }
  } catch (error) {
    if (options.lifeline.ended !== undefined) throw options.lifeline.ended
    throw cut.signal.aborted ? silent : new Fault('upstream_reset', 'the gateway behind this edge broke off', { cause: error })
  } finally {
    timer.cancel()
    forget()
  }
}

/** Fields as received. What was compressed is handed out decompressed and compressed again, so its length says nothing. */
function fieldsOf(response: Response): FieldList {
  const fields = new FieldList(response.headers)
  return fields.has('content-encoding') ? fields.remove('content-length') : fields
}
