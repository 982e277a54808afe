import type { Live } from '../../core/live.ts'
import { compileCidrs } from '../../core/net.ts'
import type { ListenerTls } from '../../core/policy/policy.ts'
import type { Clock, Journal, Meter, Random, Resolve, Secrets } from '../../core/ports.ts'
import { type CountArrivals, type ListenerOptions, type ListenerSecrets, startListener } from '../listeners.ts'
import { openStreams } from '../streams.ts'
import type { ListenerPlan, RunningListener } from './listener-set.ts'

export interface WalkPorts {
  readonly clock: Clock
  readonly meter: Meter
  readonly secrets: Secrets
  readonly resolve: Resolve
  readonly random: Pick<Random, 'uuid'>
  readonly journal: Journal
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
  const listener = await startListener({
    address: plan.address,
    purpose: plan.name,
    protocols: settings?.protocols ?? ['http/1.1', 'h2'],
    tls: settings?.tls === undefined ? undefined : await secretsOf(settings.tls, ports.secrets),
    limits: settings?.limits ?? egressLimits,
    handle: (arrival) => live.walk(wing, arrival),
    clock,
    meter,
    // A load balancer in front stands for all of its downstreams; workloads come over loopback, all from one address.
    caps: { isShared: settings === undefined ? () => true : compileCidrs(settings.trustedProxies), arrivals: settings?.limits.newConnections },
    arrivals: ports.arrivals,
  })
  return { ...listener.address, close: (graceful) => listener.close(graceful) }
}

async function secretsOf(tls: ListenerTls, secrets: Secrets): Promise<ListenerSecrets> {
  const [certificate, key, clientCa] = await Promise.all([
    secrets.read(tls.certificate),
    secrets.read(tls.key),
    tls.clientCa === undefined ? undefined : secrets.read(tls.clientCa),
  ])
  return { certificate, key, clientCa, clientAuth: tls.clientAuth }
}
