import { buildStreams, type Streams } from './egress/stream.ts'
import { buildTunnels, type Tunnels } from './egress/tunnel.ts'
import { buildEgress, type Egress } from './egress.ts'
import { buildIngress, type Ingress } from './ingress.ts'
import type { Policy } from './policy/policy.ts'
import type { Ports } from './ports.ts'
import { buildMessageJson } from './protobuf.ts'
import { buildUpstream } from './upstream.ts'

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

/** Compiles a linked policy over the ground's ports. */
export function buildSnapshot(policy: Policy, ports: Ports): Snapshot {
  const upstream = buildUpstream(policy, ports, buildMessageJson(policy))
  const ingress = buildIngress(policy, upstream, ports)
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
