import type { NamedSection } from '../document.ts'
import { type Entry, type Linking, warn } from './linking.ts'

const nouns: Readonly<Partial<Record<NamedSection, string>>> = {
  issuers: 'issuer',
  apiKeys: 'set of API keys',
  certificates: 'mapping of certificates',
  tokens: 'token',
  exchanges: 'exchange',
  resources: 'resource',
  clusters: 'cluster',
  limits: 'limit',
  deciders: 'decision point',
  access: 'access policy',
  callers: 'caller',
}

/** What nothing refers to is either forgotten or meant by a name that was misspelled. */
export function warnUnused(linking: Linking, sections: Readonly<Partial<Record<NamedSection, ReadonlyMap<string, Entry<unknown>>>>>): void {
  for (const [section, entries] of Object.entries(sections)) {
    const noun = nouns[section as NamedSection] ?? section
    for (const entry of entries.values()) {
      if (linking.used.has(entry.id)) continue
      warn(linking, entry, [], { code: 'name_unused', message: `Nothing uses the ${noun} "${entry.name}".`, hint: 'Use it, or remove it.' })
    }
  }
}
