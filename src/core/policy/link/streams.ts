import type { StreamSettings } from '../../model/route.ts'
import type { EgressDocument } from '../document/egress.ts'
import { type Entry, isSaid, type Linking, refuse, warn } from './linking.ts'
import { ms } from './values.ts'

const httpOnly = [['host'], ['allow'], ['retry'], ['breaker'], ['quota'], ['idempotency'], ['cache'], ['mask'], ['timeout', 'total']] as const
const tcpOnly = [['protocol'], ['connections'], ['switch']] as const

/** What one kind of service cannot use would be believed. */
export function checkKind(linking: Linking, entry: Entry<EgressDocument>, value: Partial<EgressDocument>): void {
  const isTcp = value.kind === 'tcp'
  for (const path of isTcp ? httpOnly : tcpOnly) {
    if (!isSaid(entry, path)) continue
    const message = `"${path.join('.')}" has no meaning ${isTcp ? 'for a TCP service' : 'without kind: tcp'}.`
    refuse(linking, entry, path, { code: 'kind_differs', message, hint: 'Remove it.', which: 'key' })
  }
  if (isTcp && value.switch?.mode === 'pin')
    warn(linking, entry, ['switch', 'mode'], {
      code: 'stream_pinned',
      message: 'Connections stay on the target they began with: pools of connections live for hours, so that a switch does not reach them.',
      hint: 'Write mode: drain.',
    })
  if (isTcp && !isSaid(entry, ['listen']))
    refuse(linking, entry, [], {
      code: 'way_missing',
      message: 'A TCP service is reached by its own port alone.',
      hint: 'Add listen: 127.0.0.1:15432.',
      which: 'key',
    })
}

/** Its numbers. A broken one is of no consequence: the service is quarantined. */
export function linkStream(value: Partial<EgressDocument>): StreamSettings {
  const { connections, protocol } = value
  return {
    protocol,
    maxConnections: connections?.max ?? 0,
    idleMs: ms(connections?.idle ?? ''),
    lifetimeMs: ms(connections?.lifetime ?? ''),
    drainMs: value.switch?.mode === 'pin' ? undefined : ms(value.switch?.drainTimeout ?? ''),
  }
}
