import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Policy } from '../../core/policy/policy.ts'
import type { Clock } from '../../core/ports.ts'
import type { Network } from '../channels/dial.ts'
import { createGround } from '../ground.ts'
import type { NodeJournal } from '../journal.ts'
import type { PolicySource } from '../policy-source.ts'
import type { Settings } from '../settings.ts'
import { Gateway } from './gateway.ts'
import { step } from './start.ts'

/** What is there before the policies are. Without `network` names and sockets are the system's. */
interface GatewayParts {
  readonly clock: Clock
  readonly journal: NodeJournal
  readonly network: Network | undefined
}

/** Opens the gateway of this process over a first policy. @throws StartError */
export async function openGateway(
  settings: Settings,
  { clock, journal, network }: GatewayParts,
  source: PolicySource,
  policy: Policy,
  diagnostics: readonly Diagnostic[],
): Promise<Gateway> {
  const ground = createGround(settings, clock, journal, undefined, network)
  const store = await step(() => ground.store.prepare(policy), 'store_unavailable', 'Set what store.redis names.')
  store.commit()
  const snapshot = await step(() => ground.build(policy), 'snapshot_failed', 'This is a bug in Sallyport.')
  const gateway = new Gateway(settings, ground, source, snapshot, diagnostics)
  try {
    await step(() => gateway.open(), 'listener_unavailable', 'Choose an address that is free.')
    return gateway
  } catch (error) {
    // Closing ends the log, so the reason goes there first.
    ground.journal.log('error', 'start_failed', { reason: error instanceof Error ? error.message : String(error) })
    await gateway.close({ hurry: true })
    throw error
  }
}
