import { egressBodyBytes } from '../../model/body.ts'
import type { HttpCall } from '../../model/call.ts'
import type { Credential } from '../../model/credential.ts'
import { FieldList } from '../../model/fields.ts'
import type { Body } from '../../model/wire.ts'
import type { Ports } from '../../ports.ts'
import { amzDate } from './amz-date.ts'
import { base64Of, hexOf, hmac } from './mac.ts'
import { messageOf, readsBody } from './message.ts'
import { hasControl, type ReadSecret, unavailable } from './secret.ts'
import { plainQuery, signV4, unsignedPayload } from './sigv4.ts'

/** A credential that is a signature over the call. */
export type Signing = Extract<Credential, { kind: 'sigv4' | 'hmac' }>

type SigV4 = Extract<Signing, { kind: 'sigv4' }>

/** A signed call, and every value in it that is secret. */
export interface Signed {
  readonly call: HttpCall
  readonly secrets: readonly string[]
}

export interface Sign {
  /**
   * The call with a body that can be read for each signature, and its keys looked at once: a call without them should not wait for a quota first.
   * @throws Fault `credential_unavailable` for keys that cannot be had or used, `body_too_large` for a body that is too long to be signed
   */
  prepare(credential: Signing, call: HttpCall): Promise<HttpCall>
  /** Signs a prepared call, as of now. @throws Fault `credential_unavailable` */
  sign(credential: Signing, call: HttpCall): Promise<Signed>
}

export function isSigning(credential: Credential): credential is Signing {
  return credential.kind === 'sigv4' || credential.kind === 'hmac'
}

/**
 * Builds what signs a call that is complete otherwise: nothing may be changed in it afterwards. A signature has a time in it that vendors look at, so each
 * try gets its own. A body that is signed is read whole, and no more than 10 MiB.
 */
export function buildSign(readSecret: ReadSecret, { clock, digest }: Pick<Ports, 'clock' | 'digest'>): Sign {
  async function keysOf(credential: SigV4) {
    const [accessKeyId, secret, session] = await Promise.all([
      readSecret(credential.accessKeyId),
      readSecret(credential.secret),
      credential.sessionToken === undefined ? undefined : readSecret(credential.sessionToken),
    ])
    for (const value of [accessKeyId, session ?? '']) checkHeader(value)
    return { accessKeyId, secret, session }
  }

  async function sigv4(credential: SigV4, call: HttpCall): Promise<Signed> {
    const { accessKeyId, secret, session } = await keysOf(credential)
    const body = signsBody(credential) ? await wholeOf(call.body) : undefined
    const [path, query] = split(call.target)
    const date = amzDate(clock.now())
    const payload = body === undefined ? unsignedPayload : await digest(body)
    // Nobody but the gateway says anything in the names that a signature gives a meaning to.
    const headers = new FieldList(call.headers.entries()).without(
      (name) => name === 'x-amz-security-token' || name === 'x-amz-date' || name === 'x-amz-content-sha256',
    )
    headers.set('x-amz-date', date).set('x-amz-content-sha256', payload)
    if (session !== undefined) headers.set('x-amz-security-token', session)
    const key = { accessKeyId, secret, region: credential.region, service: credential.service }
    const { authorization, signature } = await signV4({ method: call.method, authority: call.authority, path, query, headers, payload }, key, date, digest)
    headers.set('authorization', authorization)
    const target = query === '' ? path : `${path}?${plainQuery(query)}`
    return { call: { ...call, target, headers }, secrets: [secret, signature, ...(session === undefined ? [] : [session])] }
  }

  async function byHmac(credential: Extract<Signing, { kind: 'hmac' }>, call: HttpCall): Promise<Signed> {
    const secret = await readSecret(credential.secret)
    const body = signsBody(credential) ? await wholeOf(call.body) : undefined
    const [path, query] = split(call.target)
    const timestamp = Math.floor(clock.now() / 1000).toString()
    const parts = { method: call.method, host: call.authority, path, query, timestamp, body: body ?? new Uint8Array(0) }
    const mac = await hmac(credential.algorithm, secret, await messageOf(credential.message, parts, credential.algorithm))
    const signature = credential.encoding === 'hex' ? hexOf(mac) : base64Of(mac)
    const headers = new FieldList(call.headers.entries())
    if (credential.timestampHeader !== undefined) headers.set(credential.timestampHeader, timestamp)
    headers.set(credential.header, credential.format.replaceAll('{timestamp}', timestamp).replaceAll('{signature}', signature))
    return { call: { ...call, headers }, secrets: [secret, signature] }
  }

  return {
    async prepare(credential, call) {
      await (credential.kind === 'sigv4' ? keysOf(credential) : readSecret(credential.secret))
      return signsBody(credential) && call.body !== undefined ? { ...call, body: kept(call.body, await wholeOf(call.body)) } : call
    },
    sign: (credential, call) => (credential.kind === 'sigv4' ? sigv4(credential, call) : byHmac(credential, call)),
  }
}

function signsBody(credential: Signing): boolean {
  return credential.kind === 'sigv4' ? credential.payload === 'signed' : readsBody(credential.message)
}

async function wholeOf(body: Body | undefined): Promise<Uint8Array> {
  return body === undefined ? new Uint8Array(0) : body.bytes(egressBodyBytes)
}

/** The body that was read in place of the one that cannot be read again. */
function kept(body: Body, bytes: Uint8Array): Body {
  return {
    length: bytes.length,
    get received() {
      return body.received
    },
    bytes: () => bytes,
    async *chunks() {
      yield bytes
    },
  }
}

function split(target: string): readonly [path: string, query: string] {
  const at = target.indexOf('?')
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)]
}

/** It goes into a header as it is. */
function checkHeader(value: string): void {
  if (hasControl(value) || /[^\x20-\x7e]/.test(value)) throw unavailable('an access key id or session token holds a character that no header can carry')
}
