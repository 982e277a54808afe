import type { Received } from '../../model/exchange.ts'
import type { Subject } from '../../model/principal.ts'
import type { Issuer } from '../../policy/linked/issuers.ts'
import { tokenInvalid } from './answers.ts'
import type { Offered } from './bearer.ts'
import type { IdentifyPorts } from './ports.ts'
import { certificateThumbprint } from './proof/certificate.ts'
import { proveKey } from './proof/dpop.ts'
import { isJsonObject } from './strict-json.ts'

type OfferedToken = Extract<Offered, { kind: 'token' }>

/** What a token is bound to (RFC 7800 section 3.1), of the kinds whose proof is checked here. */
interface Binding {
  /** RFC 9449 section 6.1: thumbprint of the key that signs DPoP proofs. */
  readonly key: string | undefined
  /** RFC 8705 section 3.1: thumbprint of the client certificate. */
  readonly certificate: string | undefined
}

/**
 * Holds a verified token against the proof that its holder brings: a DPoP proof, the client certificate of the connection, or nothing
 * where the token is bound to nothing and its issuer asks for no more. Nothing is remembered: every request proves anew.
 * @throws Fault `token_invalid`, `proof_invalid`, `proof_store_unavailable`
 */
export function proveHolder(x: Received, offered: OfferedToken, subject: Subject, issuer: Issuer, ports: IdentifyPorts): Promise<void> | undefined {
  const binding = bindingOf(subject)
  demandBinding(binding, issuer)
  if (binding === undefined) {
    if (offered.scheme === 'dpop') throw tokenInvalid('the scheme DPoP with a token that is bound to no key')
    return undefined
  }
  if ((binding.key === undefined) !== (offered.scheme === 'bearer'))
    throw tokenInvalid(binding.key === undefined ? 'the scheme DPoP with a token that is bound to no key' : 'a token bound to a key, without the scheme DPoP')
  return prove(x, offered, binding, issuer, ports)
}

async function prove(x: Received, offered: OfferedToken, binding: Binding, issuer: Issuer, ports: IdentifyPorts): Promise<void> {
  if (binding.certificate !== undefined && (await certificateThumbprint(x, ports)) !== binding.certificate)
    throw tokenInvalid('bound to a client certificate that this connection does not have')
  if (binding.key !== undefined) await proveKey(x, { token: offered.token, thumbprint: binding.key, rules: issuer.proof, skewMs: issuer.clockSkewMs }, ports)
}

function demandBinding(binding: Binding | undefined, { proof }: Issuer): void {
  const { required } = proof
  if (required === 'none') return
  const fits = required === 'any' ? binding !== undefined : (required === 'dpop' ? binding?.key : binding?.certificate) !== undefined
  if (!fits) throw tokenInvalid(`not bound to ${{ any: 'a key or a client certificate', dpop: 'a key', certificate: 'a client certificate' }[required]}`)
}

/** @throws Fault `token_invalid` for a binding whose proof is not checked here: it would be worth nothing. */
function bindingOf({ claims }: Subject): Binding | undefined {
  const confirmation = claims['cnf']
  if (confirmation === undefined) return undefined
  const members = isJsonObject(confirmation) ? Object.entries(confirmation) : []
  const known = members.every(([name, value]) => (name === 'jkt' || name === 'x5t#S256') && typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value))
  if (members.length === 0 || !known) throw tokenInvalid('bound to a key (cnf) in a way that is not supported')
  const all: ReadonlyMap<string, unknown> = new Map(members)
  const text = (name: string) => all.get(name) as string | undefined // every member was seen to be a string
  return { key: text('jkt'), certificate: text('x5t#S256') }
}
