import { Fault } from '../../../model/fault.ts'
import type { Subject } from '../../../model/principal.ts'
import type { Issuer } from '../../../policy/linked/issuers.ts'
import type { Ports } from '../../../ports.ts'
import { tokenInvalid } from '../answers.ts'
import { awaitingJwt } from '../gate.ts'
import type { IntrospectionShare } from './introspections.ts'

/** An issuer of the policies that can be asked about tokens. */
export interface Introspected {
  readonly issuer: Issuer
  readonly share: IntrospectionShare
}

const tokenLimit = 8192

/**
 * The principal of a token that one of these issuers calls active. An opaque token does not say whose it is, so they are asked in turn; a JWT that
 * names one of them is shown to that one alone. Rejects with the Faults `token_invalid`, or `idp_unavailable` when one who might know cannot tell.
 */
export async function askIssuers(token: string, all: readonly Introspected[], { digest }: Pick<Ports, 'digest'>): Promise<Subject> {
  if (token.length > tokenLimit) throw tokenInvalid(`longer than ${tokenLimit} characters`)
  const key = await digest(token)
  const named = all.filter(({ issuer }) => awaitingJwt(token, (iss) => iss === issuer.issuer))
  let refusal = tokenInvalid('no issuer to ask')
  for (const { share } of named.length > 0 ? named : all) {
    try {
      return await share.ask(token, key)
    } catch (error) {
      const fault = Fault.from(error)
      // "Cannot tell" outweighs "no": with an answer it might have been yes.
      if (refusal.code !== 'idp_unavailable') refusal = fault
    }
  }
  throw refusal
}
