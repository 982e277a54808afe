import type { Credential } from '../../model/credential.ts'
import type { LiveTarget } from '../../model/egress-target.ts'
import type { EgressDocument } from '../document/egress.ts'
import type { TargetDocument } from '../document/targets.ts'
import type { EnvironmentClass } from '../policy.ts'
import type { Path } from '../read/node.ts'
import { type Entry, type Linking, refuse, warn } from './linking.ts'

/** Checks who may fetch the credential of a target, and that it is one that ends by itself. */
export function linkVend(
  linking: Linking,
  entry: Entry<EgressDocument>,
  { vend }: TargetDocument,
  credential: Credential | undefined,
  { path, kind }: { readonly path: Path; readonly kind: EnvironmentClass | undefined },
): LiveTarget['vend'] {
  if (vend === undefined) return undefined
  const at = [...path, 'vend']
  const isShortLived = credential?.kind === 'oauth2' ? credential.subject === 'client' : credential?.kind === 'sigv4' && credential.sessionToken !== undefined
  if (!isShortLived)
    refuse(linking, entry, at, {
      code: 'vend_static',
      message: 'Only a credential that ends by itself is handed out: a token of oauth2, or AWS keys with a sessionToken.',
      hint: 'Remove vend:, so that the gateway adds the credential and nobody has it.',
      which: 'key',
    })
  for (const [i, caller] of vend.callers.entries()) {
    if (entry.value?.callers?.includes(caller) !== false) continue
    refuse(linking, entry, [...at, 'callers', i], {
      code: 'vend_caller',
      message: `${caller} may not call ${entry.name}, and so not fetch its credential.`,
      hint: 'Add it to the callers of the service, or remove it here.',
    })
  }
  if (kind === 'prod' && !vend.prod)
    refuse(linking, entry, at, {
      code: 'vend_in_prod',
      message: 'A production credential would be handed out.',
      hint: 'Write prod: true if that is meant.',
      which: 'key',
    })
  if (kind === 'nonprod' && vend.prod)
    warn(linking, entry, [...at, 'prod'], { code: 'no_effect', message: '"prod" has no effect in a nonprod environment.', hint: 'Remove it.', which: 'key' })
  return { callers: vend.callers }
}
