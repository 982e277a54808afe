import type { CallOptions, Channel, Channels, Endpoint } from '../core/ports.ts'
import { ConnectionCap } from './channels/connection-cap.ts'
import { type DialPorts, dial } from './channels/dial.ts'
import { openGrpc } from './channels/grpc.ts'
import { openHttp1 } from './channels/http1.ts'
import { openHttp2 } from './channels/http2.ts'
import type { Wire } from './channels/wire.ts'

const wires: Readonly<Record<Endpoint['protocol'], (endpoint: Endpoint, ports: DialPorts, cap?: ConnectionCap) => Wire>> = {
  http1: openHttp1,
  h2: openHttp2,
  grpc: openGrpc,
}

/** The ways of this process, and how many connections they have. */
export interface OpenChannels extends Channels {
  /** Open connections by cluster or egress service: counted when it is asked for. */
  counts(): ReadonlyMap<string, number>
}

interface Held {
  readonly wire: Wire
  readonly of: string | undefined
  shares: number
}

/**
 * Ways to speak to endpoints, shared by key: connections stay open as long as anybody holds a channel to the endpoint, across
 * snapshots, and close when the last has let go and what is in flight has ended.
 */
export function createChannels(ports: DialPorts): OpenChannels {
  const open = new Map<string, Held>()
  /** Nobody holds them any more, and something is under way on them still. */
  const ending = new Set<Held>()
  const caps = new Map<string, ConnectionCap>()

  function capOf({ connections }: Endpoint): ConnectionCap | undefined {
    if (connections === undefined) return undefined
    const { of, most } = connections
    for (const [key, { isUnused }] of caps) if (isUnused) caps.delete(key)
    const key = `${most} ${of}`
    const cap = caps.get(key) ?? new ConnectionCap(of, most)
    caps.set(key, cap)
    return cap
  }

  function forgetEnded(): void {
    for (const held of ending) if (held.wire.connections === 0) ending.delete(held)
  }

  function take(endpoint: Endpoint): Held {
    const there = open.get(endpoint.key)
    if (there !== undefined) return there
    const made = { wire: wires[endpoint.protocol](endpoint, ports, capOf(endpoint)), of: endpoint.of, shares: 0 }
    open.set(endpoint.key, made)
    return made
  }

  return {
    acquire(endpoint) {
      const held = take(endpoint)
      held.shares += 1
      return channelOver(held.wire, () => {
        held.shares -= 1
        if (held.shares > 0) return
        open.delete(endpoint.key)
        held.wire.close()
        forgetEnded()
        if (held.wire.connections > 0) ending.add(held)
      })
    },
    counts() {
      forgetEnded()
      const counts = new Map<string, number>()
      for (const { of, wire } of [...open.values(), ...ending]) if (of !== undefined) counts.set(of, (counts.get(of) ?? 0) + wire.connections)
      return counts
    },
    async reach(endpoint, deadline) {
      const connectTimeoutMs = Math.max(1, Math.min(endpoint.connectTimeoutMs, deadline - ports.clock.ticks()))
      const socket = await dial({ ...endpoint, connectTimeoutMs }, [endpoint.protocol === 'http1' ? 'http/1.1' : 'h2'], ports)
      socket.destroy()
    },
  }
}

function channelOver(wire: Wire, release: () => void): Channel {
  let released = false
  return {
    http: (call, options: CallOptions) => wire.http(call, options),
    grpc: (call, options: CallOptions) => wire.grpc(call, options),
    release() {
      if (released) return
      released = true
      release()
    },
  }
}
