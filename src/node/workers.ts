import { createClock } from './clock.ts'
import { createMemoryCounters } from './counters.ts'
import { logDiagnostics } from './gateway/reloader.ts'
import { acceptable, StartError, watchFrom } from './gateway/start.ts'
import { createGround } from './ground.ts'
import { createJournal } from './journal.ts'
import { countArrivals } from './listeners.ts'
import { openPolicySource } from './policy-source.ts'
import type { Settings } from './settings.ts'
import { createMemoryShared } from './shared.ts'
import { Fleet } from './workers/fleet.ts'
import { openFork } from './workers/fork.ts'
import { Host } from './workers/host.ts'

/**
 * Starts the gateway as several processes: `settings.workers` that serve, and this one, which keeps them running, counts for them where the
 * policies name no store, and answers the admin listener for all.
 * @throws StartError when the policies cannot be served or an address cannot be bound; Error when the log or the state folder cannot be opened.
 */
export async function startWorkers(settings: Settings): Promise<Fleet> {
  const clock = createClock()
  const journal = createJournal(settings.log, clock)
  const { policies: folder, environment, variables } = settings
  const source = openPolicySource({ folder, environment, variables })
  // Before the first load: a change while it runs must not be missed.
  const changes = watchFrom(source)
  try {
    const { policy: first, diagnostics } = acceptable(await source.load(), settings)
    const ground = createGround(settings, clock, journal)
    const host = new Host({ counters: createMemoryCounters(clock), shared: createMemoryShared(clock), arrivals: countArrivals })
    const fork = openFork({ lines: (lines) => journal.pass(lines), serve: (wire) => host.serve(wire) })
    const fleet = new Fleet({ settings, ground, source, fork, first, diagnostics })
    try {
      await fleet.open()
    } catch (error) {
      journal.log('error', 'start_failed', { reason: error instanceof Error ? error.message : String(error) })
      if (error instanceof StartError) logDiagnostics(journal.log, error.diagnostics)
      await fleet.close({ hurry: true })
      throw error
    }
    changes.tell(() => void fleet.reload())
    return fleet
  } catch (error) {
    source.close()
    journal.log('error', 'start_failed', { reason: error instanceof Error ? error.message : String(error) })
    if (error instanceof StartError) logDiagnostics(journal.log, error.diagnostics)
    await journal.close()
    throw error
  }
}
