import type { AccessDocument } from '../document/access.ts'
import type { RouteDocument } from '../document/routes.ts'
import type { AccessPolicy } from '../linked/access.ts'
import { nodeAt } from '../read/node.ts'
import { linkAccess } from './access.ts'
import { type Entry, type Linking, placeIn, refer, refuse } from './linking.ts'

/** Links the names of access policies, or the policy that is written in the route itself. */
export function linkRouteAccess(
  linking: Linking,
  entry: Entry<RouteDocument>,
  value: Partial<RouteDocument>,
  policies: ReadonlyMap<string, Entry<AccessDocument>>,
): { readonly access: readonly string[]; readonly inline: AccessPolicy | undefined } {
  const { access } = value
  if (access === undefined) return { access: [], inline: undefined }
  if (typeof access === 'string' || Array.isArray(access)) {
    const names = typeof access === 'string' ? [access] : access
    for (const [i, name] of names.entries()) refer(linking, entry, typeof access === 'string' ? ['access'] : ['access', i], 'access', name)
    return { access: names, inline: undefined }
  }
  const node = nodeAt(entry.node, ['access'])
  if (policies.has(entry.name))
    refuse(linking, entry, ['access'], {
      code: 'name_repeated',
      message: `The policy written here takes the name of its route, and "access" has a "${entry.name}" already.`,
      hint: `Write access: ${entry.name} to use that one, or rename one of them.`,
      which: 'key',
    })
  const removed = entry.removed.filter((path) => path.startsWith('access.')).map((path) => path.slice('access.'.length))
  const inner: Entry<AccessDocument> = { ...entry, key: placeIn(entry, ['access'], 'key'), node: node ?? entry.node, value: access, removed }
  return { access: [entry.name], inline: linkAccess(linking, inner, entry.name) }
}
