import type { Live } from '../../core/live.ts'
import { compileCidrs } from '../../core/net.ts'
import type { Clock, Journal, Meter, Random, Secrets } from '../../core/ports.ts'
import type { Network } from '../channels/dial.ts'
import { type CountArrivals, type ListenerOptions, startListener } from '../listeners.ts'
import { openStreams } from '../streams.ts'
import type { CertificateNotices } from '../tls-material.ts'
import { openTunnels } from '../tunnels.ts'
import { watchCertificates } from './certificate-watch.ts'
import type { ListenerPlan, RunningListener } from './listener-set.ts'

export interface WalkPorts extends Network {
  readonly clock: Clock
  readonly meter: Meter
  readonly secrets: Secrets
  readonly random: Pick<Random, 'uuid'>
  readonly journal: Journal
  readonly certificates?: CertificateNotices | undefined
  /** Who counts new connections of client networks; left out: this process. */
  readonly arrivals?: CountArrivals | undefined
}

/** What a workload's request may be: the policies say nothing about it, for the workload is ours. */
const egressLimits: ListenerOptions['limits'] = { headerBytes: 16 * 1024, headerCount: 100, requestMs: 30_000, idleMs: 60_000 }

/** Binds a listener that feeds a walk: the public one the ingress walk, all others the egress walk. @throws Error when it cannot. */
export async function openWalkListener(plan: ListenerPlan, live: Live, ports: WalkPorts): Promise<RunningListener> {
  if (plan.stream === true) return await openStreams({ name: plan.name, address: plan.address, live, ports })
  const { clock, meter } = ports
  const { settings } = plan
  const wing = plan.name === 'public' ? 'ingress' : 'egress'
  const tls = settings === undefined ? plan.tls : settings.tls
  const certificates = tls === undefined ? undefined : await watchCertificates(plan.name, tls, ports)
  const listener = await startListener({
    address: plan.address,
    purpose: plan.name,
    protocols: settings?.protocols ?? ['http/1.1', 'h2'],
    tls: certificates?.first,
    limits: settings?.limits ?? egressLimits,
    handle: (arrival) => live.walk(wing, arrival),
    tunnels: plan.name === 'egress' ? openTunnels({ name: plan.name, live, ports }) : undefined,
    clock,
    meter,
    // A load balancer in front stands for all of its downstreams; workloads come over loopback, all from one address.
    caps: { isShared: settings === undefined ? () => true : compileCidrs(settings.trustedProxies), arrivals: settings?.limits.newConnections },
    arrivals: ports.arrivals,
  })
  const following = certificates?.follow((secrets) => listener.renew(secrets))
  return {
    ...listener.address,
    close(graceful) {
      // To the end of the lame duck time new connections still come; who shakes hands with yesterday's certificate then is served.
      following?.stop()
      return listener.close(graceful)
    },
  }
}
