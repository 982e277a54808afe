import { buildEdge, type Edge } from '../core/edge.ts'
import type { Policy } from '../core/policy/policy.ts'
import type { Clock, Ports, Shared } from '../core/ports.ts'
import { type EdgeKey, readEdgeKey } from './edge-key.ts'
import { createChannels } from './ports/channels.ts'
import { createClock } from './ports/clock.ts'
import { compression } from './ports/compression.ts'
import { createBindingCounters } from './ports/counters.ts'
import { digest } from './ports/digest.ts'
import { workerFetch } from './ports/fetch.ts'
import { createJournal } from './ports/journal.ts'
import { createRandom } from './ports/random.ts'
import { createSecrets } from './ports/secrets.ts'
import { createStore } from './ports/store.ts'
import { keySecret, readSettings, SettingsError, type WorkerEnv, type WorkerSettings } from './settings.ts'

/** What an isolate keeps between requests. */
export interface Isolate {
  readonly edge: Edge
  readonly clock: Clock
  readonly jwks: EdgeKey['jwks']
}

/**
 * Builds the edge of this isolate, inside its first request: outside of one, the platform allows neither random numbers nor timers.
 * @throws SettingsError when the Worker may not serve.
 */
export async function openIsolate(env: WorkerEnv, policy: Policy): Promise<Isolate> {
  const settings = readSettings(env, policy)
  const ports = createPorts(env, settings, policy.environment)
  const key = await openKey(ports)
  const vouch = key.voucher(settings.issuer, `${settings.origin.scheme}://${settings.origin.authority}`)
  return { edge: buildEdge(policy, { origin: settings.origin, vouch }, ports), clock: ports.clock, jwks: key.jwks }
}

async function openKey({ secrets }: Ports): Promise<EdgeKey> {
  const text = await secrets.read(`env:${keySecret}`)
  try {
    return await readEdgeKey(text)
  } catch (error) {
    throw new SettingsError([`${keySecret}: ${error instanceof Error ? error.message : 'it cannot be read'}`])
  }
}

const nowhere = (): Promise<never> => Promise.reject(new Error('isolates share nothing'))
/** What has to be shared is refused: policies that need it are not for this ground. */
const nothingShared: Shared = { claim: nowhere, get: nowhere, set: nowhere, delete: nowhere }

function createPorts(env: WorkerEnv, settings: WorkerSettings, environment: string): Ports {
  const clock = createClock()
  const journal = createJournal()
  const kept = new Map<string, unknown>()
  return {
    clock,
    random: createRandom(),
    digest,
    compression,
    channels: createChannels(settings.origin, clock),
    fetch: workerFetch,
    resolve: () => Promise.reject(new Error('a Worker resolves no names')),
    // An edge has one fixed place to go; the sources of the policies' clusters are no part of its bundle.
    discover: () => {
      throw new Error('a Worker finds no endpoints')
    },
    counters: createBindingCounters(settings.limits, journal),
    secrets: createSecrets(env),
    store: createStore(environment),
    shared: nothingShared,
    lasting: (name, make) => {
      if (!kept.has(name)) kept.set(name, make())
      return kept.get(name) as ReturnType<typeof make> // each name has one owner, who made it
    },
    ownAddresses: () => [],
    ownListeners: () => [],
    journal,
    // Isolates are many and short: nobody could scrape them. What metrics are made of stands in the records.
    meter: { count: () => {}, observe: () => {}, gauge: () => {} },
  }
}
