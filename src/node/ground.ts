import { hash } from 'node:crypto'
import { type MetricName, metrics } from '../core/observe/metrics.ts'
import type { Clock, Ports } from '../core/ports.ts'
import { createCassettes } from './cassettes.ts'
import { createCertificateNotices } from './certificate-notices.ts'
import type { Network } from './channels/dial.ts'
import { createChannels, type OpenChannels } from './channels.ts'
import { createCompression } from './compression.ts'
import { createDiscover } from './discover.ts'
import { createFetch } from './fetch.ts'
import { createStoreInForce, type Memory, type StoreInForce } from './gateway/store-in-force.ts'
import type { NodeJournal } from './journal.ts'
import { createLasting } from './lasting.ts'
import { createMeter, type Registry } from './meter.ts'
import { createSpanExporter, otlpDefaults, type SpanExporter } from './otlp.ts'
import { createOwnAddresses } from './own-addresses.ts'
import { createOwnListeners, type OwnListenerBook } from './own-listeners.ts'
import { createRandom } from './random.ts'
import { createResolve } from './resolve.ts'
import { createSecrets } from './secrets.ts'
import type { Settings } from './settings.ts'
import { createFileStore, createMemoryStore } from './store.ts'
import type { CertificateNotices } from './tls-material.ts'

/** Everything the core stands on in this process, with the sides of it that only this ground knows. */
export interface Ground {
  readonly ports: Ports
  readonly store: StoreInForce
  readonly journal: NodeJournal
  readonly meter: Registry
  readonly certificates: CertificateNotices
  readonly network: Network
  readonly listeners: OwnListenerBook
  /** Undefined when no collector is set. */
  readonly spans: SpanExporter | undefined
}

/** What stands in for a store, opened over the ports of the ground that asks for it. Left out: the memory of this process. */
export type OpenMemory = (ports: Pick<Ports, 'clock' | 'meter' | 'journal'>) => Memory

/** Opens the ports. Without `network` names and sockets are the system's. @throws Error when the state folder cannot be made. */
export function createGround(
  settings: Settings,
  clock: Clock,
  journal: NodeJournal,
  openMemory?: OpenMemory,
  network: Network = { resolve: createResolve(clock) },
): Ground {
  const meter = createMeter(metrics)
  const random = createRandom()
  const secrets = createSecrets(settings.variables, { clock, ...network })
  const listeners = createOwnListeners()
  const certificates = createCertificateNotices(meter, journal.log)
  const fetch = createFetch({ clock, ...network, secrets, certificates })
  const inForce = createStoreInForce(
    settings.redisUrl,
    { clock, meter, journal, secrets, patienceMs: settings.storePatienceMs, environment: settings.environment },
    openMemory === undefined ? undefined : () => openMemory({ clock, meter, journal }),
  )
  const channels = createChannels({ clock, ...network, secrets, certificates })
  meter.beforeReading(() => measureConnections(meter, channels))
  const ports: Ports = {
    clock,
    random,
    digest: (data) => hash('sha256', data, 'hex'),
    compression: createCompression(),
    channels,
    fetch,
    resolve: network.resolve,
    discover: createDiscover({ clock, ...network, secrets, random }, settings.dnsServers),
    counters: inForce.counters,
    secrets,
    store: settings.stateDir === undefined ? createMemoryStore(clock) : createFileStore(settings.stateDir, { clock, random }),
    shared: inForce.shared,
    lasting: createLasting(),
    cassettes: settings.cassettes === undefined ? undefined : createCassettes(settings.cassettes, random),
    ownAddresses: createOwnAddresses(clock),
    ownListeners: listeners.all,
    nat64: settings.nat64,
    zone: settings.zone,
    journal,
    meter,
  }
  return { ports, store: inForce, journal, meter, certificates, network, listeners, spans: spansOf(settings, ports, journal) }
}

const connections: MetricName = 'sallyport_upstream_connections'

function measureConnections(meter: Registry, channels: OpenChannels): void {
  meter.forget(connections)
  for (const [cluster, count] of channels.counts()) meter.gauge(connections, count, { cluster })
}

/** Every record of a sampled request goes to the collector as well. */
function spansOf(settings: Settings, ports: Pick<Ports, 'fetch' | 'clock' | 'meter'>, journal: NodeJournal): SpanExporter | undefined {
  if (settings.otlp === undefined) return undefined
  const spans = createSpanExporter({ ...otlpDefaults, ...settings.otlp, environment: settings.environment }, ports)
  journal.subscribe((record) => spans.take(record))
  return spans
}
