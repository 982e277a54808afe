import { claimAt } from '../../model/claims.ts'
import type { Subject } from '../../model/principal.ts'
import type { Issuer } from '../../policy/linked/issuers.ts'
import type { MintedToken } from '../../policy/linked/tokens.ts'
import { tokenKinds } from './token-kinds.ts'

/** What a minted token says, short of its times and its id. */
export interface Payload {
  readonly sub: string
  readonly [claim: string]: unknown
}

/**
 * What a service learns about a subject. `sub` holds who vouched, so that the same subject of two issuers is two; `sub_id` says the same in
 * the issuer's own words (RFC 9493 section 3.2.2). Of all other claims only those go in that are listed.
 */
export function payloadFor(token: MintedToken, subject: Subject, issuers: Readonly<Record<string, Issuer>>): Payload {
  const issuer = tokenKinds.has(subject.by) ? issuers[subject.issuer]?.issuer : undefined
  const scope = scopesOf(token, subject)
  const claims = token.claims.flatMap(({ claim, from }) => {
    const value = claimAt(subject.claims, from)
    return value === undefined ? [] : [[claim, value] as const]
  })
  return {
    ...Object.fromEntries(claims),
    ...(scope === '' ? {} : { scope }),
    ...(subject.clientId === undefined ? {} : { client_id: subject.clientId }),
    ...(issuer === undefined ? {} : { sub_id: { format: 'iss_sub', iss: issuer, sub: subject.subject } }),
    sub: qualifiedSubject(subject),
  }
}

/** Names of the policies hold neither colon nor dot, so no two subjects share one. */
export function qualifiedSubject({ by, issuer, subject }: Pick<Subject, 'by' | 'issuer' | 'subject'>): string {
  return `${tokenKinds.has(by) ? issuer : `${by}.${issuer}`}:${subject}`
}

function scopesOf({ scopes }: MintedToken, subject: Subject): string {
  if (scopes === 'none') return ''
  const wanted = scopes === 'all' ? [...subject.scopes] : scopes.filter((scope) => subject.scopes.has(scope))
  return wanted.toSorted().join(' ')
}
