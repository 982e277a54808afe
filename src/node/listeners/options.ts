import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Arrival } from '../../core/model/exchange.ts'
import type { Outbound } from '../../core/model/wire.ts'
import type { Address, ListenerLimits } from '../../core/policy/linked/listeners.ts'
import type { Clock, Meter } from '../../core/ports.ts'
import type { ArrivalsLimit, CountArrivals } from './arrivals.ts'

/** Everything a listener needs to know. */
export interface ListenerOptions {
  readonly address: Address
  /** `public`, `egress`, or `egress:<service>`: what arrivals carry as `listener`. */
  readonly purpose: string
  /** What is spoken here. In the clear both share the port: HTTP/2 by prior knowledge. Over TLS ALPN chooses. */
  readonly protocols: readonly ('http/1.1' | 'h2')[]
  readonly tls: ListenerSecrets | undefined
  readonly limits: Pick<ListenerLimits, 'headerBytes' | 'headerCount' | 'requestMs' | 'idleMs'>
  /** The walk. It never rejects. */
  readonly handle: (arrival: Arrival) => Promise<Outbound>
  /** Who takes CONNECT; left out: nobody. */
  readonly tunnels?: Tunnels | undefined
  readonly clock: Clock
  readonly meter: Meter
  readonly caps?: Partial<ConnectionCaps>
  /** Who counts new connections; left out: this process. */
  readonly arrivals?: CountArrivals | undefined
}

/** A CONNECT as a listener hands it over. */
export interface TunnelAsk {
  readonly arrival: Arrival
  readonly socket: Socket
  /** What came behind the request: of a client that does not wait for the answer. */
  readonly head: Uint8Array
  /** Has what comes from now on read as requests in the clear to the place that was asked for, with what CONNECT said about who asks. */
  readonly serveClear: () => void
}

/** The tunnels of one listener. */
export interface Tunnels {
  take(ask: TunnelAsk): void
  /** Ends tunnels as they come to rest; after so long they are reset. */
  drain(ms: number): void
}

/** PEM texts. */
export interface ListenerSecrets {
  readonly certificate: string
  readonly key: string
  readonly clientAuth: 'none' | 'optional' | 'required'
  readonly clientCa: string | undefined
}

export interface ConnectionCaps {
  /** Open connections of this listener. */
  readonly total: number
  readonly perPeer: number
  /** Peers that stand for many (load balancers) have no share of their own to keep to. */
  readonly isShared: (address: string) => boolean
  /** New connections of one client network; undefined for any. */
  readonly arrivals: ArrivalsLimit | undefined
}

/** A connection whose requests are all for one place. */
export interface ClearTunnel {
  /** `http://host:port` */
  readonly origin: string
  /** Names and values in turn that every request of it has: who asks, and for which environment. */
  readonly headers: readonly string[]
}

/** What the protocols of one listener share. */
export interface Serving {
  readonly options: ListenerOptions
  /** The listener is closing: every answer asks the downstream to come back over a new connection. */
  readonly isDraining: () => boolean
  /** What has changed its protocol or is about to. */
  readonly conversations: Set<{ goAway(): void }>
  /** Connections that have. */
  upgraded: number
  /** Gives a connection to the parser of HTTP/1. */
  http1: (socket: Socket) => void
  /** Tunnels in the clear. */
  readonly clear: WeakMap<Duplex, ClearTunnel>
}
