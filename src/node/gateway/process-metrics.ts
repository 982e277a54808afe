import type { MetricName } from '../../core/observe/metrics.ts'
import type { SourceStatus } from '../../core/upstream.ts'
import type { CertificateStatus } from '../certificate-status.ts'
import type { GatewayView } from '../gateway-view.ts'
import type { NodeJournal } from '../journal.ts'
import type { Registry } from '../meter.ts'

/** Sets the figures that are asked for and not told: right before somebody reads the metrics. */
export function measureProcess(
  meter: Pick<Registry, 'gauge' | 'forget'>,
  view: Pick<GatewayView, 'startedAt' | 'inFlight' | 'keySets' | 'sources' | 'certificates'>,
  journal: Pick<NodeJournal, 'dropped'>,
): void {
  const { user, system } = process.cpuUsage()
  meter.gauge('process_cpu_seconds_total', (user + system) / 1e6, {})
  meter.gauge('process_resident_memory_bytes', process.memoryUsage.rss(), {})
  meter.gauge('process_start_time_seconds', view.startedAt / 1000, {})
  meter.gauge('sallyport_in_flight_requests', view.inFlight, {})
  meter.gauge('sallyport_records_dropped_total', journal.dropped, {})
  for (const { issuer, ageMs } of view.keySets) if (ageMs !== undefined) meter.gauge('sallyport_key_set_age_seconds', ageMs / 1000, { issuer })
  measureSources(meter, view.sources)
  measureCertificates(meter, view.certificates)
}

const ends = 'sallyport_certificate_end_timestamp_seconds' satisfies MetricName

function measureCertificates(meter: Pick<Registry, 'gauge' | 'forget'>, certificates: readonly Pick<CertificateStatus, 'use' | 'endsAt'>[]): void {
  meter.forget(ends)
  for (const { use, endsAt } of certificates) if (endsAt !== undefined) meter.gauge(ends, Math.floor(endsAt / 1_000), { use })
}

const discovered = [
  'sallyport_discovery_age_seconds',
  'sallyport_discovery_endpoints',
  'sallyport_discovery_subset_age_seconds',
] as const satisfies readonly MetricName[]

function measureSources(meter: Pick<Registry, 'gauge' | 'forget'>, sources: readonly SourceStatus[]): void {
  for (const name of discovered) meter.forget(name)
  const [age, endpoints, subsetAge] = discovered
  for (const { source, clusters, ageMs, kept, endpoints: count, leftBehind } of sources) {
    for (const cluster of clusters) {
      if (ageMs !== undefined) meter.gauge(age, ageMs / 1000, { cluster, source })
      meter.gauge(endpoints, count - kept, { cluster, source, state: 'named' })
      meter.gauge(endpoints, kept, { cluster, source, state: 'kept' })
    }
    for (const part of leftBehind) meter.gauge(subsetAge, part.ageMs / 1000, { cluster: part.cluster, subset: part.subset })
  }
}
