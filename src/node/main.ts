import type { Live } from '../core/live.ts'
import type { Network } from './channels/dial.ts'
import { createClock } from './clock.ts'
import type { Gateway } from './gateway/gateway.ts'
import type { BoundListener } from './gateway/listener-set.ts'
import { logDiagnostics } from './gateway/reloader.ts'
import { acceptable, StartError, watchFrom } from './gateway/start.ts'
import type { GatewayView, LastLoad } from './gateway-view.ts'
import { createJournal, type NodeJournal } from './journal.ts'
import { openPolicySource, type PolicySourceOptions } from './policy-source.ts'
import type { Settings } from './settings.ts'

export { StartError } from './gateway/start.ts'

/** A gateway that serves. */
export interface Running {
  /** Every bound address, the admin listener's too; follows reloads. */
  readonly addresses: readonly BoundListener[]
  /** The admin listener, when the policies want one. */
  readonly admin: BoundListener | undefined
  readonly live: Live
  readonly journal: NodeJournal
  readonly view: GatewayView
  /** Looks at the policies folder now, and settles when what it says is in force or refused. */
  reload(): Promise<LastLoad>
  /**
   * Stops without losing a request: readiness says no and answers say `Connection: close`, then nothing new is accepted, then what is under
   * way ends. Called again it is the same end; `hurry` skips what it still waits for, and what is under way is cut.
   */
  close(options?: { readonly hurry?: boolean }): Promise<void>
  /** Counts and logs an error that nobody caught. */
  bug(kind: string, error: unknown): void
}

/** Another way to load or to watch the folder, and another network. Left out: in a process of its own, as soon as something changes; the system's. */
export interface StartOptions extends Pick<PolicySourceOptions, 'load' | 'watch'> {
  readonly network?: Network
}

/**
 * Starts the gateway of this process: reads the policies, binds the listeners, watches the folder. Errors in single objects
 * quarantine these objects, or end the start with `strict`; each is logged with its place. It neither ends the process nor listens to its signals.
 * @throws StartError when the policies cannot be served or an address cannot be bound; Error when the log or the state folder cannot be opened.
 */
export async function startSallyport(settings: Settings, { network, ...options }: StartOptions = {}): Promise<Running> {
  const clock = createClock()
  const journal = createJournal(settings.log, clock)
  const source = openPolicySource({ folder: settings.policies, environment: settings.environment, variables: settings.variables, ...options })
  // Before the first load: a change while it runs must not be missed.
  const changes = watchFrom(source)
  try {
    // Most of the program comes while another process reads the policies.
    const [loaded, { openGateway }] = await Promise.all([source.load(), import('./gateway/open-gateway.ts')])
    const { policy, diagnostics } = acceptable(loaded, settings)
    const gateway = await openGateway(settings, { clock, journal, network }, source, policy, diagnostics)
    changes.tell(() => void gateway.reload())
    return runningOf(gateway, journal)
  } catch (error) {
    source.close()
    journal.log('error', 'start_failed', { reason: error instanceof Error ? error.message : String(error) })
    if (error instanceof StartError) logDiagnostics(journal.log, error.diagnostics)
    await journal.close()
    throw error
  }
}

function runningOf(gateway: Gateway, journal: NodeJournal): Running {
  return {
    get addresses() {
      return gateway.listeners
    },
    get admin() {
      return gateway.listeners.find(({ name }) => name === 'admin')
    },
    live: gateway.live,
    journal,
    view: gateway,
    reload: () => gateway.reload(),
    close: (options) => gateway.close(options),
    bug: (kind, error) => gateway.bug(kind, error),
  }
}
