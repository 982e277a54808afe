import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { StreamPlace } from '../core/egress/stream.ts'
import type { Live } from '../core/live.ts'
import { Fault } from '../core/model/fault.ts'
import { normalizeAddress } from '../core/net.ts'
import { isoTime } from '../core/observe/time.ts'
import type { Address } from '../core/policy/policy.ts'
import type { Clock, Journal, Meter, Random, Resolve, Secrets } from '../core/ports.ts'
import { dial } from './channels/dial.ts'
import type { GracefulClose } from './listeners.ts'
import { type Carried, carry, reset } from './streams/carry.ts'
import { anyConversation, type Conversation } from './streams/conversation.ts'
import { postgresConversation } from './streams/postgres/session.ts'
import { askForTls } from './streams/postgres/ssl-request.ts'

export interface StreamPorts {
  readonly clock: Clock
  readonly resolve: Resolve
  readonly secrets: Secrets
  readonly random: Pick<Random, 'uuid'>
  readonly journal: Journal
  readonly meter: Meter
}

export interface StreamsOptions {
  /** `egress:<service>` */
  readonly name: string
  readonly address: Address
  readonly live: Live
  readonly ports: StreamPorts
}

interface Open {
  readonly place: StreamPlace
  readonly carried: Carried
}

/** The listener of one TCP service. */
export interface StreamListener extends Address {
  close(graceful: GracefulClose): Promise<void>
}

/** Binds the listener of a TCP service. @throws when the address cannot be bound. */
export async function openStreams({ name, address, live, ports }: StreamsOptions): Promise<StreamListener> {
  const { clock, meter } = ports
  const service = name.slice('egress:'.length)
  const sockets = new Set<Socket>()
  const carrying = new Set<Open>()
  let waiting: (() => void)[] = []

  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (near) => void accept(near))

  async function accept(near: Socket): Promise<void> {
    const said = { startedAt: clock.ticks(), at: clock.now(), peer: normalizeAddress(near.remoteAddress ?? ''), place: undefined as StreamPlace | undefined }
    near.on('error', () => {}) // its close says all there is to know
    sockets.add(near)
    near.once('close', () => {
      sockets.delete(near)
      meter.gauge('sallyport_egress_streams', sockets.size, { service })
      if (sockets.size > 0) return
      for (const done of waiting) done()
      waiting = []
    })
    meter.gauge('sallyport_egress_streams', sockets.size, { service })
    try {
      await live.begin()
      const place = live.current.streams(service)
      said.place = place
      if (sockets.size > place.settings.maxConnections) return refuse(near, said, 'full', undefined)
      const far = await dialFor(place, ports)
      if (near.destroyed) {
        far.destroy()
        return write(said, 'closed', undefined, { out: 0, in: 0 })
      }
      await run(near, far, place, said)
    } catch (error) {
      const fault = Fault.from(error)
      refuse(near, said, fault.code, fault.detail.internal ?? fault.message)
    }
  }

  async function run(near: Socket, far: Socket, place: StreamPlace, said: Said): Promise<void> {
    const { settings } = place
    const carried = carry({
      near,
      far,
      clock,
      idleMs: settings.idleMs,
      lifetimeMs: settings.lifetimeMs,
      conversation: conversationOf(place, near),
      drainMs: settings.drainMs ?? 0,
    })
    const open = { place, carried }
    carrying.add(open)
    near.resume()
    // It may have been switched while it was dialled.
    move(open)
    const ending = await carried.over
    carrying.delete(open)
    write(said, ending, undefined, carried.bytes)
  }

  function refuse(near: Socket, said: Said, code: string, why: string | undefined): void {
    reset(near)
    write(said, code, why, { out: 0, in: 0 })
  }

  /** A byte stream cannot go elsewhere: one whose service is elsewhere now ends. */
  function move({ place, carried }: Open): void {
    const { drainMs } = place.settings
    if (drainMs !== undefined && placedNow(live, service) !== place.sameAs) carried.drain(drainMs, 'drained')
  }

  function write({ startedAt, at, peer, place }: Said, outcome: string, why: string | undefined, bytes: Carried['bytes']): void {
    meter.count('sallyport_egress_streams_total', { service, outcome })
    if (bytes.out > 0) meter.count('sallyport_egress_stream_bytes_total', { service, direction: 'out' }, bytes.out)
    if (bytes.in > 0) meter.count('sallyport_egress_stream_bytes_total', { service, direction: 'in' }, bytes.in)
    ports.journal.write({
      kind: 'stream',
      time: isoTime(at),
      id: ports.random.uuid(),
      wing: 'egress',
      listener: name,
      service,
      client: peer,
      caller: place?.caller,
      environment: place?.target.environment,
      target: place === undefined ? undefined : `${place.target.host}:${place.target.port}`,
      revision: place?.revision ?? live.current.revision,
      outcome,
      reason: why,
      bytes_out: bytes.out,
      bytes_in: bytes.in,
      ms: Math.round(clock.ticks() - startedAt),
    })
  }

  const unwatch = live.watch(() => {
    for (const open of carrying) move(open)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address.host, port: address.port, backlog: 1024 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const empty = () => (sockets.size === 0 ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve)))
  const { port } = server.address() as AddressInfo // it is bound to an address, not to a pipe
  return {
    host: address.host,
    port,
    async close({ lameDuckMs, drainMs }) {
      if (lameDuckMs > 0 && drainMs > 0) await pause(lameDuckMs, clock)
      unwatch()
      server.close()
      for (const { carried } of carrying) carried.drain(drainMs, 'drained')
      if (drainMs <= 0) for (const socket of sockets) reset(socket)
      await empty()
    },
  }
}

interface Said {
  readonly startedAt: number
  readonly at: number
  readonly peer: string
  readonly place: StreamPlace | undefined
}

/** What a place would be now; undefined where there is none. */
function placedNow(live: Live, service: string): string | undefined {
  try {
    return live.current.streams(service).sameAs
  } catch {
    return undefined
  }
}

function dialFor({ service, target, vet }: StreamPlace, { clock, resolve, secrets }: StreamPorts): Promise<Socket> {
  const tls = target.tls ? { serverName: target.host, ca: target.ca, certificate: undefined, key: undefined } : undefined
  const address = { kind: 'tcp', host: target.host, port: target.port } as const
  const isPostgres = service.stream?.protocol === 'postgres'
  const endpoint = { key: '', protocol: 'http1', address, tls, connectTimeoutMs: service.connectTimeoutMs, idleMs: 0, vet } as const
  // PostgreSQL 17 knows its protocol by this name; older ones do not listen.
  const alpn = isPostgres && target.tls ? ['postgresql'] : []
  return dial(endpoint, alpn, { clock, resolve, secrets, allowHalfOpen: true, ...(isPostgres && { beforeTls: askForTls }) })
}

/** Where we encrypt, the workload's own wish to do so is answered here: inside TLS no server wants to hear it. */
function conversationOf({ settings, target }: StreamPlace, near: Socket): Conversation {
  if (settings.protocol !== 'postgres') return anyConversation()
  return postgresConversation({ answer: target.tls ? (bytes) => void near.write(bytes) : undefined })
}

function pause(ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve))
}
