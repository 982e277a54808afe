import type { Socket } from 'node:net'
import { networkOf, normalizeAddress } from '../../core/net.ts'
import { countArrivals } from './arrivals.ts'
import type { ConnectionCaps, ListenerOptions } from './options.ts'

/** Who is connected, and how many may be. */
export interface Gate {
  /** Counts a new connection, or closes it at once when there are too many. */
  admit(socket: Socket): boolean
  readonly open: number
  /** Settles when the last connection is gone. */
  empty(): Promise<void>
  /** Cuts every connection. */
  cut(): void
}

const defaults: ConnectionCaps = { total: 10_000, perPeer: 200, isShared: () => false, arrivals: undefined }

/** Loopback peers are the sidecar and the workloads beside us: many behind one address. */
function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

export function openGate({ caps, purpose, meter, arrivals: count = countArrivals }: Pick<ListenerOptions, 'caps' | 'purpose' | 'meter' | 'arrivals'>): Gate {
  const { total, perPeer, isShared, arrivals } = { ...defaults, ...caps }
  const mayArrive = arrivals === undefined ? undefined : count(purpose, arrivals)
  const sockets = new Set<Socket>()
  const peers = new Map<string, number>()
  let waiting: (() => void)[] = []

  const refuse = (socket: Socket, reason: string) => {
    meter.count('sallyport_connections_refused_total', { listener: purpose, reason })
    socket.destroy()
    return false
  }
  const leave = (socket: Socket, peer: string) => {
    sockets.delete(socket)
    const left = (peers.get(peer) ?? 1) - 1
    if (left > 0) peers.set(peer, left)
    else peers.delete(peer)
    meter.gauge('sallyport_connections', sockets.size, { listener: purpose })
    if (sockets.size > 0) return
    for (const done of waiting) done()
    waiting = []
  }

  return {
    admit(socket) {
      const peer = normalizeAddress(socket.remoteAddress ?? '')
      if (sockets.size >= total) return refuse(socket, 'full')
      const mine = peers.get(peer) ?? 0
      const isOne = !isLoopback(peer) && !isShared(peer)
      if (mine >= perPeer && isOne) return refuse(socket, 'peer')
      // Known before anything of the connection is read, or, where another process counts, a moment later.
      if (isOne) void mayArrive?.(networkOf(peer)).then((may) => may || socket.destroyed || refuse(socket, 'rate'))
      sockets.add(socket)
      peers.set(peer, mine + 1)
      meter.gauge('sallyport_connections', sockets.size, { listener: purpose })
      socket.on('error', () => {}) // whoever speaks on it hears of it through its close
      socket.once('close', () => leave(socket, peer))
      return true
    },
    get open() {
      return sockets.size
    },
    empty: () => (sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    cut() {
      for (const socket of sockets) socket.destroy()
    },
  }
}
