import { claimAt } from '../../model/claims.ts'
import type { Subject } from '../../model/principal.ts'
import type { Caller, CallerClaim, CallerToken } from '../../policy/linked/callers.ts'
import { compileSpiffe } from '../../spiffe.ts'

/** What a request proved about who sends it. */
export interface Shown {
  readonly spiffe: string | undefined
  readonly subject: Subject | undefined
}

/** Whether the caller is known by where it comes in and nothing else. */
export function byListenerAlone(caller: Caller): boolean {
  return caller.spiffe === undefined && caller.token === undefined
}

/** `egress` stands for the shared port and every service's own. */
export function uses(caller: Caller, listener: string): boolean {
  return caller.listener === listener || (caller.listener === 'egress' && listener.startsWith('egress:'))
}

/**
 * Compiles whether a request is this caller's: it shows all that the caller is known by, and nothing else. A further credential would be one that
 * nobody judged, so it fits nobody.
 */
export function compileKnown({ spiffe, token }: Caller): (shown: Shown) => boolean {
  const fitsId = spiffe === undefined ? undefined : compileSpiffe(spiffe)
  const fitsToken = token === undefined ? undefined : compileToken(token)
  return (shown) =>
    (fitsId === undefined ? shown.spiffe === undefined : shown.spiffe !== undefined && fitsId(shown.spiffe)) &&
    (fitsToken === undefined ? shown.subject === undefined : shown.subject !== undefined && fitsToken(shown.subject))
}

function compileToken({ issuer, claims }: CallerToken): (subject: Subject) => boolean {
  // Without a claim it would be everybody whom the issuer knows: the format asks for one.
  if (claims.length === 0) return () => false
  return (subject) => subject.issuer === issuer && claims.every((claim) => fitsClaim(claim, claimAt(subject.claims, claim.path)))
}

/** As in access rules: the claim is one of the values, or a list that holds one. */
function fitsClaim(claim: CallerClaim, value: unknown): boolean {
  if (claim.kind === 'present') return value !== undefined
  const held: readonly unknown[] = Array.isArray(value) ? value : [value]
  return claim.values.some((wanted) => held.includes(wanted))
}

/** What the caller is known by beside its listener, in words; undefined for nothing. */
export function knownBy({ spiffe, token }: Caller): string | undefined {
  const parts = [
    spiffe === undefined ? [] : [spiffe.join(' or ')],
    token === undefined ? [] : [`a token of ${token.issuer} (${token.claims.map(claimWords).join(', ')})`],
  ].flat()
  return parts.length === 0 ? undefined : parts.join(' and ')
}

function claimWords(claim: CallerClaim): string {
  return claim.kind === 'present' ? claim.path : `${claim.path}: ${claim.values.join(' or ')}`
}
