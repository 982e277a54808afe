import { compactVerify, errors } from 'jose'
import { Fault } from '../../model/fault.ts'
import type { Subject } from '../../model/principal.ts'
import type { Issuer } from '../../policy/linked/issuers.ts'
import type { Ports } from '../../ports.ts'
import { idpUnavailable, tokenInvalid } from './answers.ts'
import { endOf, judgeClaims, principalFrom } from './claims.ts'
import { type OpenedToken, openToken } from './gate.ts'
import type { KeyLookup } from './key-set.ts'
import type { IssuerShare } from './key-sets.ts'

/** An issuer of the policies, ready to verify. */
export interface Verifier {
  readonly issuer: Issuer
  readonly share: IssuerShare
}

type Keys = Extract<KeyLookup, { kind: 'found' }>['keys']

/**
 * The principal of a token, which has this digest, that one of these verifiers vouches for.
 * @throws Fault `token_invalid`, or `idp_unavailable` when there are no keys to tell by.
 */
export function verifyToken(
  token: string,
  digest: string | Promise<string>,
  verifiers: readonly Verifier[],
  ports: Pick<Ports, 'clock'>,
): Subject | Promise<Subject> {
  return typeof digest === 'string' ? fromMemory(token, digest, verifiers, ports) : digest.then((value) => fromMemory(token, value, verifiers, ports))
}

/** The principal of a token that was verified lately, by its digest; undefined where it was not. */
export function recallToken(digest: string, verifiers: readonly Verifier[]): Subject | undefined {
  for (const { share } of verifiers) {
    const principal = share.recall(digest)
    if (principal !== undefined) return principal
  }
  return undefined
}

function fromMemory(token: string, digest: string, verifiers: readonly Verifier[], ports: Pick<Ports, 'clock'>): Subject | Promise<Subject> {
  return recallToken(digest, verifiers) ?? fresh(token, digest, verifiers, ports)
}

async function fresh(token: string, digest: string, verifiers: readonly Verifier[], ports: Pick<Ports, 'clock'>): Promise<Subject> {
  const opened = openToken(token)
  // The unverified issuer only picks whose rules and keys the token must then satisfy.
  const named = verifiers.filter(({ issuer }) => issuer.issuer === opened.issuer)
  let refusal = tokenInvalid('an issuer that is not accepted here')
  for (const verifier of named) {
    try {
      return await verifyWith(verifier, token, opened, digest, ports)
    } catch (error) {
      const fault = Fault.from(error)
      // "Cannot tell" outweighs "no": with keys the answer might have been yes.
      if (refusal.code !== 'idp_unavailable') refusal = fault
    }
  }
  throw refusal
}

async function verifyWith({ issuer, share }: Verifier, token: string, opened: OpenedToken, digest: string, ports: Pick<Ports, 'clock'>): Promise<Subject> {
  const before = share.refusal(digest)
  if (before !== undefined) throw tokenInvalid(before)
  judgeClaims(issuer, opened, ports.clock.now())
  const principal = principalFrom(issuer, opened.claims)
  const found = await share.lookup(opened.kid)
  if (found.kind === 'unavailable') throw idpUnavailable(found.retryAfterMs, found.reason)
  if (found.kind === 'unknown') throw tokenInvalid('a key id that its issuer does not have')
  const problem = await signatureProblem(token, opened.alg, found.keys)
  if (problem !== undefined) {
    share.refuse(digest, problem)
    throw tokenInvalid(problem)
  }
  share.remember(digest, principal, endOf(issuer, opened.claims), found.mark)
  return principal
}

const candidateLimit = 8

/** Why no key of the set made this signature, or undefined when one did (RFC 7515 section 5.2). */
async function signatureProblem(token: string, alg: string, keys: Keys): Promise<string | undefined> {
  try {
    await compactVerify(token, keys, { algorithms: [alg] })
    return undefined
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return tryEach(token, alg, error)
    return error instanceof Error ? error.message : 'the signature could not be checked'
  }
}

/** A token without a key id, or a key id used twice: each key that fits may have made it. */
async function tryEach(token: string, alg: string, several: errors.JWKSMultipleMatchingKeys): Promise<string | undefined> {
  let tries = 0
  for await (const key of several) {
    if (++tries > candidateLimit) break
    try {
      await compactVerify(token, key, { algorithms: [alg] })
      return undefined
    } catch {
      // The next key may be the one.
    }
  }
  return 'none of the keys that fit made the signature'
}
