import { tokenChallenges } from '../../model/challenge.ts'
import type { Matched } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'
import type { RequirementLeaf } from '../../policy/linked/access.ts'
import type { Policy } from '../../policy/policy.ts'
import { signingIssuers } from '../../policy/requirement.ts'
import { credentialMalformed, credentialMissing } from './answers.ts'
import { type Offered, readBearer, unreadBearer } from './bearer.ts'
import type { Check, Credential } from './credential.ts'
import { awaitingJwt } from './gate.ts'
import { askIssuers, type Introspected } from './introspection/ask-issuers.ts'
import { introspectionsOf } from './introspection/introspections.ts'
import { type IdentifyPorts, keySetsOf } from './ports.ts'
import { proveHolder } from './proof.ts'
import type { Proved } from './requirement.ts'
import { buildDigestOf, type DigestOf } from './token-digests.ts'
import { recallToken, type Verifier, verifyToken } from './verify.ts'

/** Who can tell about bearer tokens: issuers by name, with what they need for each way of telling. */
interface Judges {
  readonly jwt: ReadonlyMap<string, Verifier>
  readonly introspection: ReadonlyMap<string, Introspected>
}

/**
 * Access tokens in the Authorization header (RFC 6750, RFC 9449): JWTs of the issuers of the policies, and opaque ones that these are asked
 * about (RFC 7662).
 */
export function buildBearerTokens(policy: Policy, ports: IdentifyPorts): Credential {
  const sets = keySetsOf(ports)
  const digestOf = buildDigestOf(ports)
  const introspections = introspectionsOf(ports)
  const issuers = Object.values(policy.issuers).filter((issuer) => issuer.quarantined === undefined)
  const judges: Judges = {
    jwt: new Map(signingIssuers(policy).map((issuer) => [issuer.name, { issuer, share: sets.acquire(issuer) }])),
    introspection: new Map(
      issuers.flatMap((issuer) => {
        const share = introspections.acquire(issuer)
        return share === undefined ? [] : [[issuer.name, { issuer, share }]]
      }),
    ),
  }
  return {
    kinds: ['jwt', 'introspection'],
    prepare: (asked) => prepare(asked, judges, digestOf, ports),
    close() {
      for (const { share } of [...judges.jwt.values(), ...judges.introspection.values()]) share.release()
    },
  }
}

function prepare(leaves: readonly RequirementLeaf[], all: Judges, digestOf: DigestOf, ports: IdentifyPorts): Check {
  const named = (kind: keyof Judges) => [...new Set(leaves.filter((leaf) => leaf.kind === kind).map(({ name }) => name))]
  const verifiers = named('jwt').flatMap((name) => all.jwt.get(name) ?? [])
  const introspected = named('introspection').flatMap((name) => all.introspection.get(name) ?? [])
  const challenges = tokenChallenges([...verifiers, ...introspected].map(({ issuer }) => issuer.proof.required))

  function held(x: Matched, offered: Token, subject: Subject): Proved | Promise<Proved> {
    const judge = [...verifiers, ...introspected].find(({ issuer }) => issuer.name === subject.issuer)
    if (judge === undefined) throw new Error(`no issuer ${subject.issuer}`)
    const proved: Proved = { leaf: { kind: subject.by, name: subject.issuer }, subject }
    const holder = proveHolder(x, offered, subject, judge.issuer, ports)
    return holder === undefined ? proved : holder.then(() => proved)
  }

  /** A JWT of an issuer whose JWTs are taken here is verified; every other token is asked about, where somebody can be asked. */
  function subjectOf(token: string, connection: object | undefined): Subject | Promise<Subject> {
    const verify = introspected.length === 0 || (verifiers.length > 0 && awaitingJwt(token, (iss) => verifiers.some(({ issuer }) => issuer.issuer === iss)))
    return verify ? verifyToken(token, digestOf(token, connection), verifiers, ports) : askIssuers(token, introspected, ports)
  }

  function recall(token: string, connection: object | undefined): Subject | undefined {
    if (verifiers.length === 0) return undefined
    const digest = digestOf(token, connection)
    return typeof digest === 'string' ? recallToken(digest, verifiers) : undefined
  }

  return {
    broken: verifiers.length + introspected.length === 0 ? `no usable issuer among ${leaves.map(({ name }) => name).join(', ')}` : undefined,
    challenges,
    prove(x) {
      const unread = unreadBearer(x.request.headers)
      const known = unread === undefined ? undefined : recall(unread, x.client.connection)
      if (unread !== undefined && known !== undefined) return held(x, { kind: 'token', scheme: 'bearer', token: unread }, known)
      const offered = tokenOf(x, challenges)
      if (offered === undefined) return undefined
      const subject = subjectOf(offered.token, x.client.connection)
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
