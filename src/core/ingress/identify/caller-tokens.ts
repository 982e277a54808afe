import type { Received } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'
import type { Policy } from '../../policy/policy.ts'
import { tokenInvalid } from './answers.ts'
import { type IdentifyPorts, keySetsOf } from './ports.ts'
import { proveHolder } from './proof.ts'
import { buildNotRevoked } from './revocations.ts'
import { buildDigestOf } from './token-digests.ts'
import { verifyToken } from './verify.ts'

/** Verifies the tokens by which workloads say who they are on their way out. */
interface CallerTokens {
  /**
   * Whom a JWT stands for, by an issuer that some caller names: as on the way in, with its audience, times, key set, revocations, and the client
   * certificate that it is bound to. Rejects with Fault `token_invalid`, `idp_unavailable`, `revocations_unavailable`.
   */
  readonly verify: (token: string, x: Received) => Promise<Subject>
  /** Gives back its share in key sets. */
  readonly close: () => void
}

/** Builds the verifier for the egress wing, over the same key sets, verified tokens and revocation lists as the ingress wing. */
export function buildCallerTokens(policy: Policy, ports: IdentifyPorts): CallerTokens {
  const sets = keySetsOf(ports)
  const digestOf = buildDigestOf(ports)
  const notRevoked = buildNotRevoked(policy, ports)
  const named = new Set(Object.values(policy.callers).map(({ token }) => token?.issuer))
  const verifiers = Object.values(policy.issuers)
    .filter(({ name, quarantined }) => quarantined === undefined && named.has(name))
    .map((issuer) => ({ issuer, share: sets.acquire(issuer) }))

  return {
    async verify(token, x) {
      const subject = await verifyToken(token, digestOf(token, x.client.connection), verifiers, ports)
      const verifier = verifiers.find(({ issuer }) => issuer.name === subject.issuer)
      if (verifier === undefined) throw tokenInvalid('an issuer that is not accepted here')
      await proveHolder(x, { kind: 'token', scheme: 'bearer', token }, subject, verifier.issuer, ports)
      await notRevoked([{ leaf: { kind: 'jwt', name: subject.issuer }, subject }])
      return subject
    },
    close() {
      for (const { share } of verifiers) share.release()
    },
  }
}
