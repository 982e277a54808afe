import { calculateJwkThumbprint, compactVerify, importJWK } from 'jose'
import { challenge as challengeOf } from '../../../model/challenge.ts'
import type { Received } from '../../../model/exchange.ts'
import { Fault } from '../../../model/fault.ts'
import { canonicalPath } from '../../../model/path.ts'
import { proofAlgorithms } from '../../../model/proof-algorithms.ts'
import type { ProofRules } from '../../../policy/linked/issuers.ts'
import type { Ports } from '../../../ports.ts'
import { isPrintable, openJws, typOf } from '../gate.ts'
import { isUsable, type PublicJwk, publicPart } from '../jwk.ts'
import { isJsonObject, type JsonObject } from '../strict-json.ts'
import { base64urlOfHex } from './certificate.ts'
import { freshNonce, isNonce } from './nonce.ts'

/** What a proof is held against. */
export interface KeyBinding {
  /** The access token it comes with. */
  readonly token: string
  /** `cnf.jkt` of the token. */
  readonly thumbprint: string
  readonly rules: ProofRules
  readonly skewMs: number
}

type ProofPorts = Pick<Ports, 'clock' | 'digest' | 'shared' | 'secrets'>

/** A key in the header takes room, an RSA one 400 characters and more. */
const headerLimit = 2048
// The key is the header's own business here; whatever else would change what is signed, or point elsewhere, is not.
const refusedHeaders = ['crit', 'b64', 'zip', 'jku', 'x5u', 'x5c', 'kid'] as const

/**
 * Checks a DPoP proof (RFC 9449 section 4.3): one header field, one signed text of the right type about this request and this token, young,
 * by the key the token is bound to, with a nonce where one is asked for, and never seen before by any replica.
 * @throws Fault `proof_invalid`, or `proof_store_unavailable` when it cannot be told whether it was used before
 */
export async function proveKey(x: Received, binding: KeyBinding, ports: ProofPorts): Promise<void> {
  const text = proofOf(x)
  const { header, claims } = openJws(text, { refused: refusedHeaders, headerLimit, refuse: proofInvalid })
  const jwk = keyOf(header)
  const alg = algorithmOf(header)
  if (header['typ'] === undefined || typOf(header) !== 'dpop+jwt') throw proofInvalid('its type is not dpop+jwt')
  judgeRequest(x, claims)
  const jti = judgeTime(claims, binding, ports.clock.now())
  if (claims['ath'] !== base64urlOfHex(await ports.digest(binding.token))) throw proofInvalid('made for another token (ath)')
  if ((await calculateJwkThumbprint(jwk)) !== binding.thumbprint) throw proofInvalid('made with another key than the token is bound to')
  await verify(text, jwk, alg)
  await judgeNonce(claims, binding.rules, ports)
  await useOnce(jti, binding, ports)
}

function proofOf({ request }: Received): string {
  const [text, ...more] = request.headers.all('dpop')
  if (text === undefined) throw proofInvalid('no DPoP header')
  if (more.length > 0) throw proofInvalid('more than one DPoP header')
  return text
}

function keyOf(header: JsonObject): PublicJwk {
  const jwk = header['jwk']
  if (!isJsonObject(jwk) || !isUsable(jwk)) throw proofInvalid('its header has no public key that could be used')
  return publicPart(jwk)
}

function algorithmOf(header: JsonObject): string {
  const alg = proofAlgorithms.find((one) => one === header['alg'])
  if (alg === undefined) throw proofInvalid('an algorithm that is not accepted')
  return alg
}

function judgeRequest({ request }: Received, claims: JsonObject): void {
  if (claims['htm'] !== request.method) throw proofInvalid('made for another method (htm)')
  const { scheme, authority, target } = request
  if (typeof claims['htu'] !== 'string' || normalized(claims['htu']) !== `${scheme}://${withoutPort(scheme, authority)}${target.path}`)
    throw proofInvalid('made for another URL (htu)')
}

/** Scheme, authority and path after normalization (RFC 3986 section 6.2.2 and 6.2.3); query and fragment do not count. */
function normalized(url: string): string | undefined {
  const [, scheme, authority, path] = /^(https?):\/\/([^/?#@]+)([^?#]*)/i.exec(url) ?? []
  if (scheme === undefined || authority === undefined) return undefined
  const canonical = canonicalPath(path === undefined || path === '' ? '/' : path)
  return 'ambiguous' in canonical ? undefined : `${scheme.toLowerCase()}://${withoutPort(scheme, authority.toLowerCase())}${canonical.path}`
}

function withoutPort(scheme: string, authority: string): string {
  const usual = scheme.toLowerCase() === 'https' ? ':443' : ':80'
  return authority.endsWith(usual) ? authority.slice(0, -usual.length) : authority
}

/** The proof's id, when it is young enough. */
function judgeTime(claims: JsonObject, { rules, skewMs }: KeyBinding, now: number): string {
  const { iat, jti } = claims
  if (typeof iat !== 'number' || !(iat >= 0 && iat < 2 ** 40)) throw proofInvalid('no time in seconds (iat)')
  if (iat * 1000 > now + skewMs) throw proofInvalid('made in the future')
  if (iat * 1000 < now - rules.maxAgeMs - skewMs) throw proofInvalid('too old')
  if (typeof jti !== 'string' || !isPrintable(jti)) throw proofInvalid('no printable id of at most 255 characters (jti)')
  return jti
}

async function verify(text: string, jwk: PublicJwk, alg: string): Promise<void> {
  try {
    await compactVerify(text, await importJWK({ ...jwk }, alg), { algorithms: [alg] })
  } catch (error) {
    throw proofInvalid(error instanceof Error ? error.message : 'the signature could not be checked')
  }
}

async function judgeNonce({ nonce }: JsonObject, { nonceKey }: ProofRules, { clock, secrets }: ProofPorts): Promise<void> {
  if (nonceKey === undefined) return
  const key = await secrets.read(nonceKey).catch((error: unknown) => {
    throw new Fault('config_quarantined', 'proofs of possession cannot be checked', { internal: 'the key for nonces cannot be read', cause: error })
  })
  if (typeof nonce === 'string' && (await isNonce(nonce, key, clock.now()))) return
  const challenge = challengeOf('DPoP', { error: 'use_dpop_nonce', error_description: 'a nonce is required' })
  throw new Fault('proof_invalid', 'the proof of possession needs a nonce', {
    headers: [
      ['www-authenticate', challenge],
      ['dpop-nonce', await freshNonce(key, clock.now())],
    ],
    internal: nonce === undefined ? 'no nonce' : 'a nonce that is not, or no longer, good',
  })
}

async function useOnce(jti: string, { thumbprint, rules, skewMs }: KeyBinding, { digest, shared }: ProofPorts): Promise<void> {
  const key = `identify.dpop:${await digest(`${thumbprint} ${jti}`)}`
  const first = await shared.claim(key, rules.maxAgeMs + 2 * skewMs).catch((error: unknown) => {
    throw new Fault('proof_store_unavailable', 'whether this proof was used before cannot be told', { headers: [['retry-after', '1']], cause: error })
  })
  if (!first) throw proofInvalid('used before')
}

/** 401 with the challenge of RFC 9449 section 7.1; the reason goes to the record only. */
function proofInvalid(reason: string): Fault {
  const challenge = challengeOf('DPoP', { error: 'invalid_dpop_proof', error_description: 'the proof of possession is not valid' })
  return new Fault('proof_invalid', 'the proof of possession is not valid', { headers: [['www-authenticate', challenge]], internal: reason })
}
