import type { AccessPolicy } from '../linked/access.ts'
import { isPossible, leavesOf, together, waysOf } from '../requirement.ts'
import { type Linking, warn } from './linking.ts'
import type { LinkedRoute } from './routes.ts'

/** What a route asks of its callers and does with it, where only its policies together show that it leads to nothing. */
export function checkDemands(linking: Linking, access: readonly AccessPolicy[], routes: readonly LinkedRoute[]): void {
  const byName = new Map(access.map((policy) => [policy.name, policy]))
  for (const linked of routes) {
    const { route, inline } = linked
    if (route === undefined) continue
    const policies = inline === undefined ? route.access.flatMap((name) => byName.get(name) ?? []) : [inline]
    // One that is unknown might ask anything.
    if (policies.length < route.access.length) continue
    checkTogether(linking, linked, policies)
    checkExchanged(linking, linked, policies)
  }
}

/** Each policy can be met, and no request can meet them all. */
function checkTogether(linking: Linking, { entry }: LinkedRoute, policies: readonly AccessPolicy[]): void {
  const ways = policies.map(({ authenticate }) => waysOf(authenticate))
  if (ways.some((each) => !each.some(isPossible)) || together(ways).some(isPossible)) return
  warn(linking, entry, ['access'], {
    code: 'requirement_never',
    message: 'No request can bring what these policies ask together: it has one bearer token, one API key and one client certificate.',
    hint: 'Let them ask for the same credential, or for credentials of different kinds.',
    which: 'key',
  })
}

/** Only a token can be exchanged. */
function checkExchanged(linking: Linking, { entry, route }: LinkedRoute, policies: readonly AccessPolicy[]): void {
  if (route?.handOn.introduce?.by !== 'exchange') return
  const leaves = policies.flatMap(({ authenticate }) => leavesOf(authenticate))
  if (leaves.length === 0 || leaves.some(({ kind }) => kind === 'jwt' || kind === 'introspection')) return
  warn(linking, entry, ['handOn', 'exchange'], {
    code: 'no_effect',
    message: '"exchange" has no effect: no policy of the route asks for a token, and nothing else can be exchanged.',
    hint: 'Hand on a minted token, or ask for a token.',
    which: 'key',
  })
}
