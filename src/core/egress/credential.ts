import type { Credentialed, PlacedLive } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { unlessEnded } from '../model/lifeline.ts'
import type { Credential } from '../model/route.ts'
import { secretRuleOf } from '../model/secret-rule.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { TokenCache } from '../token-cache.ts'
import { type Injection, inject, injectedHeader } from './credential/inject.ts'
import { outgoingCall } from './credential/outgoing.ts'
import { buildReadSecret, unavailable } from './credential/secret.ts'
import { type OAuth2, requestToken } from './credential/token-request.ts'

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
 * A vendor that answers 401 to an OAuth2 token makes the gateway forget the token (`spoil`); the answer goes to the caller, whose next
 * call gets a fresh one. Nothing is sent again: a body may be gone, and 401 does not say that nothing was done.
 */
export function buildCredential(policy: Policy, ports: Pick<Ports, 'clock' | 'random' | 'fetch' | 'secrets' | 'lasting'>): AddCredential {
  const readSecret = buildReadSecret(ports.secrets)
  const tokens = ports.lasting('egress.tokens', () => new TokenCache(ports.clock))
  const prepared = new WeakMap<Credential, Prepared>()
  const newKey = () => ports.random.uuid()
  const insecure = policy.environmentClass === 'nonprod'

  function prepare(credential: Credential, secret: string): Injection {
    const last = prepared.get(credential)
    if (last?.secret === secret) return last.injection
    const injection = inject(credential, secret)
    prepared.set(credential, { secret, injection })
    return injection
  }

  async function tokenFor(x: PlacedLive, credential: OAuth2, key: string): Promise<string> {
    const ask = async () => requestToken(credential, await readSecret(credential.clientSecret), { fetch: ports.fetch, vet: x.vet, insecure })
    try {
      return await unlessEnded(x.lifeline, tokens.get(key, ask))
    } catch (error) {
      x.lifeline.check()
      throw error instanceof Fault ? error : unavailable(error instanceof Error ? error.message : 'no token')
    }
  }

  return async function credential(x) {
    const { credential } = x.target
    if (credential === undefined) return credentialed(x, undefined, undefined, newKey)
    if (credential.kind !== 'oauth2') return credentialed(x, prepare(credential, await readSecret(secretRuleOf(credential))), undefined, newKey)
    const key = tokenKey(x, credential)
    const token = await tokenFor(x, credential, key)
    return credentialed(x, prepare(credential, token), () => tokens.spoil(key, token), newKey)
  }
}

function credentialed(x: PlacedLive, injection: Injection | undefined, spoil: (() => void) | undefined, newKey: () => string): Credentialed {
  const injected = x.target.credential === undefined ? undefined : injectedHeader(x.target.credential)
  return Object.assign(x, { call: outgoingCall(x, injection, injected, newKey), secrets: injection?.secrets ?? nothingSecret, spoil })
}

/** Everything that makes two tokens differ: none crosses services, environments or clients. */
function tokenKey(x: PlacedLive, credential: OAuth2): string {
  const { tokenUrl, clientId, auth, clientSecret, scope, audience } = credential
  return JSON.stringify([x.service.name, x.target.environment, tokenUrl, clientId, auth, clientSecret.reference, scope, audience])
}
