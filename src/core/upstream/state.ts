import type { Channel, Channels, Endpoint, Lasting } from '../ports.ts'
import { addressText } from './discovery/found.ts'
import type { Source } from './discovery/source.ts'
import { newStanding, type Standing } from './health/standing.ts'
import { Waiting } from './protect/waiting.ts'
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
  /** The same average without sensitivity to single peaks, but to failures; milliseconds; 0 until the first answer. */
  mean: number
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
  /** Requests that wait for a place. */
  readonly waiting: Waiting
}

export function newGroup(): Group {
  return { active: 0, retrying: 0, waiting: new Waiting() }
}

/** The long-lived state of the way out: it outlives snapshots and holds no more than the snapshots in use need. */
export interface UpstreamState {
  readonly members: Pick<Shared<Member>, 'take' | 'give'>
  readonly groups: Shared<Group>
  readonly sources: Shared<Source>
}

/** The one state of this process. */
export function upstreamState(lasting: Lasting): UpstreamState {
  return lasting('upstream.state', () => ({
    members: new Shared<Member>(),
    groups: new Shared<Group>(),
    sources: new Shared<Source>(),
  }))
}

/** A new member; the channel dials when it is first used. */
export function openMember(endpoint: Endpoint, channels: Channels): Member {
  return {
    endpoint,
    name: addressText(endpoint.address),
    channel: channels.acquire(endpoint),
    active: 0,
    ewma: 0,
    mean: 0,
    sampledAt: 0,
    standing: newStanding(0),
  }
}
