import type { EgressTarget } from '../../model/egress-target.ts'
import { parseAuthority } from '../../net.ts'
import type { EgressDocument } from '../document/egress.ts'
import { parseHttpUrl } from '../document/fields.ts'
import type { TargetDocument } from '../document/targets.ts'
import { type Entry, isSaid, isWhole, type Linking, refuse } from './linking.ts'
import { checkAddresses, checkGuarding, type TargetPlace } from './targets.ts'

const streamMembers: ReadonlySet<string> = new Set(['mode', 'target', 'tls', 'ca', 'allowAddresses', 'guardHosts', 'sharesAddressWithProd', 'reason'])

/** What only other kinds of services have, on an HTTP one: hosts and ports, a word as `tls`, and a target without a scheme. */
export function checkHttp(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, { path }: TargetPlace): void {
  for (const key of ['hosts', 'ports'])
    if (isSaid(entry, [...path, key]))
      refuse(linking, entry, [...path, key], {
        code: 'kind_differs',
        message: `"${key}" has no meaning without kind: proxy.`,
        hint: 'Write target, or kind: proxy at the service.',
        which: 'key',
      })
  if (typeof said.tls === 'string')
    refuse(linking, entry, [...path, 'tls'], {
      code: 'kind_differs',
      message: `tls: ${said.tls} is for TCP services: an https target is always verified.`,
      hint: 'Remove it; ca: names other authorities.',
      which: 'key',
    })
  if (said.target === undefined || !('problem' in parseHttpUrl(said.target))) return
  refuse(linking, entry, [...path, 'target'], {
    code: 'target_not_url',
    message: `"${said.target}" is not an http or https URL.`,
    hint: 'Write https://, or kind: tcp at the service.',
  })
}

/** Checks and links one target of a TCP service. Undefined when it cannot be read. */
export function linkStreamTarget(linking: Linking, entry: Entry<EgressDocument>, said: TargetDocument, place: TargetPlace): EgressTarget | undefined {
  const { path, environment } = place
  for (const key of Object.keys(said)) {
    if (streamMembers.has(key) || !isSaid(entry, [...path, key])) continue
    refuse(linking, entry, [...path, key], { code: 'kind_differs', message: `"${key}" has no meaning for a TCP service.`, hint: 'Remove it.', which: 'key' })
  }
  checkGuarding(linking, entry, said, place)
  if (said.mode === 'deny') return { mode: 'deny', environment, reason: said.reason }
  if (said.mode !== undefined && said.mode !== 'live')
    refuse(linking, entry, [...path, 'mode'], {
      code: 'kind_differs',
      message: `A TCP service has no mode: ${said.mode}.`,
      hint: 'Write a target, or mode: deny.',
    })
  const address = said.target === undefined ? undefined : parseAuthority(said.target)
  if (address === undefined || 'problem' in address || address.port === undefined) {
    if (isWhole(entry, path.join('.')))
      refuse(linking, entry, path, {
        code: 'target_not_address',
        message: 'A TCP service lives at host:port.',
        hint: 'Write target: ledger.corp.example:5432, or mode: deny.',
        which: 'key',
      })
    return undefined
  }
  checkTls(linking, entry, said, place)
  checkAddresses(linking, entry, said, place)
  return {
    mode: 'tcp',
    environment,
    host: address.host,
    port: address.port,
    tls: said.tls === 'verify-full',
    ca: said.ca,
    allowAddresses: said.allowAddresses,
    sharesAddressWithProd: said.sharesAddressWithProd,
    credential: undefined,
  }
}

function checkTls(linking: Linking, entry: Entry<EgressDocument>, { tls, ca }: TargetDocument, { path, kind }: TargetPlace): void {
  if (typeof tls === 'object')
    refuse(linking, entry, [...path, 'tls'], {
      code: 'kind_differs',
      message: 'A TCP service shows no client certificate of the gateway: the workload speaks for itself.',
      hint: 'Write tls: verify-full or tls: none.',
      which: 'key',
    })
  if (kind === 'prod' && tls === undefined)
    refuse(linking, entry, path, {
      code: 'tls_unsaid',
      message: 'A production target says whether it is spoken to over TLS.',
      hint: 'Write tls: verify-full, or tls: none where the network or the client itself encrypts.',
      which: 'key',
    })
  if (ca !== undefined && tls !== 'verify-full')
    refuse(linking, entry, [...path, 'ca'], { code: 'no_effect', message: '"ca" has no effect without tls: verify-full.', hint: 'Add it.', which: 'key' })
}
