import type { HttpReply, Reply } from '../../model/call.ts'
import type { CassetteUse } from '../../model/egress-target.ts'
import type { Credentialed } from '../../model/exchange.ts'
import { Fault } from '../../model/fault.ts'
import { isHopByHop } from '../../model/hop-by-hop.ts'
import { joinPieces } from '../../model/pieces.ts'
import type { Body, Fields } from '../../model/wire.ts'
import type { MetricName } from '../../observe/metrics.ts'
import { isoTime } from '../../observe/time.ts'
import type { Policy } from '../../policy/policy.ts'
import type { Cassettes, Ports } from '../../ports.ts'
import { recordBody } from './body.ts'
import { buildCleaner, type Cleaner } from './clean.ts'
import { writeInteraction } from './interaction.ts'
import { recordedRequestBytes, recordRequest } from './request.ts'

/** Forwards a call and, where its target says so, writes down what came back. @throws Fault `not_implemented` before anything is sent, `body_too_large`, and what forwarding throws. */
export type Record = (x: Credentialed, forward: (x: Credentialed) => Promise<Reply>) => Promise<Reply>

type Outcome = 'written' | 'too_large' | 'coded' | 'secret' | 'full' | 'broken' | 'failed'

const counted = 'sallyport_egress_recordings_total' satisfies MetricName

/** Longer answers go to the caller and are not written down. Bytes. */
const answerBytes = 1 << 20

/**
 * Builds the room that records. The caller gets the vendor's answer as it comes; when its last byte is here, and before the caller is told that it
 * was the last, the interaction is written, cleaned of everything secret. One in which a secret would still stand, in whatever spelling, is not
 * written. Where the ground keeps no cassettes nothing is called.
 */
export function buildRecord({ environmentClass }: Pick<Policy, 'environmentClass'>, ports: Pick<Ports, 'clock' | 'meter' | 'cassettes'>): Record {
  return async function record(x, forward) {
    const use = x.target.record
    if (use === undefined) return forward(x)
    // The loader refuses it; what customers said in production is never written down all the same.
    if (environmentClass === 'prod') throw new Fault('not_implemented', 'nothing is recorded in an environment of class prod')
    const cassettes = cassettesOf(ports)
    const sent = await x.call.body?.bytes(recordedRequestBytes)
    if (sent !== undefined) Object.assign(x, { call: { ...x.call, body: bodyOf(sent) } })
    const reply = await forward(x)
    if (reply.kind !== 'http') return reply
    const note = (outcome: Outcome) => ports.meter.count(counted, { service: x.service.name, environment: x.target.environment, outcome })
    const write = async (body: Uint8Array | undefined) => note(await written(x, { use, cassettes, sent, reply, body, now: ports.clock.now() }))
    return { ...reply, body: await overheard(reply, write, note) }
  }
}

/** @throws Fault `not_implemented` on a ground that has no place for them. */
export function cassettesOf({ cassettes }: Pick<Ports, 'cassettes'>): Cassettes {
  if (cassettes !== undefined) return cassettes
  throw new Fault('not_implemented', 'this gateway has no folder for cassettes', { internal: 'SALLYPORT_CASSETTES is not set, or the ground has no files' })
}

function bodyOf(bytes: Uint8Array): Body {
  return {
    length: bytes.byteLength,
    bytes: () => bytes,
    async *chunks() {
      yield bytes
    },
  }
}

/** The body on its way to the caller, with the whole of it handed to `write` before it ends. */
async function overheard(
  reply: HttpReply,
  write: (body: Uint8Array | undefined) => Promise<void>,
  note: (outcome: Outcome) => void,
): Promise<HttpReply['body']> {
  const { body } = reply
  const coding = reply.headers.all('content-encoding').join(',').trim().toLowerCase()
  if (coding !== '' && coding !== 'identity') {
    note('coded')
    return body
  }
  if (body === undefined || body instanceof Uint8Array) {
    if (body !== undefined && body.length > answerBytes) note('too_large')
    else await write(body)
    return body
  }
  return tee(body, write, note)
}

async function* tee(body: AsyncIterable<Uint8Array>, write: (body: Uint8Array) => Promise<void>, note: (outcome: Outcome) => void): AsyncGenerator<Uint8Array> {
  let kept: Uint8Array[] | undefined = []
  let length = 0
  let whole = false
  try {
    for await (const chunk of body) {
      length += chunk.length
      if (length > answerBytes) kept = undefined
      // A copy: whoever is next may write into the chunk.
      kept?.push(new Uint8Array(chunk))
      yield chunk
    }
    whole = true
  } finally {
    if (!whole) note('broken')
  }
  if (kept === undefined) note('too_large')
  else await write(joinPieces(kept, length))
}

interface Heard {
  readonly use: CassetteUse
  readonly cassettes: Cassettes
  readonly sent: Uint8Array | undefined
  readonly reply: HttpReply
  readonly body: Uint8Array | undefined
  /** Wall time, milliseconds. */
  readonly now: number
}

async function written(x: Credentialed, { use, cassettes, sent, reply, body, now }: Heard): Promise<Outcome> {
  try {
    const clean = buildCleaner(x.secrets, x.request.headers, x.service.mask)
    const request = recordRequest(x, sent, use, clean)
    const answer = recordBody(body, reply.headers.get('content-type'), clean)
    const text = writeInteraction({
      cassette: 'v1',
      service: x.service.name,
      environment: x.target.environment,
      recordedAt: isoTime(now),
      request,
      response: { status: reply.status, headers: headersOf(reply.headers, clean), ...(answer === undefined ? {} : { body: answer }) },
    })
    if (!clean.isClean(text)) return 'secret'
    return (await cassettes.add(use.name, `${request.method} ${request.path}`, text)) ? 'written' : 'full'
  } catch {
    // The answer is good all the same: what could not be written is counted.
    return 'failed'
  }
}

/** Without what concerns the connection, and the length, which the replayed body has of its own. */
function headersOf(headers: Fields, clean: Cleaner): readonly (readonly [string, string])[] {
  return headers.entries().flatMap(([name, value]) => (isHopByHop(name) || name === 'content-length' ? [] : [[name, clean.header(name, value)] as const]))
}
