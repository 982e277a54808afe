import type { IssuerDocument } from '../document/issuers.ts'
import type { Introspection, Issuer, RevocationRules } from '../linked/issuers.ts'
import { type Entry, isWhole, type Linking, nameOfPlace, placeIn, refuse } from './linking.ts'
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
  for (const entry of entries.values()) {
    if (entry.value?.revocation !== undefined) needStore(linking, entry, ['revocation'], store)
    checkIntrospection(linking, entry)
  }
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
    introspection: introspectionOf(value.introspection),
    ...(value.revocation === undefined ? {} : { revocation: revocationOf(value.revocation) }),
  }
}

function revocationOf({ refresh, staleFor, onStoreFailure }: NonNullable<IssuerDocument['revocation']>): RevocationRules {
  return { refreshMs: ms(refresh), staleForMs: ms(staleFor), onStoreFailure }
}

type IntrospectionDocument = NonNullable<IssuerDocument['introspection']>

function introspectionOf(value: IntrospectionDocument | undefined): Introspection | undefined {
  if (value === undefined) return undefined
  const { url, clientId, clientSecret, key, cache, timeout, audience, clientAsSubject } = value
  return {
    url,
    clientId,
    auth: value.auth ?? (key === undefined ? 'client_secret_basic' : 'private_key_jwt'),
    credential: key ?? clientSecret ?? '',
    cacheMs: ms(cache),
    timeoutMs: ms(timeout),
    audience,
    clientAsSubject,
  }
}

function checkIntrospection(linking: Linking, entry: Entry<IssuerDocument>): void {
  const said = entry.value?.introspection
  if (said === undefined || !isWhole(entry, 'introspection')) return
  const at = (member: string) => ['introspection', member]
  if ((said.clientSecret === undefined) === (said.key === undefined))
    refuse(linking, entry, said.key === undefined ? ['introspection'] : at('key'), {
      code: 'client_credential',
      message: said.key === undefined ? 'The gateway has nothing to prove itself with.' : 'The client has a secret and a key.',
      hint: 'Give either clientSecret: env:… or key: file:/….',
      which: 'key',
    })
  else if (said.auth !== undefined && (said.auth === 'private_key_jwt') !== (said.key !== undefined))
    refuse(linking, entry, at('auth'), {
      code: 'client_credential',
      message: `auth: ${said.auth} needs ${said.auth === 'private_key_jwt' ? 'a key' : 'a secret'}.`,
      hint: 'Leave auth out, or give the other credential.',
    })
}
