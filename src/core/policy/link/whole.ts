import type { AccessDocument } from '../document/access.ts'
import type { AccessPolicy, Rule } from '../linked/access.ts'
import type { Listeners } from '../linked/listeners.ts'
import { nodeAt } from '../read/node.ts'
import { checkDemands } from './demands.ts'
import type { Entries } from './entries.ts'
import { checkIdle, type Policies } from './idle.ts'
import { checkKeyHeaders } from './key-headers.ts'
import { type Entry, type Linking, warn } from './linking.ts'
import { canReach, checkReach, type UsedPolicy } from './reach.ts'
import type { LinkedRoute } from './routes.ts'
import { waysInto } from './takes.ts'
import { checkTies, type Matched } from './ties.ts'
import { warnUnused } from './unused.ts'

interface NamedPolicy {
  readonly entry: Entry<AccessDocument>
  readonly policy: AccessPolicy
}

/** What only the whole set of objects shows: ties, rules out of reach, closed routes, names that nothing uses. */
export function checkWhole(linking: Linking, entries: Entries, access: readonly NamedPolicy[], routes: readonly LinkedRoute[], listeners: Listeners): void {
  const matched = routes.flatMap(({ entry, route }): readonly Matched[] => (route === undefined ? [] : [{ entry, route }]))
  checkTies(linking, matched)
  checkIdle(linking, checkReach(linking, usedPolicies(access, routes)), soundPolicies(access, routes))
  checkClosed(linking, access, routes)
  checkDemands(
    linking,
    access.map(({ policy }) => policy),
    routes,
  )
  checkListeners(linking, entries, listeners)
  checkKeyHeaders(linking, entries)
  checkCertificates(linking, entries, listeners)
  noteUnsure(linking, entries)
  const sections = (
    ['issuers', 'apiKeys', 'certificates', 'tokens', 'exchanges', 'resources', 'clusters', 'limits', 'deciders', 'access', 'callers'] as const
  ).filter((section) => !linking.unsure.has(section))
  warnUnused(linking, Object.fromEntries(sections.map((section) => [section, entries[section]])))
}

/** Each policy with its routes; those that a route whose match is unknown uses are left out. */
function usedPolicies(access: readonly NamedPolicy[], routes: readonly LinkedRoute[]): readonly UsedPolicy[] {
  const users = new Map<string, LinkedRoute[]>()
  for (const linked of routes) {
    const said = linked.entry.value?.access
    for (const name of typeof said === 'string' ? [said] : Array.isArray(said) ? said : []) {
      const known = users.get(name)
      if (known === undefined) users.set(name, [linked])
      else known.push(linked)
    }
  }
  const named = access.flatMap(({ entry, policy }) => used(entry, policy, users.get(entry.name) ?? []))
  const inline = routes.flatMap((linked) => {
    const node = nodeAt(linked.entry.node, ['access'])
    const value = linked.entry.value?.access
    if (linked.inline === undefined || node === undefined || typeof value !== 'object' || Array.isArray(value)) return []
    return used({ ...linked.entry, node, value }, linked.inline, [linked])
  })
  return [...named, ...inline]
}

/** Those that were read in full. */
function soundPolicies(access: readonly NamedPolicy[], routes: readonly LinkedRoute[]): Policies {
  const named = access.flatMap(({ entry, policy }) => (entry.removed.length === 0 ? [[entry.name, policy] as const] : []))
  const inline = routes.flatMap(({ entry, inline: own }) => (own === undefined || entry.removed.length > 0 ? [] : [[entry.name, own] as const]))
  return new Map([...named, ...inline])
}

function used(entry: Entry<AccessDocument>, policy: AccessPolicy, linked: readonly LinkedRoute[]): readonly UsedPolicy[] {
  const routes = linked.flatMap(({ entry: at, route }) => (route === undefined ? [] : [{ entry: at, route }]))
  return routes.length === linked.length ? [{ entry, policy, routes }] : []
}

/** Nobody may pass a route none of whose policies allows anything. */
function checkClosed(linking: Linking, access: readonly NamedPolicy[], routes: readonly LinkedRoute[]): void {
  const byName = new Map(access.map(({ entry, policy }) => [entry.name, { entry, policy }]))
  for (const { entry, route, inline } of routes) {
    if (route === undefined) continue
    const policies = inline === undefined ? route.access.map((name) => byName.get(name)) : [{ entry, policy: inline }]
    // A policy that is unknown or was read in part might allow something.
    if (policies.length === 0 || policies.some((each) => each === undefined || each.entry.removed.length > 0)) continue
    const reached = { entry, route, ways: waysInto(route) }
    const mayAllow = (rule: Rule) => rule.effect === 'allow' && rule.mode === 'enforce' && (reached.ways.length === 0 || canReach(rule, reached))
    if (policies.some((each) => each?.policy.rules.some(mayAllow) === true)) continue
    warn(linking, entry, ['access'], {
      code: 'route_closed',
      message: `No rule lets anybody pass the route "${entry.name}".`,
      hint: 'Add an allow rule; write anonymous: true in it for a public route.',
      which: 'key',
    })
  }
}

function checkListeners(linking: Linking, entries: Entries, listeners: Listeners): void {
  const [route] = entries.routes.values()
  if (route !== undefined && listeners.public === undefined && !entries.listeners.has('public'))
    warn(linking, route, [], {
      code: 'listener_missing',
      message: 'There are routes, and no public listener that they could be reached by.',
      hint: 'Add listeners: { public: { address: host:port } }.',
    })
  const hosted = Array.from(entries.egress.values()).find(({ value }) => value?.host !== undefined)
  if (hosted !== undefined && !entries.listeners.has('egress'))
    warn(linking, hosted, ['host'], {
      code: 'listener_missing',
      message: 'The host name stands for the service on the shared egress listener, and there is none.',
      hint: 'Add listeners: { egress: { address: 127.0.0.1:9100 } }, or use listen.',
    })
}

/** A mapping that no connection can ever bring a certificate for. */
function checkCertificates(linking: Linking, entries: Entries, listeners: Listeners): void {
  if (listeners.public === undefined || (listeners.public.tls?.clientAuth ?? 'none') !== 'none') return
  for (const entry of entries.certificates.values()) {
    if (!linking.used.has(entry.id)) continue
    warn(linking, entry, [], {
      code: 'client_auth_missing',
      message: `No downstream is asked for a certificate, so nobody can be known by "${entry.name}".`,
      hint: 'Add listeners.public.tls with clientAuth: optional or required, and clientCa.',
    })
  }
}

const refersTo = {
  routes: ['clusters', 'limits', 'access', 'issuers', 'apiKeys', 'certificates', 'tokens', 'exchanges', 'resources', 'deciders'],
  access: ['issuers', 'apiKeys', 'certificates', 'deciders'],
  deciders: ['clusters'],
  egress: ['callers'],
} as const

/** Objects that were read in part may have named anything. */
function noteUnsure(linking: Linking, entries: Entries): void {
  for (const [section, targets] of Object.entries(refersTo)) {
    const list: readonly Entry<unknown>[] = Array.from<Entry<unknown>>(entries[section as keyof typeof refersTo].values())
    if (linking.incomplete || list.some(({ removed, value }) => removed.length > 0 || value === undefined))
      for (const target of targets) linking.unsure.add(target)
  }
}
