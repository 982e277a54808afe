import type { Channel, Channels, Endpoint, Lasting } from '../ports.ts'
import { newStanding, type Standing } from './health/standing.ts'
import { Shared } from './shared.ts'

/** One endpoint as balancers see it. Lives as long as any snapshot uses the endpoint. */
export interface Member {
  readonly endpoint: Endpoint
  /** `host:port`, or the path of a socket. */
  readonly name: string
  readonly channel: Channel
  /** Requests under way. */
  active: number
  /** Peak-sensitive moving average of the time to response headers, milliseconds; 0 until the first answer. */
  ewma: number
  /** Monotonic milliseconds of the last sample. */
  sampledAt: number
  /** How well it is. */
  readonly standing: Standing
}

/** What one cluster (or egress target) has under way, over all its endpoints and snapshots. */
export interface Group {
  active: number
  /** Requests that are being repeated right now. */
  retrying: number
}

/** What discovery last learned about one name. */
export interface Found {
  addresses: readonly string[]
  /** Monotonic milliseconds from when on the name is asked again. */
  staleAt: number
  asking: Promise<void> | undefined
}

/** The long-lived state of the way out: it outlives snapshots and holds no more than the snapshots in use need. */
export interface UpstreamState {
  readonly members: Pick<Shared<Member>, 'take' | 'give'>
  readonly groups: Shared<Group>
  readonly names: Shared<Found>
}

/** The one state of this process. */
export function upstreamState(lasting: Lasting): UpstreamState {
  return lasting('upstream.state', () => ({ members: new Shared<Member>(), groups: new Shared<Group>(), names: new Shared<Found>() }))
}

/** A new member; the channel dials when it is first used. */
export function openMember(endpoint: Endpoint, channels: Channels): Member {
  return { endpoint, name: nameOf(endpoint), channel: channels.acquire(endpoint), active: 0, ewma: 0, sampledAt: 0, standing: newStanding(0) }
}

function nameOf({ address }: Endpoint): string {
  if (address.kind === 'unix') return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
