import { compileHide, isJson, parseExact } from '../json-path.ts'
import type { HttpReply, Reply } from '../model/call.ts'
import type { Arrived, Credentialed, Placed } from '../model/exchange.ts'
import { Fault } from '../model/fault.ts'
import { FieldList } from '../model/fields.ts'
import { endToEnd } from '../model/hop-by-hop.ts'
import { joinPieces } from '../model/pieces.ts'
import { problemAnswer } from '../model/problem.ts'
import type { Fields, Outbound } from '../model/wire.ts'
import { maskBytes, maskStream, type Needles, needlesOf } from '../observe/mask.ts'
import { buildRedactor } from '../observe/redact.ts'
import type { Policy } from '../policy/policy.ts'
import { addMarks, proxyStatus } from './answer/marks.ts'

/** A call that was answered: by the vendor, with what was injected, or by a mock. */
export type Answered = Placed & Partial<Pick<Credentialed, 'secrets' | 'spoil'>>

/** @throws Fault `upstream_protocol` when the answer comes in a form that cannot be masked although it has to be. */
export type Answer = (x: Answered, reply: Reply) => Outbound

interface Masks {
  readonly text: (value: string) => string
  /** Whether a field's name holds an injected value: it cannot be masked in part. */
  readonly inName: (name: string) => boolean
  readonly needles: Needles
}

/** Shorter ones are parts of ordinary names. */
const shortestInName = 8

function buildInName(secrets: readonly string[]): Masks['inName'] {
  const redact = buildRedactor(secrets.filter((secret) => secret.length >= shortestInName))
  return (name) => redact(name) !== name
}

type Hide = (value: unknown) => unknown

/** Fields that speak of the body's bytes, which masking may change. */
const digests: ReadonlySet<string> = new Set(['content-digest', 'repr-digest', 'digest', 'content-md5'])

/**
 * Builds the room that hands the vendor's answer to the caller: marked with what the gateway did, the injected values masked
 * in every header and, where the service asks for it, in the body. Redirects are passed on like any answer.
 */
export function buildAnswer(): Answer {
  const made = new WeakMap<readonly string[], Masks>()

  function masksFor(secrets: readonly string[] | undefined): Masks | undefined {
    if (secrets === undefined || secrets.length === 0) return undefined
    const masks = made.get(secrets) ?? { text: buildRedactor(secrets), inName: buildInName(secrets), needles: needlesOf(secrets) }
    made.set(secrets, masks)
    return masks
  }

  const hiding = new WeakMap<readonly string[], Hide>()

  function hides(paths: readonly string[]): Hide {
    const made = hiding.get(paths) ?? compileHide(paths)
    hiding.set(paths, made)
    return made
  }

  return function answer(x, reply) {
    if (reply.kind !== 'http') throw new Fault('internal', 'internal error', { internal: 'an egress call was answered in gRPC' })
    if (reply.status === 401) x.spoil?.()
    const masks = masksFor(x.secrets)
    const { mask } = x.service
    const inBody = mask.responses ? masks : undefined
    const hide = mask.responses && mask.jsonPaths.length > 0 && isJson(reply.headers.get('content-type')) ? hides(mask.jsonPaths) : undefined
    const changed = inBody !== undefined || hide !== undefined
    if (changed) refuseCoded(reply)
    const headers = addMarks(cleaned(reply.headers, masks, changed), x)
    const { trailers } = reply
    // What is written in place of a member has another length.
    if (hide !== undefined && reply.body !== undefined) headers.remove('content-length')
    return {
      status: reply.status,
      headers,
      body: maskedBody(hide === undefined ? reply.body : hiddenBody(reply.body, hide), inBody),
      trailers: trailers === undefined ? undefined : () => cleaned(trailers(), masks, changed),
      close: reply.close,
    }
  }
}

/** An answer that was stored, marked with what the gateway did for this call. */
export function marked(x: Placed, stored: Outbound): Outbound {
  return { ...stored, headers: addMarks(new FieldList(stored.headers.entries()), x) }
}

/** Builds the only place of the egress wing where a fault becomes an answer: problem+json and `Proxy-Status`; never 407. */
export function buildRefuse(policy: Policy): (last: Arrived & Partial<Credentialed>, fault: Fault) => Outbound {
  const showRule = policy.environmentClass === 'nonprod'
  return (last, fault) => {
    const problem = problemAnswer(fault, { id: last.id, showRule, head: last.arrival.method === 'HEAD' })
    const headers = addMarks(new FieldList(problem.headers.entries()), last).set('proxy-status', proxyStatus(fault.code))
    return { ...problem, headers }
  }
}

/** What a vendor may say to the caller: nothing in our name, nothing that moves the caller away from the ambassador. */
function cleaned(headers: Fields, masks: Masks | undefined, bodyMasked: boolean): FieldList {
  const kept = new FieldList()
  for (const [name, value] of endToEnd(headers).entries()) {
    if (name.startsWith('x-egress-') || name === 'alt-svc' || (bodyMasked && digests.has(name))) continue
    if (masks?.inName(name) === true) continue
    kept.append(name, masks === undefined ? value : masks.text(value))
  }
  return kept
}

/** Identity was asked for. What comes coded all the same could hide the secret, so nobody gets it. */
function refuseCoded(reply: HttpReply): void {
  const coding = reply.headers.all('content-encoding').join(',').trim().toLowerCase()
  if (coding === '' || coding === 'identity' || reply.body === undefined) return
  letGo(reply.body)
  throw new Fault('upstream_protocol', 'the vendor answered in a content coding that cannot be masked', { internal: `content-encoding ${coding.slice(0, 40)}` })
}

/** Tells the channel that nobody will read on. */
function letGo(body: NonNullable<Outbound['body']>): void {
  if (body instanceof Uint8Array) return
  const ended = body[Symbol.asyncIterator]().return?.()
  // Whether it ends well no longer matters to this request.
  ended?.catch(() => {})
}

/** JSON of which members are hidden is read whole first, up to so many bytes. */
const hiddenBytes = 4 * 1024 * 1024

/** A JSON body without the members that the policy hides. What cannot be read cannot be searched, so it breaks off before its first byte. */
function hiddenBody(body: Outbound['body'], hide: Hide): Outbound['body'] {
  if (body === undefined) return undefined
  return body instanceof Uint8Array ? hiddenIn(body, hide) : hiddenStream(body, hide)
}

async function* hiddenStream(body: AsyncIterable<Uint8Array>, hide: Hide): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > hiddenBytes) throw new Fault('upstream_protocol', 'the vendor answered with more JSON than can be masked')
    chunks.push(new Uint8Array(chunk))
  }
  yield hiddenIn(joinPieces(chunks, length), hide)
}

function hiddenIn(body: Uint8Array, hide: Hide): Uint8Array {
  if (body.length === 0) return body
  try {
    return new TextEncoder().encode(JSON.stringify(hide(parseExact(new TextDecoder('utf-8', { fatal: true }).decode(body)))))
  } catch {
    throw new Fault('upstream_protocol', 'the vendor answered with JSON that cannot be read, and so not masked')
  }
}

function maskedBody(body: Outbound['body'], masks: Masks | undefined): Outbound['body'] {
  if (body === undefined || masks === undefined) return body
  return body instanceof Uint8Array ? maskBytes(body, masks.needles) : maskStream(body, masks.needles)
}
