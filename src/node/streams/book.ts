import type { Socket } from 'node:net'
import type { StreamPlace } from '../../core/egress/stream.ts'
import type { Live } from '../../core/live.ts'
import type { Principal } from '../../core/model/principal.ts'
import { callerMembers } from '../../core/observe/record.ts'
import { isoTime } from '../../core/observe/time.ts'
import type { Clock, Journal, Meter, Random, Secrets } from '../../core/ports.ts'
import { dial, type Network } from '../channels/dial.ts'
import { type Carried, carry } from './carry.ts'
import { anyConversation, type Conversation } from './conversation.ts'
import { postgresConversation } from './postgres/session.ts'
import { askForTls } from './postgres/ssl-request.ts'

export interface StreamPorts extends Network {
  readonly clock: Clock
  readonly secrets: Secrets
  readonly random: Pick<Random, 'uuid'>
  readonly journal: Journal
  readonly meter: Meter
}

/** What is known of a connection before and while it carries bytes: its record. */
export interface StreamEntry {
  /** Undefined: the record gets one of its own. */
  id: string | undefined
  readonly startedAt: number
  readonly at: number
  readonly peer: string
  /** Undefined where not even the service is known. */
  service: string | undefined
  /** Where it was to go, and for whom, where a request said so. */
  asked: { readonly target: string | undefined; readonly caller: Principal | undefined } | undefined
  place: StreamPlace | undefined
}

export interface StreamBookOptions<P extends StreamPlace> {
  /** Listener, as records name it. */
  readonly name: string
  readonly live: Live
  readonly ports: StreamPorts
  /** Where a connection would go now. @throws where it would go nowhere */
  readonly placedNow: (place: P) => StreamPlace
}

const nothing: Carried['bytes'] = { out: 0, in: 0 }

/** The byte streams that one listener carries: counted and recorded, and ended when their service is elsewhere. */
export class StreamBook<P extends StreamPlace> {
  readonly #options: StreamBookOptions<P>
  readonly #carrying = new Map<Carried, P>()
  readonly #open = new Map<string, number>()
  readonly #unwatch: () => void
  /** What is carried from now on ends like what is carried already. */
  #drainMs: number | undefined

  constructor(options: StreamBookOptions<P>) {
    this.#options = options
    this.#unwatch = options.live.watch(() => {
      for (const [carried, place] of this.#carrying) this.#move(carried, place)
    })
  }

  begin(peer: string, service: string | undefined): StreamEntry {
    const { clock } = this.#options.ports
    return { id: undefined, startedAt: clock.ticks(), at: clock.now(), peer, service, asked: undefined, place: undefined }
  }

  /** Counts a connection of a service until its socket closes. Returns how many there are with it. */
  enter(service: string, near: Socket): number {
    const count = (by: number) => {
      const now = (this.#open.get(service) ?? 0) + by
      if (now === 0) this.#open.delete(service)
      else this.#open.set(service, now)
      this.#options.ports.meter.gauge('sallyport_egress_streams', now, { service })
      return now
    }
    near.once('close', () => void count(-1))
    return count(1)
  }

  /** Opens the connection to the target. @throws Fault */
  dial({ service, target, vet }: StreamPlace): Promise<Socket> {
    const tls = target.tls ? { serverName: target.host, ca: target.ca, certificate: undefined, key: undefined } : undefined
    const address = { kind: 'tcp', host: target.host, port: target.port } as const
    const isPostgres = service.stream?.protocol === 'postgres'
    // PostgreSQL 17 knows its protocol by this name; older ones do not listen.
    const alpn = isPostgres && target.tls ? ['postgresql'] : []
    const endpoint = { key: '', protocol: 'http1', address, tls, connectTimeoutMs: service.connectTimeoutMs, idleMs: 0, vet } as const
    return dial(endpoint, alpn, { ...this.#options.ports, allowHalfOpen: true, ...(isPostgres && { beforeTls: askForTls }) })
  }

  /** Carries bytes until both sides are gone, and writes the record. */
  async carry(near: Socket, far: Socket, place: P, entry: StreamEntry): Promise<void> {
    const { idleMs, lifetimeMs, drainMs = 0 } = place.settings
    const { clock } = this.#options.ports
    const until = entry.asked?.caller?.kind === 'caller' ? entry.asked.caller.until : undefined
    const provedMs = until === undefined ? undefined : until - clock.now()
    const carried = carry({ near, far, clock, idleMs, lifetimeMs, provedMs, conversation: conversationOf(place, near), drainMs })
    this.#carrying.set(carried, place)
    near.resume()
    // It may have been switched while it was dialled.
    this.#move(carried, place)
    if (this.#drainMs !== undefined) carried.drain(this.#drainMs, 'drained')
    const ending = await carried.over
    this.#carrying.delete(carried)
    this.write(entry, ending, undefined, carried.bytes)
  }

  write({ id, startedAt, at, peer, service, asked, place }: StreamEntry, outcome: string, why: string | undefined, bytes = nothing): void {
    const { name, live, ports } = this.#options
    const { meter, clock } = ports
    const labels = { service: service ?? '' }
    meter.count('sallyport_egress_streams_total', { ...labels, outcome })
    if (bytes.out > 0) meter.count('sallyport_egress_stream_bytes_total', { ...labels, direction: 'out' }, bytes.out)
    if (bytes.in > 0) meter.count('sallyport_egress_stream_bytes_total', { ...labels, direction: 'in' }, bytes.in)
    ports.journal.write({
      kind: 'stream',
      time: isoTime(at),
      id: id ?? ports.random.uuid(),
      wing: 'egress',
      listener: name,
      service,
      client: peer,
      ...callerMembers(asked?.caller ?? (place && { kind: 'caller', name: place.caller })),
      environment: place?.target.environment,
      target: place === undefined ? asked?.target : `${place.target.host}:${place.target.port}`,
      revision: place?.revision ?? live.current.revision,
      outcome,
      reason: why,
      bytes_out: bytes.out,
      bytes_in: bytes.in,
      ms: Math.round(clock.ticks() - startedAt),
    })
  }

  /** Ends what carries bytes as it comes to rest; after `drainMs` it is reset. Nothing is watched any more. */
  drain(drainMs: number): void {
    this.#unwatch()
    this.#drainMs = drainMs
    for (const carried of this.#carrying.keys()) carried.drain(drainMs, 'drained')
  }

  /** A byte stream cannot go elsewhere: one whose service is elsewhere now ends. */
  #move(carried: Carried, place: P): void {
    const { drainMs } = place.settings
    if (drainMs !== undefined && this.#placedNow(place) !== place.sameAs) carried.drain(drainMs, 'drained')
  }

  /** Undefined where there is no place now. */
  #placedNow(place: P): string | undefined {
    try {
      return this.#options.placedNow(place).sameAs
    } catch {
      return undefined
    }
  }
}

/** Where we encrypt, the workload's own wish to do so is answered here: inside TLS no server wants to hear it. */
function conversationOf({ settings, target }: StreamPlace, near: Socket): Conversation {
  if (settings.protocol !== 'postgres') return anyConversation()
  return postgresConversation({ answer: target.tls ? (bytes) => void near.write(bytes) : undefined })
}
