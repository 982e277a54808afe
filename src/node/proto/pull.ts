import { FieldList } from '../../core/model/fields.ts'
import { parseAuthority } from '../../core/net.ts'
import type { Endpoint } from '../../core/ports.ts'
import { createChannels } from '../channels.ts'
import { createClock } from '../clock.ts'
import { createResolve } from '../resolve.ts'
import { createSecrets } from '../secrets.ts'
import { ReflectionError, reflect } from './reflect.ts'

export interface PullOptions {
  readonly tls: boolean
  /** PEM file of who signs the server's certificate; the system's roots without it. */
  readonly ca?: string | undefined
  /** Name in the certificate; the authority's host without it. */
  readonly serverName?: string | undefined
  /** What the server reads as `:authority`; the target without it. */
  readonly authority?: string | undefined
  /** For the whole pull, milliseconds. */
  readonly timeoutMs?: number
}

/** Time to connect, milliseconds; never more than there is for the whole pull. */
const connectMs = 5_000

/**
 * Pulls the descriptors of a running server (`host:port` or `unix:/path`): see `reflect`. @throws ReflectionError that says what went wrong
 * and what to try; Error for a target that is none.
 */
export async function pullDescriptors(target: string, options: PullOptions): Promise<Uint8Array> {
  const clock = createClock()
  const ports = { clock, resolve: createResolve(clock), secrets: createSecrets({}) }
  const timeoutMs = options.timeoutMs ?? 10_000
  const { endpoint, authority } = endpointOf(target, options, timeoutMs)
  const channel = createChannels(ports).acquire(endpoint)
  try {
    return await reflect(channel, { authority, fields: new FieldList(), timeoutMs, services: undefined, clock })
  } catch (error) {
    throw advised(error, options.tls)
  } finally {
    channel.release()
  }
}

function advised(error: unknown, tls: boolean): unknown {
  // Neither says more: nobody is there, or one who does not understand.
  if (!(error instanceof ReflectionError) || (error.kind !== 'unreachable' && error.kind !== 'silent')) return error
  const other = tls ? 'leave out --tls if it speaks clear text' : 'add --tls if it speaks TLS'
  return new ReflectionError(error.kind, `${error.message}: check that it runs and listens at this address, and ${other}`, error)
}

function endpointOf(target: string, options: PullOptions, timeoutMs: number): { readonly endpoint: Endpoint; readonly authority: string } {
  const address = addressOf(target)
  const authority = options.authority ?? (address.kind === 'unix' ? 'localhost' : target)
  const parsed = parseAuthority(authority)
  if ('problem' in parsed) throw new Error(`${authority} is not an authority: ${parsed.problem}`)
  const ca = options.ca === undefined ? undefined : `file:${options.ca}`
  const tls = options.tls ? { serverName: options.serverName ?? parsed.host, ca, certificate: undefined, key: undefined } : undefined
  return {
    endpoint: { key: `pull ${target}`, protocol: 'grpc', address, tls, connectTimeoutMs: Math.min(connectMs, timeoutMs), idleMs: timeoutMs },
    authority,
  }
}

function addressOf(target: string): Endpoint['address'] {
  if (target.startsWith('unix:/')) return { kind: 'unix', path: target.slice('unix:'.length) }
  const parsed = parseAuthority(target)
  if ('problem' in parsed) throw new Error(`it is not host:port: ${parsed.problem}`)
  if (parsed.port === undefined) throw new Error('it has no port: write host:port')
  return { kind: 'tcp', host: parsed.host, port: parsed.port }
}
