import type { AccessDocument } from '../document/access.ts'
import type { RouteDocument } from '../document/routes.ts'
import type { Path } from '../read/node.ts'
import type { Entries } from './entries.ts'
import { type Entry, type Linking, refuse } from './linking.ts'
import { after } from './values.ts'

type Use = readonly [path: Path, header: string]

/** A header that holds API keys is taken out of requests before anything looks at them: what asks for it would wait for ever. */
export function checkKeyHeaders(linking: Linking, entries: Entries): void {
  const sets = new Map(Array.from(entries.apiKeys.values(), ({ name, value }) => [value?.header, name]))
  if (sets.size === 0) return
  const check = <T>(entry: Entry<T>, uses: readonly Use[]): void => {
    for (const [path, header] of uses) {
      const set = sets.get(header)
      if (set === undefined) continue
      refuse(linking, entry, path, {
        code: 'header_holds_keys',
        message: `The header ${header} holds the keys of "${set}", and nothing else ever sees it.`,
        hint: 'Ask who it is: authenticate: { apiKey: … }, issuers, scopes, claims; in limits the key part apiKey.',
        which: 'key',
      })
    }
  }
  for (const entry of entries.routes.values()) check(entry, usesOfRoute(entry.value ?? {}))
  for (const entry of entries.access.values()) check(entry, usesOfAccess(entry.value ?? {}, []))
  for (const entry of entries.limits.values()) {
    check(
      entry,
      (entry.value?.key ?? []).map((part, i) => [['key', i], after(part, 'header.') ?? '']),
    )
  }
}

function usesOfRoute({ match, access, sticky, to }: Partial<RouteDocument>): readonly Use[] {
  const pins = Array.isArray(to) ? to.flatMap(({ pin }, i) => named(pin?.headers, ['to', i, 'pin', 'headers'])) : []
  const inline = typeof access === 'object' && !Array.isArray(access) ? usesOfAccess(access, ['access']) : []
  return [...named(match?.headers, ['match', 'headers']), ...inline, ...pins, [['sticky'], after(sticky ?? '', 'header.') ?? '']]
}

function usesOfAccess({ rules = [] }: Partial<AccessDocument>, at: Path): readonly Use[] {
  return rules.flatMap((rule, i) =>
    (['allow', 'deny', 'audit'] as const).flatMap((effect) => named(rule[effect]?.headers, [...at, 'rules', i, effect, 'headers'])),
  )
}

function named(tests: Readonly<Record<string, unknown>> | undefined, at: Path): readonly Use[] {
  return Object.keys(tests ?? {}).map((header) => [[...at, header], header])
}
