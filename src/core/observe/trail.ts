import type { Reply } from '../model/call.ts'
import type { Arrived } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import type { Fields, Outbound } from '../model/wire.ts'
import type { Ports } from '../ports.ts'
import { type MetricName, methodLabel, statusLabel } from './metrics.ts'
import { type Ending, type Furthest, type Measured, recordOf } from './record.ts'

/** Remembers how far a request got, so that the one record written about it is complete. */
export interface Trail<Far extends Arrived> {
  /** The furthest exchange. */
  readonly last: Arrived & Partial<Far>
  reach<X extends Arrived>(x: X): X
  /** Notes the fault that the answer was made from. */
  fail(fault: Fault): Fault
  /** Notes what the upstream answered, before it becomes the answer downstream. */
  hear<R extends Reply>(reply: R): R
  /** Writes the record when the body of the answer has ended: sent whole, broken off, or given up by the downstream. */
  close(outbound: Outbound): Outbound
}

type TrailPorts = Pick<Ports, 'clock' | 'journal' | 'meter'>

const names = {
  requests: 'sallyport_requests_total',
  duration: 'sallyport_request_duration_seconds',
  refusals: 'sallyport_refusals_total',
  upstream: 'sallyport_upstream_duration_seconds',
  limits: 'sallyport_limit_decisions_total',
  upgraded: 'sallyport_upgraded_bytes_total',
} as const satisfies Record<string, MetricName>

/** Opens the trail of one request. */
export function openTrail<Far extends Arrived>(wing: 'ingress' | 'egress', arrived: Arrived, ports: TrailPorts): Trail<Far> {
  return new Footprints<Far>(wing, arrived, ports)
}

class Footprints<Far extends Arrived> implements Trail<Far> {
  last: Arrived & Partial<Far>
  readonly #wing: 'ingress' | 'egress'
  readonly #ports: TrailPorts
  readonly #startedAt: number
  #fault: Fault | undefined
  #reply: Reply | undefined
  #status = 0
  #grpcStatus: number | undefined
  #bytesOut = 0
  #answeredAt = 0
  #written = false
  /** The answer ended well, and yet not all of the upstream's messages were read. */
  #unread = false
  #forget: () => void = () => {}

  constructor(wing: 'ingress' | 'egress', arrived: Arrived, ports: TrailPorts) {
    this.#wing = wing
    this.#ports = ports
    // Slots are filled in place (openExchange): the exchange that arrived is the furthest one too.
    this.last = arrived as Arrived & Partial<Far>
    this.#startedAt = ports.clock.now()
  }

  reach<X extends Arrived>(x: X): X {
    // The walk reaches its exchanges in order, so each is a prefix of Far.
    this.last = x as unknown as Arrived & Partial<Far>
    return x
  }

  fail(fault: Fault): Fault {
    this.#fault ??= fault
    return fault
  }

  hear<R extends Reply>(reply: R): R {
    this.#reply = reply
    if (reply.kind !== 'grpc' || (this.last as Furthest).rpc?.rpc.serverStream !== true) return reply
    // A stream that breaks becomes a last line or trailers downstream: the answer itself ends well, and only here it is seen that it did not.
    // A reader that stops by itself met a message that it could not write down.
    let over = false
    const watcher: Watcher = {
      chunk() {},
      done: () => {
        over = true
      },
      broken: (error) => {
        over = true
        this.fail(Fault.from(error))
      },
      dropped: () => {
        if (!over) this.#unread = true
      },
    }
    return { ...reply, messages: watch(reply.messages, watcher) }
  }

  close(outbound: Outbound): Outbound {
    this.#status = outbound.status
    this.#grpcStatus = grpcStatusOf(outbound.headers)
    this.#answeredAt = this.#ports.clock.ticks()
    const body = outbound.body
    return body === undefined || body instanceof Uint8Array ? this.#handOver(outbound, body) : this.#follow(outbound, body)
  }

  /** An answer in one piece is over when it is handed over: nothing of ours can break it any more. */
  #handOver(outbound: Outbound, body: Uint8Array | undefined): Outbound {
    this.#bytesOut = body === undefined || this.last.arrival.method === 'HEAD' ? 0 : body.byteLength
    const trailers = outbound.trailers === undefined ? undefined : this.#lastFields(outbound.trailers)
    trailers?.()
    // A deadline that passed is what this answer says; only a downstream that went away will not read it.
    // Its body may have broken before the lifeline heard of it.
    const gone = this.last.lifeline.ended ?? this.#fault
    if (gone?.code === 'client_closed') this.#cut(gone)
    else this.#end('whole')
    return trailers === undefined ? outbound : { ...outbound, trailers }
  }

  /** A streamed answer is over when its reader says so, or when the lifeline ends before a reader came. */
  #follow(outbound: Outbound, body: AsyncIterable<Uint8Array>): Outbound {
    const trailers = outbound.trailers === undefined ? undefined : this.#lastFields(outbound.trailers)
    const watcher: Watcher = {
      chunk: ({ byteLength }) => {
        this.#bytesOut += byteLength
      },
      done: () => {
        trailers?.()
        if (this.#unread) this.fail(new Fault('upstream_protocol', 'the upstream sent a message that cannot be read'))
        if (this.#fault === undefined) this.#end('whole')
        else this.#cut(this.#fault)
      },
      broken: (error) => this.#cut(this.last.lifeline.ended ?? Fault.from(error)),
      dropped: () => this.#end('given_up'),
    }
    this.#forget = this.last.lifeline.onEnd((why) => this.#cut(why))
    return { ...outbound, body: watch(body, watcher), trailers }
  }

  /** Trailers are read once; the record wants their `grpc-status`, the listener wants all of them. */
  #lastFields(read: () => Fields): () => Fields {
    let fields: Fields | undefined
    return () => {
      if (fields === undefined) {
        fields = read()
        this.#grpcStatus = grpcStatusOf(fields) ?? this.#grpcStatus
      }
      return fields
    }
  }

  #cut(why: Fault): void {
    this.fail(why)
    this.#end(why.code === 'client_closed' ? 'given_up' : 'broken_off')
  }

  #end(ending: Ending): void {
    if (this.#written) return
    this.#written = true
    this.#forget()
    const measured: Measured = {
      wing: this.#wing,
      startedAt: this.#startedAt,
      answeredAt: this.#answeredAt,
      endedAt: this.#ports.clock.ticks(),
      ending,
      status: this.#status,
      grpcStatus: this.#grpcStatus ?? grpcStatusIn(this.#reply),
      bytesOut: this.#bytesOut,
      fault: this.#fault,
    }
    const furthest: Furthest = this.last
    try {
      this.#ports.journal.write(recordOf(furthest, measured))
      measure(furthest, measured, this.#ports.meter)
    } catch (error) {
      // A bug in what writes the record must not cost the downstream its answer.
      this.#ports.journal.write({
        kind: 'bug',
        what: 'record',
        id: furthest.id,
        reason: error instanceof Error ? `${error.name}: ${error.message}` : 'unknown',
      })
    }
  }
}

interface Watcher {
  chunk(bytes: Uint8Array): void
  done(): void
  broken(error: unknown): void
  dropped(): void
}

/** The same chunks at the same pace, with a word to the watcher about each and about the end. */
function watch(source: AsyncIterable<Uint8Array>, watcher: Watcher): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const inner = source[Symbol.asyncIterator]()
      return {
        async next() {
          try {
            const step = await inner.next()
            if (step.done === true) watcher.done()
            else watcher.chunk(step.value)
            return step
          } catch (error) {
            watcher.broken(error)
            throw error
          }
        },
        async return() {
          watcher.dropped()
          return (await inner.return?.()) ?? { done: true, value: undefined }
        },
      }
    },
  }
}

/** How the upstream's call ended, where the answer downstream does not speak gRPC. */
function grpcStatusIn(reply: Reply | undefined): number | undefined {
  if (reply?.kind !== 'grpc') return undefined
  try {
    return reply.status().code
  } catch {
    // Not known before the messages ended, and a broken call never gets there.
    return undefined
  }
}

function grpcStatusOf(fields: Fields): number | undefined {
  const text = fields.get('grpc-status')
  return text !== undefined && /^\d{1,2}$/.test(text) ? Number(text) : undefined
}

function measure(x: Furthest, m: Measured, meter: TrailPorts['meter']): void {
  const route = x.route?.name ?? x.service?.name ?? ''
  const wing = m.wing
  meter.count(names.requests, { wing, route, method: methodLabel(x.arrival.method), status: statusLabel(m.status) })
  meter.observe(names.duration, (m.endedAt - x.receivedAt) / 1000, { wing, route })
  if (m.fault !== undefined) meter.count(names.refusals, { wing, code: m.fault.code })
  if (m.status === 101) {
    meter.count(names.upgraded, { route, direction: 'in' }, x.arrival.socket?.received ?? 0)
    meter.count(names.upgraded, { route, direction: 'out' }, m.bytesOut)
  }
  if (x.sent !== undefined) {
    const destination = x.destination === undefined ? route : destinationOf(x.destination)
    meter.observe(names.upstream, (m.endedAt - x.sent.startedAt) / 1000, { wing, destination })
  }
  for (const reading of x.readings ?? []) {
    meter.count(names.limits, { limit: reading.limit, source: reading.degraded ? 'local' : 'store' })
  }
}

function destinationOf(destination: { readonly cluster: string; readonly subset: string | undefined }): string {
  return destination.subset === undefined ? destination.cluster : `${destination.cluster}/${destination.subset}`
}
