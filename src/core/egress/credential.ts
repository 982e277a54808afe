import { type Credential, secretRuleOf } from '../model/credential.ts'
import type { LiveTarget } from '../model/egress-target.ts'
import type { Credentialed, PlacedLive } from '../model/exchange.ts'
import type { FieldList } from '../model/fields.ts'
import { inTime } from '../model/in-time.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports, Secrets } from '../ports.ts'
import { type Injection, inject, injectedHeader } from './credential/inject.ts'
import { outgoingCall, outgoingFields } from './credential/outgoing.ts'
import { buildReadSecret, unavailable } from './credential/secret.ts'
import { buildSign, isSigning, type Signing } from './credential/sign.ts'
import { buildTokens } from './credential/token-request.ts'

export { buildIdentity, type Identity } from './credential/identity.ts'
export { buildShortLived, type GetShortLived, type ShortLived } from './credential/short-lived.ts'

/** @throws Fault `credential_unavailable`, or why the request was cut short while it waited for a token. */
export type AddCredential = (x: PlacedLive) => Credentialed | Promise<Credentialed>

/** What is added for one credential and one secret value; the same object as long as neither changes. */
interface Prepared {
  readonly secret: string
  readonly injection: Injection
}

const nothingSecret: readonly string[] = Object.freeze([])

/**
 * Builds the room that makes the call the vendor gets: the caller's credentials and the mesh's headers out, the target's
 * credential in. The only room whose ports name secrets. A credential that cannot be had refuses the call.
 *
 * A vendor that answers 401 to an OAuth2 token makes the gateway forget the token (`spoil`): `renew` asks for another one.
 */
export function buildCredential(policy: Policy, ports: Pick<Ports, 'clock' | 'random' | 'fetch' | 'secrets' | 'lasting' | 'digest'>): AddCredential {
  const readSecret = buildReadSecret(ports.secrets)
  const inItsTime = <T>(x: PlacedLive, value: Promise<T>) =>
    inTime({ lifeline: x.lifeline, deadline: x.deadline, receivedAt: x.receivedAt, route: x.service }, value, ports.clock)
  const signer = buildSign(readSecret, ports)
  const getToken = buildTokens(readSecret, policy.environmentClass === 'nonprod', ports)
  const prepared = new WeakMap<Credential, Prepared>()
  const newKey = () => ports.random.uuid()

  function injectionOf(credential: Exclude<Credential, Signing>, secret: string): Injection {
    const last = prepared.get(credential)
    if (last?.secret === secret) return last.injection
    const injection = inject(credential, secret)
    prepared.set(credential, { secret, injection })
    return injection
  }

  /** Signed last of all, when a try goes out: what is signed stays as it is, and no signature ages while its call waits. */
  async function toBeSigned(x: PlacedLive, credential: Signing): Promise<Credentialed> {
    const call = await inItsTime(x, signer.prepare(credential, outgoingCall(x, undefined, injectedHeader(credential), newKey)))
    const seal: Credentialed['seal'] = async (going) => {
      const signed = await inItsTime(x, signer.sign(credential, going))
      // The vendor may repeat what an earlier try showed it.
      Object.assign(credentialed, { secrets: [...new Set([...credentialed.secrets, ...signed.secrets])] })
      return signed.call
    }
    const credentialed: Credentialed = Object.assign(x, { call, secrets: nothingSecret, spoil: undefined, seal })
    return credentialed
  }

  return async function credential(x) {
    const { credential, certificate } = x.target
    if (certificate !== undefined) await inItsTime(x, checkCertificate(certificate, ports.secrets))
    if (credential === undefined) return credentialed(x, undefined, undefined, newKey)
    if (isSigning(credential)) return toBeSigned(x, credential)
    if (credential.kind !== 'oauth2')
      return credentialed(x, injectionOf(credential, await inItsTime(x, readSecret(secretRuleOf(credential)))), undefined, newKey)
    const { token, beside, spoil } = await getToken(x, credential)
    const injection = beside.length === 0 ? injectionOf(credential, token) : inject(credential, token)
    return credentialed(x, beside.length === 0 ? injection : { ...injection, secrets: [...injection.secrets, ...beside] }, spoil, newKey)
  }
}

/** What the vendor gets of the caller's headers: its credentials and the mesh's own gone, ours not there yet. */
export function vendorFields(x: PlacedLive): FieldList {
  return outgoingFields(x, undefined, x.target.credential === undefined ? undefined : injectedHeader(x.target.credential))
}

/** The connection reads them again for each handshake; without them here, nothing is dialled, and the record says why. */
async function checkCertificate({ certificate, key }: NonNullable<LiveTarget['certificate']>, secrets: Secrets): Promise<void> {
  for (const reference of [certificate, key]) {
    const value = await secrets.read(reference).catch(() => '')
    if (!value.includes('-----BEGIN ')) throw unavailable(`the client certificate's ${reference} is missing, empty or no PEM text`)
  }
}

function credentialed(x: PlacedLive, injection: Injection | undefined, spoil: Credentialed['spoil'], newKey: () => string): Credentialed {
  const injected = x.target.credential === undefined ? undefined : injectedHeader(x.target.credential)
  return Object.assign(x, { call: outgoingCall(x, injection, injected, newKey), secrets: injection?.secrets ?? nothingSecret, spoil, seal: undefined })
}
