import type { IssuerDocument } from '../document/issuers.ts'
import type { Issuer, RevocationRules } from '../policy.ts'
import { type Entry, type Linking, nameOfPlace, placeIn, refuse } from './linking.ts'
import { needStore } from './store.ts'
import { ms } from './values.ts'

/** Checks and links the issuers. Quarantine is set later. */
export function linkIssuers(linking: Linking, entries: ReadonlyMap<string, Entry<IssuerDocument>>, store: { readonly said: boolean }): readonly Issuer[] {
  const urls = new Map<string, Entry<IssuerDocument>>()
  for (const entry of entries.values()) {
    const url = entry.value?.issuer
    if (url === undefined) continue
    const other = urls.get(url)
    if (other === undefined) urls.set(url, entry)
    else
      refuse(linking, entry, ['issuer'], {
        code: 'issuer_repeated',
        message: `"${other.name}" has the same issuer, at ${nameOfPlace(placeIn(other, ['issuer']))}: a token could not tell them apart.`,
        hint: 'Merge the two; audiences is a list.',
      })
  }
  for (const entry of entries.values()) if (entry.value?.revocation !== undefined) needStore(linking, entry, ['revocation'], store)
  return Array.from(entries.values(), linkIssuer)
}

function linkIssuer({ name, value = {} }: Entry<IssuerDocument>): Issuer {
  return {
    name,
    quarantined: undefined,
    issuer: value.issuer ?? '',
    jwks: value.jwks,
    audiences: value.audiences ?? [],
    algorithms: value.algorithms ?? [],
    tokenTypes: (value.tokenTypes ?? []).map((type) => type.toLowerCase().replace(/^application\//, '')),
    maxLifetimeMs: ms(value.maxLifetime ?? ''),
    clockSkewMs: ms(value.clockSkew ?? ''),
    staleKeysForMs: ms(value.staleKeysFor ?? ''),
    scopeClaims: value.scopeClaims ?? [],
    proof: { required: value.proof?.required ?? 'none', maxAgeMs: ms(value.proof?.maxAge ?? ''), nonceKey: value.proof?.nonceKey },
    ...(value.revocation === undefined ? {} : { revocation: revocationOf(value.revocation) }),
  }
}

function revocationOf({ refresh, staleFor, onStoreFailure }: NonNullable<IssuerDocument['revocation']>): RevocationRules {
  return { refreshMs: ms(refresh), staleForMs: ms(staleFor), onStoreFailure }
}
