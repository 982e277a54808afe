import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { StreamPlace } from '../core/egress/stream.ts'
import type { Live } from '../core/live.ts'
import { Fault } from '../core/model/fault.ts'
import { normalizeAddress } from '../core/net.ts'
import type { Address } from '../core/policy/linked/listeners.ts'
import type { Clock } from '../core/ports.ts'
import type { GracefulClose } from './listeners.ts'
import { StreamBook, type StreamEntry, type StreamPorts } from './streams/book.ts'
import { reset } from './streams/carry.ts'

export interface StreamsOptions {
  /** `egress:<service>` */
  readonly name: string
  readonly address: Address
  readonly live: Live
  readonly ports: StreamPorts
}

/** The listener of one TCP service. */
export interface StreamListener extends Address {
  close(graceful: GracefulClose): Promise<void>
}

/** Binds the listener of a TCP service. @throws when the address cannot be bound. */
export async function openStreams({ name, address, live, ports }: StreamsOptions): Promise<StreamListener> {
  const { clock } = ports
  const service = name.slice('egress:'.length)
  const sockets = new Set<Socket>()
  const book = new StreamBook<StreamPlace>({ name, live, ports, placedNow: () => live.current.streams(service) })
  let waiting: (() => void)[] = []

  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (near) => void accept(near))

  async function accept(near: Socket): Promise<void> {
    const entry = book.begin(normalizeAddress(near.remoteAddress ?? ''), service)
    near.on('error', () => {}) // its close says all there is to know
    sockets.add(near)
    near.once('close', () => {
      sockets.delete(near)
      if (sockets.size > 0) return
      for (const done of waiting) done()
      waiting = []
    })
    const open = book.enter(service, near)
    try {
      await live.begin()
      const place = live.current.streams(service)
      entry.place = place
      if (open > place.settings.maxConnections) return refuse(near, entry, 'full', undefined)
      const far = await book.dial(place)
      if (near.destroyed) {
        far.destroy()
        return book.write(entry, 'closed', undefined)
      }
      await book.carry(near, far, place, entry)
    } catch (error) {
      const fault = Fault.from(error)
      refuse(near, entry, fault.code, fault.detail.internal ?? fault.message)
    }
  }

  function refuse(near: Socket, entry: StreamEntry, code: string, why: string | undefined): void {
    reset(near)
    book.write(entry, code, why)
  }

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
      server.close()
      book.drain(drainMs)
      if (drainMs <= 0) for (const socket of sockets) reset(socket)
      await empty()
    },
  }
}

function pause(ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve))
}
