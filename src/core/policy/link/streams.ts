import type { StreamSettings } from '../../model/egress-service.ts'
import type { EgressDocument } from '../document/egress.ts'
import { type Entry, isSaid, type Linking, refuse, warn } from './linking.ts'
import { ms } from './values.ts'

const calling = [['retry'], ['breaker'], ['quota'], ['idempotency'], ['cache'], ['mask']] as const

/** What each kind of service cannot use, and its name in a sentence. */
const meaningless = {
  http: { of: 'without kind: tcp or proxy', paths: [['protocol'], ['connections'], ['switch'], ['connect'], ['clientHelloTimeout']] },
  tcp: { of: 'for a TCP service', paths: [['host'], ['tls'], ['allow'], ['timeout', 'total'], ['connect'], ['clientHelloTimeout'], ...calling] },
  proxy: { of: 'for a service of the forward proxy', paths: [['listen'], ['host'], ['tls'], ['protocol'], ...calling] },
} as const

/** What one kind of service cannot use would be believed. */
export function checkKind(linking: Linking, entry: Entry<EgressDocument>, value: Partial<EgressDocument>): void {
  const { kind = 'http' } = value
  const isTcp = kind === 'tcp'
  for (const path of meaningless[kind].paths) {
    if (!isSaid(entry, path)) continue
    const message = `"${path.join('.')}" has no meaning ${meaningless[kind].of}.`
    refuse(linking, entry, path, { code: 'kind_differs', message, hint: 'Remove it.', which: 'key' })
  }
  if (kind === 'proxy' && value.connect === false) checkTunnels(linking, entry)
  if (kind !== 'http' && value.switch?.mode === 'pin')
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

function checkTunnels(linking: Linking, entry: Entry<EgressDocument>): void {
  for (const key of ['connections', 'switch', 'clientHelloTimeout']) {
    if (!isSaid(entry, [key])) continue
    warn(linking, entry, [key], { code: 'no_effect', message: `"${key}" is about tunnels, and there are none.`, hint: 'Write connect: true.', which: 'key' })
  }
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
