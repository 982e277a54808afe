import type { Matched } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'
import type { Policy, RequirementLeaf } from '../../policy/policy.ts'
import { credentialMalformed, credentialMissing, realm } from './answers.ts'
import { readBearer } from './bearer.ts'
import type { Check, Credential } from './credential.ts'
import { type IdentifyPorts, keySetsOf } from './ports.ts'
import type { Proved } from './requirement.ts'
import { type Verifier, verifyToken } from './verify.ts'

/** Bearer tokens (RFC 6750) that are JWTs of the issuers of the policies. */
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
  const proofs = (subject: Subject): Proved => ({ leaf: { kind: 'jwt', name: subject.issuer }, subject })

  return {
    broken: verifiers.length === 0 ? `no usable issuer among ${named.join(', ')}` : undefined,
    challenges: [realm],
    prove(x) {
      const token = tokenOf(x)
      if (token === undefined) return undefined
      const subject = verifyToken(token, verifiers, ports)
      return subject instanceof Promise ? subject.then(proofs) : proofs(subject)
    },
  }
}

function tokenOf(x: Matched): string | undefined {
  const offered = readBearer(x.request.headers)
  if (offered.kind === 'token') return offered.token
  if (offered.kind === 'malformed') throw credentialMalformed(offered.why)
  if (offered.kind === 'foreign') throw credentialMissing([realm], 'an authorization scheme other than Bearer')
  return undefined
}
