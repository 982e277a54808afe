import type { AccessDocument, MatcherDocument } from '../document/access.ts'
import type { ClaimTest, Matcher, TimeWindow } from '../linked/access.ts'
import type { Path } from '../read/node.ts'
import { parseTime } from '../units.ts'
import { type Entry, isWhole, type Linking, refer, refuse } from './linking.ts'
import { fieldTests } from './values.ts'
import { checkZone } from './zone.ts'

const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** Checks and links the matcher of one rule, which stands at `path` in its policy. */
export function linkMatcher(linking: Linking, entry: Entry<AccessDocument>, said: MatcherDocument, path: Path): Matcher {
  for (const [i, issuer] of (said.issuers ?? []).entries())
    refer(linking, entry, [...path, 'issuers', i], linking.names('apiKeys').has(issuer) ? 'apiKeys' : 'issuers', issuer)
  return {
    anonymous: said.anonymous ?? false,
    methods: said.methods,
    paths: said.paths,
    grpc: said.grpc,
    hosts: said.hosts,
    issuers: said.issuers,
    scopes: scopesOf(said.scopes),
    claims: claimsOf(linking, entry, said, path),
    roles: rolesOf(linking, entry, said, path),
    acr: acrOf(linking, entry, said, path),
    amr: scopesOf(said.amr),
    listeners: said.listener,
    clients: said.clients,
    cidrs: said.cidrs,
    headers: said.headers === undefined ? undefined : fieldTests(said.headers),
    tls: said.tls === undefined ? undefined : { spiffe: said.tls.spiffe, dns: said.tls.dns, uri: said.tls.uri },
    times: said.times?.map((_, i) => linkTime(linking, entry, said, i, [...path, 'times', i])),
  }
}

function scopesOf(said: MatcherDocument['scopes']): Matcher['scopes'] {
  if (said === undefined) return undefined
  return 'length' in said ? { all: said, any: [] } : { all: said.all ?? [], any: said.any ?? [] }
}

function claimsOf(linking: Linking, entry: Entry<AccessDocument>, said: MatcherDocument, path: Path): readonly ClaimTest[] | undefined {
  if (said.claims === undefined) return undefined
  return Object.entries(said.claims).map(([claim, test]): ClaimTest => {
    if (typeof test !== 'object') return { path: claim, kind: 'in', values: [test] }
    if (Array.isArray(test)) return { path: claim, kind: 'in', values: test }
    if (isWhole(entry, [...path, 'claims', claim].join('.')) && (test.equals === undefined) === (test.present === undefined))
      refuse(linking, entry, [...path, 'claims', claim], {
        code: 'claim_shape',
        message: 'A claim is tested by exactly one of equals and present.',
        hint: 'Write a value, a list of values, { equals: path.tenant } or { present: true }.',
        which: 'key',
      })
    return test.equals === undefined ? { path: claim, kind: 'present' } : { path: claim, kind: 'equals', attribute: test.equals }
  })
}

function rolesOf(linking: Linking, entry: Entry<AccessDocument>, { roles }: MatcherDocument, path: Path): Matcher['roles'] {
  if (roles === undefined) return undefined
  if ('length' in roles) return { claim: 'roles', all: [], any: roles }
  if (roles.all === undefined && roles.any === undefined && isWhole(entry, [...path, 'roles'].join('.')))
    refuse(linking, entry, [...path, 'roles'], {
      code: 'roles_empty',
      message: 'No role is named: this would fit everybody.',
      hint: 'Write all: [ … ] or any: [ … ].',
      which: 'key',
    })
  return { claim: roles.claim ?? 'roles', all: roles.all ?? [], any: roles.any ?? [] }
}

/** "At least" is a list as well: those from there on. */
function acrOf(linking: Linking, entry: Entry<AccessDocument>, { acr }: MatcherDocument, path: Path): Matcher['acr'] {
  if (acr === undefined || 'length' in acr) return acr
  const repeated = acr.order.findIndex((one, i) => acr.order.indexOf(one) !== i)
  if (repeated >= 0)
    refuse(linking, entry, [...path, 'acr', 'order', repeated], {
      code: 'acr_order',
      message: `"${acr.order[repeated]}" stands twice in the order.`,
      hint: 'Name each class once, the weakest first.',
    })
  const from = acr.order.indexOf(acr.atLeast)
  if (from < 0)
    refuse(linking, entry, [...path, 'acr', 'atLeast'], {
      code: 'acr_order',
      message: `"${acr.atLeast}" does not stand in the order.`,
      hint: `The order is ${acr.order.join(', ')}.`,
    })
  // Nothing is at least a class that is not there.
  return from < 0 ? [] : acr.order.slice(from)
}

function linkTime(linking: Linking, entry: Entry<AccessDocument>, said: MatcherDocument, i: number, path: Path): TimeWindow {
  const { days, from, to, zone } = said.times?.[i] ?? { days: [], from: '', to: '', zone: '' }
  if (from === to)
    refuse(linking, entry, [...path, 'to'], {
      code: 'time_empty',
      message: 'The window ends when it begins.',
      hint: 'For a whole day write from: "00:00", to: "24:00".',
    })
  if (from === '24:00') refuse(linking, entry, [...path, 'from'], { code: 'time_empty', message: 'A window cannot begin at 24:00.', hint: 'Write "00:00".' })
  checkZone(linking, entry, [...path, 'zone'], zone)
  const numbers = days === undefined ? [1, 2, 3, 4, 5, 6, 7] : Array.from(new Set(days.map((day) => weekdays.indexOf(day) + 1))).sort((a, b) => a - b)
  return { days: numbers, from: parseTime(from) ?? 0, to: parseTime(to) ?? 0, zone }
}
