import type { ApiKeysDocument } from '../document/api-keys.ts'
import type { ApiKeySet } from '../linked/api-keys.ts'
import type { Entries } from './entries.ts'
import { type Entry, type Linking, nameOfPlace, placeIn, refuse } from './linking.ts'
import { needStore } from './store.ts'
import { after, ms } from './values.ts'

/** Checks and links the sets of API keys. Quarantine is set later. */
export function linkApiKeys(linking: Linking, entries: Entries, store: { readonly said: boolean }): readonly ApiKeySet[] {
  const files = new Map<string, Entry<ApiKeysDocument>>()
  for (const entry of entries.apiKeys.values()) {
    const issuer = entries.issuers.get(entry.name)
    if (issuer !== undefined)
      refuse(linking, entry, [], {
        code: 'name_taken',
        message: `"${entry.name}" is an issuer, too (${nameOfPlace(placeIn(issuer, []))}): rules could not tell their principals apart.`,
        hint: 'Give one of them another name.',
      })
    const said = entry.value?.store
    if (said === 'redis') needStore(linking, entry, ['store'], store)
    else if (said !== undefined) {
      const other = files.get(said)
      if (other === undefined) files.set(said, entry)
      else
        refuse(linking, entry, ['store'], {
          code: 'store_shared',
          message: `"${other.name}" keeps its keys in the same file: every key would be in both.`,
          hint: 'Give each set a file of its own.',
        })
    }
  }
  return Array.from(entries.apiKeys.values(), linkSet)
}

function linkSet({ name, value = {} }: Entry<ApiKeysDocument>): ApiKeySet {
  const file = after(value.store ?? '', 'file:')
  return {
    name,
    quarantined: undefined,
    store: file === undefined ? { kind: 'redis' } : { kind: 'file', reference: `file:${file}` },
    header: value.header ?? '',
    scopes: value.scopes,
    refreshMs: ms(value.refresh ?? ''),
    staleForMs: ms(value.staleFor ?? ''),
  }
}
