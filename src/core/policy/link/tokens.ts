import type { ExchangeDocument, ResourceDocument, TokenDocument } from '../document/tokens.ts'
import type { MintedToken, Resource, TokenExchange } from '../linked/tokens.ts'
import { type Entry, type Linking, nameOfPlace, placeIn, refuse } from './linking.ts'
import { ms } from './values.ts'

/** Claims that the gateway writes itself (RFC 7519 section 4.1, RFC 9068, RFC 9493), and the binding that is not its own (RFC 7800). */
const ownClaims: ReadonlySet<string> = new Set(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'client_id', 'scope', 'sub_id', 'cnf'])

/** Checks and links the tokens that the gateway makes. */
export function linkTokens(linking: Linking, entries: ReadonlyMap<string, Entry<TokenDocument>>): readonly MintedToken[] {
  return Array.from(entries.values(), (entry) => linkToken(linking, entry))
}

function linkToken(linking: Linking, entry: Entry<TokenDocument>): MintedToken {
  const { name, value = {} } = entry
  for (const claim of Object.keys(value.claims ?? {})) {
    if (!ownClaims.has(claim)) continue
    refuse(linking, entry, ['claims', claim], {
      code: 'claim_refused',
      message: `The claim ${claim} is written by the gateway.`,
      hint: claim === 'scope' ? 'Write scopes:.' : 'Give it another name.',
      which: 'key',
    })
  }
  return {
    name,
    issuer: value.issuer ?? '',
    keys: value.keys ?? [],
    algorithm: value.algorithm ?? '',
    lifetimeMs: ms(value.lifetime ?? ''),
    audience: value.audience,
    type: value.type ?? '',
    claims: Object.entries(value.claims ?? {}).map(([claim, from]) => ({ claim, from })),
    scopes: value.scopes ?? 'none',
    activateAfterMs: ms(value.activateAfter ?? ''),
    publish: value.publish ?? false,
  }
}

/** Links the exchanges. */
export function linkExchanges(entries: ReadonlyMap<string, Entry<ExchangeDocument>>): readonly TokenExchange[] {
  return Array.from(entries.values(), ({ name, value = {} }) => ({
    name,
    tokenUrl: value.tokenUrl ?? '',
    clientId: value.clientId ?? '',
    clientSecret: value.clientSecret ?? '',
    auth: value.auth ?? 'client_secret_basic',
    audience: value.audience,
    resource: value.resource,
    scope: value.scope ?? [],
  }))
}

/** Checks and links the published resources. */
export function linkResources(linking: Linking, entries: ReadonlyMap<string, Entry<ResourceDocument>>): readonly Resource[] {
  const taken = new Map<string, Entry<ResourceDocument>>()
  return Array.from(entries.values(), (entry) => {
    const { name, value = {} } = entry
    const place = (value.url ?? '').replace(/\/$/, '')
    const other = taken.get(place)
    if (other === undefined || place === '') taken.set(place, entry)
    else
      refuse(linking, entry, ['url'], {
        code: 'resource_repeated',
        message: `"${other.name}" has the same URL, at ${nameOfPlace(placeIn(other, ['url']))}: their metadata would stand in one place.`,
        hint: 'Merge the two.',
      })
    return { name, url: value.url ?? '', title: value.title, documentation: value.documentation }
  })
}
