import { buildStreams, type Streams } from './egress/stream.ts'
import { buildTunnels, type Tunnels } from './egress/tunnel.ts'
import { buildEgress, type Egress } from './egress.ts'
import type { buildIngress, Ingress } from './ingress.ts'
import type { Policy } from './policy/policy.ts'
import type { Ports } from './ports.ts'
import type { buildMessageJson } from './protobuf.ts'
import { buildUpstream } from './upstream.ts'

/** The way in, with what translates its messages. It is most of the program: who serves nobody from outside goes without. */
export interface WayIn {
  readonly buildIngress: typeof buildIngress
  readonly buildMessageJson: typeof buildMessageJson
}

/** One policy revision, compiled: both wings, ready to walk. Immutable. */
export interface Snapshot {
  readonly revision: string
  readonly policy: Policy
  readonly ingress: Ingress
  readonly egress: Egress
  /** Where the connections of TCP services go. */
  readonly streams: Streams
  /** Where tunnels through the forward proxy go. */
  readonly tunnels: Tunnels
  /** Gives back what it holds; requests in flight end first. */
  close(): Promise<void>
}

/** Compiles a linked policy over the ground's ports. Without `wayIn` there must be no public listener. @throws Error when there is one. */
export function buildSnapshot(policy: Policy, ports: Ports, wayIn: WayIn | undefined): Snapshot {
  if (wayIn === undefined && policy.listeners.public !== undefined) throw new Error('there is a public listener, and no way in')
  const upstream = buildUpstream(policy, ports, wayIn?.buildMessageJson(policy))
  const ingress = wayIn?.buildIngress(policy, upstream, ports) ?? shut
  const egress = buildEgress(policy, upstream, ports)
  const tunnels = buildTunnels(policy, ports)
  return Object.freeze({
    revision: policy.revision,
    policy,
    ingress,
    egress,
    streams: buildStreams(policy, ports),
    tunnels,
    close: () => {
      ingress.close()
      egress.close()
      tunnels.close()
      return upstream.close()
    },
  })
}

/** Where nothing comes in. */
const shut: Ingress = Object.assign(() => Promise.reject(new Error('there is no way in')), { close() {} })
