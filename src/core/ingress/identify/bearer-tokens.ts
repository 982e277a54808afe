import type { Matched } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'
import type { Issuer, Policy, RequirementLeaf } from '../../policy/policy.ts'
import { credentialMalformed, credentialMissing, realm } from './answers.ts'
import { type Offered, readBearer, unreadBearer } from './bearer.ts'
import type { Check, Credential } from './credential.ts'
import { type IdentifyPorts, keySetsOf } from './ports.ts'
import { dpopChallenge } from './proof/dpop.ts'
import { proveHolder } from './proof.ts'
import type { Proved } from './requirement.ts'
import { recallToken, type Verifier, verifyToken } from './verify.ts'

/** Access tokens in the Authorization header (RFC 6750, RFC 9449) that are JWTs of the issuers of the policies. */
export function buildBearerTokens(policy: Policy, ports: IdentifyPorts): Credential {
  const sets = keySetsOf(ports)
  const issuers = Object.values(policy.issuers).filter((issuer) => issuer.quarantined === undefined)
  const verifiers = new Map(issuers.map((issuer) => [issuer.name, { issuer, share: sets.acquire(issuer) }]))

  return {
    kinds: ['jwt'],
    prepare: (leaves) => prepare(leaves, verifiers, ports),
    close() {
      for (const { share } of verifiers.values()) share.release()
    },
  }
}

function prepare(leaves: readonly RequirementLeaf[], all: ReadonlyMap<string, Verifier>, ports: IdentifyPorts): Check {
  const named = [...new Set(leaves.map(({ name }) => name))]
  const verifiers = named.flatMap((name) => all.get(name) ?? [])
  const challenges = challengesOf(verifiers.map(({ issuer }) => issuer))

  function held(x: Matched, offered: Token, subject: Subject): Proved | Promise<Proved> {
    const issuer = all.get(subject.issuer)?.issuer
    if (issuer === undefined) throw new Error(`no issuer ${subject.issuer}`)
    const proved: Proved = { leaf: { kind: 'jwt', name: subject.issuer }, subject }
    const holder = proveHolder(x, offered, subject, issuer, ports)
    return holder === undefined ? proved : holder.then(() => proved)
  }

  return {
    broken: verifiers.length === 0 ? `no usable issuer among ${named.join(', ')}` : undefined,
    challenges,
    prove(x) {
      const unread = unreadBearer(x.request.headers)
      const known = unread === undefined ? undefined : recallToken(unread, verifiers, ports)
      if (unread !== undefined && known !== undefined) return held(x, { kind: 'token', scheme: 'bearer', token: unread }, known)
      const offered = tokenOf(x, challenges)
      if (offered === undefined) return undefined
      const subject = verifyToken(offered.token, verifiers, ports)
      return subject instanceof Promise ? subject.then((value) => held(x, offered, value)) : held(x, offered, subject)
    },
  }
}

type Token = Extract<Offered, { kind: 'token' }>

function tokenOf(x: Matched, challenges: readonly string[]): Token | undefined {
  const offered = readBearer(x.request.headers)
  if (offered.kind === 'token') return offered
  if (offered.kind === 'malformed') throw credentialMalformed(offered.why)
  if (offered.kind === 'foreign') throw credentialMissing(challenges, 'an authorization scheme other than Bearer and DPoP')
  return undefined
}

/** RFC 9449 section 7.1: DPoP alone where bearer tokens cannot do, both where they can. */
function challengesOf(issuers: readonly Issuer[]): readonly string[] {
  const required = issuers.map(({ proof }) => proof.required)
  const bearer = required.every((one) => one === 'dpop') ? [] : [realm]
  return required.some((one) => one === 'dpop' || one === 'any') ? [...bearer, dpopChallenge] : bearer
}
