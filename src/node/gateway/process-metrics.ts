import type { Meter } from '../../core/ports.ts'
import type { GatewayView } from '../gateway-view.ts'
import type { NodeJournal } from '../journal.ts'

/** Sets the figures that are asked for and not told: right before somebody reads the metrics. */
export function measureProcess(meter: Meter, view: Pick<GatewayView, 'startedAt' | 'inFlight' | 'keySets'>, journal: Pick<NodeJournal, 'dropped'>): void {
  const { user, system } = process.cpuUsage()
  meter.gauge('process_cpu_seconds_total', (user + system) / 1e6, {})
  meter.gauge('process_resident_memory_bytes', process.memoryUsage.rss(), {})
  meter.gauge('process_start_time_seconds', view.startedAt / 1000, {})
  meter.gauge('sallyport_in_flight_requests', view.inFlight, {})
  meter.gauge('sallyport_records_dropped_total', journal.dropped, {})
  for (const { issuer, ageMs } of view.keySets) if (ageMs !== undefined) meter.gauge('sallyport_key_set_age_seconds', ageMs / 1000, { issuer })
}
