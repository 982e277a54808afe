import { connect as connectTcp, isIP, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls'
import { Fault } from '../../core/model/fault.ts'
import type { Clock, Endpoint, EndpointTls, Resolve, Secrets } from '../../core/ports.ts'
import { type CertificateNotices, keeperOf, type TlsMaterial } from '../tls-material.ts'
import { AlpnMissing, identityCheck } from './identity.ts'
import { firstToOpen, type Underway } from './staggered.ts'

/** Opens a socket to one place, over TLS where settings are given. A failure is an `error` event of the socket. */
export type Connect = (place: NetConnectOpts, tls: ConnectionOptions | undefined) => Socket

/** How this process finds others and reaches them: the only two things of a dial that leave the machine. */
export interface Network {
  readonly resolve: Resolve
  readonly connect?: Connect | undefined
}

interface OpenWith extends Underway {
  readonly clock: Clock
  readonly connect?: Connect | undefined
  readonly allowHalfOpen?: boolean | undefined
  readonly beforeTls?: ((socket: Socket) => Promise<void>) | undefined
}

export interface DialPorts extends Network {
  readonly clock: Clock
  readonly secrets: Secrets
  /** What the peer ends can still be written to. */
  readonly allowHalfOpen?: boolean
  /** What has to be said in clear text before TLS, for protocols that do not begin with it. */
  readonly beforeTls?: (socket: Socket) => Promise<void>
  /** Hears what becomes of the certificates of both sides. */
  readonly certificates?: CertificateNotices | undefined
}

/**
 * Opens one connection to an endpoint, ready to be written to, within its connect timeout. The name is resolved once; with `vet` every
 * address, literals included, must pass before any is dialled, and what is dialled is a vetted address: no second look-up, nothing
 * that a rebinding name could change. TLS checks the certificate against the canonical name, not the address.
 * @throws Fault `upstream_unavailable` (nothing was sent) or `address_denied`.
 */
export async function dial(endpoint: Endpoint, alpn: readonly string[], ports: DialPorts): Promise<Socket> {
  const { clock } = ports
  const until = clock.ticks() + endpoint.connectTimeoutMs
  const left = () => Math.max(0, until - clock.ticks())
  try {
    const [places, tls] = await within(clock, left(), Promise.all([placesOf(endpoint, ports), tlsOf(endpoint.tls, alpn, ports)]))
    const drop = (socket: Socket) => void socket.destroy()
    return await firstToOpen(places, { open: (place, underway) => open(place, tls, left, { ...ports, ...underway }), drop, left, clock })
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('upstream_unavailable', 'the upstream is not reachable', { cause: error, internal: `${nameOf(endpoint)}: ${reasonOf(error)}` })
  }
}

async function placesOf({ address, vet }: Endpoint, { resolve }: DialPorts): Promise<readonly NetConnectOpts[]> {
  if (address.kind === 'unix') {
    if (vet !== undefined) throw denied('a socket path', 'a guarded endpoint is dialled by address only')
    return [{ path: address.path }]
  }
  const host = address.host.startsWith('[') ? address.host.slice(1, -1) : address.host
  const addresses = isIP(host) === 0 ? await resolve(host) : [host]
  if (vet !== undefined) {
    for (const one of addresses) {
      const why = await vet(one, address.port)
      if (why !== undefined) throw denied(one, why)
    }
  }
  return addresses.map((one) => ({ host: one, port: address.port, noDelay: true }))
}

function denied(address: string, why: string): Fault {
  return new Fault('address_denied', 'this address is not allowed', { internal: `${address}: ${why}` })
}

/** The material of these settings as it is now: files that changed are read again. @throws Error when there never was any that is good */
export function materialOf(tls: EndpointTls, ports: DialPorts): TlsMaterial | Promise<TlsMaterial> {
  return keeperOf(tls, tls.use ?? 'upstream', ports).now()
}

async function tlsOf(tls: EndpointTls | undefined, alpn: readonly string[], ports: DialPorts): Promise<ConnectionOptions | undefined> {
  if (tls === undefined) return undefined
  const { context } = await materialOf(tls, ports)
  const { serverName } = tls
  return {
    secureContext: context,
    // RFC 6066 section 3: a literal address is no server name.
    ...(isIP(serverName) === 0 && { servername: serverName }),
    ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
    checkServerIdentity: identityCheck(tls),
  }
}

async function open(place: NetConnectOpts, tls: ConnectionOptions | undefined, left: () => number, how: OpenWith): Promise<Socket> {
  const { connect = systemConnect, allowHalfOpen = false, beforeTls } = how
  if (tls === undefined) return await whenOpen(connect({ ...place, allowHalfOpen }, undefined), 'connect', undefined, left(), how)
  if (beforeTls === undefined) return await whenOpen(connect({ ...place, allowHalfOpen }, tls), 'secureConnect', tls, left(), how)
  const plain = await whenOpen(connect({ ...place, allowHalfOpen }, undefined), 'connect', undefined, left(), how)
  how.signal.addEventListener('abort', () => plain.destroy())
  try {
    await within(how.clock, left(), beforeTls(plain), 'beginning TLS')
    return await whenOpen(connectTls({ ...tls, socket: plain }), 'secureConnect', tls, left(), how)
  } catch (error) {
    plain.destroy()
    throw error
  }
}

type WhenOpen = Pick<OpenWith, 'clock' | 'reached' | 'signal'>

function whenOpen(socket: Socket, event: 'connect' | 'secureConnect', tls: ConnectionOptions | undefined, ms: number, how: WhenOpen): Promise<Socket> {
  const { clock, reached, signal } = how
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      timer.cancel()
      socket.destroy()
      reject(error)
    }
    const timer = clock.after(ms, () => fail(new Error('connecting took too long')))
    signal.addEventListener('abort', () => fail(new Error('another address was faster')))
    socket.on('error', fail) // stays: between the dialler and the next owner an error must have a listener
    socket.once('close', () => fail(new Error('closed while connecting')))
    socket.once('connect', reached)
    socket.once(event, () => {
      // A server without ALPN speaks HTTP/1.1; nothing else may be taken for granted.
      if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2' && isHttp2Only(tls)) return fail(new AlpnMissing())
      timer.cancel()
      resolve(socket)
    })
  })
}

function systemConnect(place: NetConnectOpts, tls: ConnectionOptions | undefined): Socket {
  return tls === undefined ? connectTcp(place) : connectTls(Object.assign({ ...place }, tls))
}

function isHttp2Only(tls: ConnectionOptions | undefined): boolean {
  return Array.isArray(tls?.ALPNProtocols) && tls.ALPNProtocols.every((protocol) => protocol === 'h2')
}

function within<T>(clock: Clock, ms: number, answer: Promise<T>, doing = 'resolving'): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => reject(new Error(`${doing} took too long`)))
    answer.then(resolve, reject).finally(() => timer.cancel())
  })
}

/** An endpoint for people: `host:port` or a path. */
export function nameOf({ address }: Endpoint): string {
  return address.kind === 'unix' ? address.path : `${address.host}:${address.port}`
}

/** The short reason of a Node error. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
