import { base64url } from 'jose'
import type { Fault } from '../../model/fault.ts'
import { tokenInvalid } from './answers.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from './strict-json.ts'

/** A JWT whose form is beyond doubt. Nothing in it has been verified. */
export interface OpenedToken {
  readonly alg: string
  readonly kid: string | undefined
  /** Lower-case, without `application/`; `jwt` where the header says nothing (RFC 7519 section 5.1). */
  readonly typ: string
  readonly issuer: string
  readonly claims: JsonObject
}

const tokenLimit = 8192
const headerLimit = 1024
const deepest = 8
const segments = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/
// They bring their own key, change what is signed, or point somewhere; an access token needs none of them (RFC 8725 sections 3.5, 3.10).
const refusedHeaders = ['crit', 'b64', 'zip', 'jku', 'x5u', 'jwk', 'x5c'] as const
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What a compact JWS says about itself. */
interface OpenedJws {
  readonly header: JsonObject
  readonly claims: JsonObject
}

interface JwsRules {
  /** Header members that are refused, whatever they say. */
  readonly refused: readonly string[]
  /** Bytes. */
  readonly headerLimit: number
  /** What a bad form is answered with. */
  readonly refuse: (reason: string) => Fault
}

/**
 * The gate before any cryptography: one text for one token, JSON that every parser reads alike, no header that would steer the verifier.
 * @throws Fault `token_invalid`.
 */
export function openToken(token: string): OpenedToken {
  const { header, claims } = openJws(token, { refused: refusedHeaders, headerLimit, refuse: tokenInvalid })
  if (typeof header['alg'] !== 'string') throw tokenInvalid('the header has no algorithm')
  if (typeof claims['iss'] !== 'string') throw tokenInvalid('no issuer')
  return { alg: header['alg'], kid: kidOf(header), typ: typOf(header), issuer: claims['iss'], claims }
}

/** Whether this is a JWT whose unverified issuer is one of those: which way it is judged, and nothing of its worth. Never throws. */
export function awaitingJwt(token: string, isOurs: (issuer: string) => boolean): boolean {
  try {
    const { claims } = openJws(token, { refused: [], headerLimit, refuse: tokenInvalid })
    return typeof claims['iss'] === 'string' && isOurs(claims['iss'])
  } catch {
    return false
  }
}

/** The same gate for any compact JWS with a JSON payload. @throws Fault as `refuse` makes it */
export function openJws(token: string, rules: JwsRules): OpenedJws {
  const { refuse } = rules
  if (token.length > tokenLimit) throw refuse(`longer than ${tokenLimit} characters`)
  const parts = segments.exec(token)
  if (parts === null) throw refuse('not three segments of base64url')
  const [, head = '', body = '', signature = ''] = parts
  const headBytes = canonicalBytes(head, 'header', refuse)
  if (headBytes.length > rules.headerLimit) throw refuse(`a header longer than ${rules.headerLimit} bytes`)
  const header = jsonObject(headBytes, 'header', refuse)
  const claims = jsonObject(canonicalBytes(body, 'payload', refuse), 'payload', refuse)
  canonicalBytes(signature, 'signature', refuse)
  for (const name of rules.refused) if (name in header) throw refuse(`the header member "${name}" is refused`)
  return { header, claims }
}

type Refuse = JwsRules['refuse']

/** One signature must not fit many texts: non-zero trailing bits would make many (RFC 4648 section 3.5). */
function canonicalBytes(segment: string, name: string, refuse: Refuse): Uint8Array {
  const bytes = decoded(segment, name, refuse)
  if (base64url.encode(bytes) !== segment) throw refuse(`the ${name} is not canonical base64url`)
  return bytes
}

function decoded(segment: string, name: string, refuse: Refuse): Uint8Array {
  try {
    return base64url.decode(segment)
  } catch {
    throw refuse(`the ${name} is not base64url`)
  }
}

function jsonObject(bytes: Uint8Array, name: string, refuse: Refuse): JsonObject {
  const value = strictJson(bytes, name, refuse)
  if (!isJsonObject(value)) throw refuse(`the ${name} is not a JSON object`)
  return value
}

function strictJson(bytes: Uint8Array, name: string, refuse: Refuse): unknown {
  try {
    return parseStrictJson(utf8.decode(bytes), deepest)
  } catch (error) {
    throw refuse(`the ${name} is not acceptable JSON: ${error instanceof Error ? error.message : 'unreadable'}`)
  }
}

function kidOf(header: JsonObject): string | undefined {
  const kid = header['kid']
  if (kid === undefined) return undefined
  if (typeof kid !== 'string' || !isPrintable(kid)) throw tokenInvalid('the key id is not a printable string')
  return kid
}

/** Lower-case, without `application/` (RFC 7515 section 4.1.9). @throws Fault `token_invalid` */
export function typOf(header: JsonObject): string {
  const typ = header['typ']
  if (typ === undefined) return 'jwt'
  if (typeof typ !== 'string') throw tokenInvalid('the type is not a string')
  const name = typ.toLowerCase()
  return name.startsWith('application/') ? name.slice('application/'.length) : name
}

const printable = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,255}$/u

/** 1 to 255 characters that show: no controls, no invisible format characters, no line breaks. */
export function isPrintable(text: string): boolean {
  return printable.test(text)
}
