import { randomInt } from 'node:crypto'
import type { NamedService } from '../core/ports.ts'

/** What an answer says of SRV records, or that it was cut to fit a datagram. */
export type SrvAnswer =
  | { readonly kind: 'services'; readonly services: readonly NamedService[]; readonly ttlMs: number | undefined }
  | { readonly kind: 'truncated' }

/** A question and its number. */
export interface Question {
  readonly id: number
  readonly bytes: Buffer
}

const type = { srv: 33, soa: 6, opt: 41 } as const
const codes: Readonly<Record<number, string>> = { 1: 'FORMERR', 2: 'SERVFAIL', 4: 'NOTIMP', 5: 'REFUSED' }
/** What fits a datagram without fragments (DNS Flag Day 2020). */
const payload = 1_232

/** A recursive question for the SRV records of a name (RFC 1035 section 4, RFC 6891). @throws Error for a name that does not fit. */
export function srvQuestion(name: string): Question {
  const id = randomInt(0x1_0000)
  const labels = name
    .replace(/\.$/, '')
    .split('.')
    .map((label) => Buffer.from(label, 'latin1'))
  if (labels.some(({ length }) => length === 0 || length > 63) || labels.reduce((sum, { length }) => sum + length + 1, 1) > 255)
    throw new Error(`${name} is no DNS name`)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(id, 0)
  head.writeUInt16BE(0x0100, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(1, 10)
  const tail = Buffer.from([0, 0, type.srv, 0, 1, 0, 0, type.opt, payload >> 8, payload & 0xff, 0, 0, 0, 0, 0, 0])
  return { id, bytes: Buffer.concat([head, ...labels.flatMap((label) => [Buffer.from([label.length]), label]), tail]) }
}

/**
 * Reads the answer to a question; undefined for a datagram that is not it. A name that does not exist has no services.
 * @throws Error for an answer that is malformed, or says that nobody knows.
 */
export function readSrvAnswer(bytes: Uint8Array, question: Question): SrvAnswer | undefined {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const asked = question.bytes.subarray(12, question.bytes.length - 11)
  if (data.length < 12 || data.readUInt16BE(0) !== question.id || (data[2] ?? 0) < 0x80) return undefined
  const flags = data.readUInt16BE(2)
  const code = flags & 0xf
  if (code !== 0 && code !== 3) throw new Error(`DNS answers ${codes[code] ?? code}`)
  // The question comes back; its letters may come in another case.
  if (
    data.readUInt16BE(4) !== 1 ||
    data
      .subarray(12, 12 + asked.length)
      .toString('latin1')
      .toLowerCase() !== asked.toString('latin1').toLowerCase()
  )
    return undefined
  if ((flags & 0x0200) !== 0) return { kind: 'truncated' }
  try {
    return recordsIn(data, 12 + asked.length, data.readUInt16BE(6), data.readUInt16BE(8))
  } catch (error) {
    throw new Error('the answer of DNS is malformed', { cause: error })
  }
}

function recordsIn(data: Buffer, start: number, answers: number, authorities: number): SrvAnswer {
  const services: NamedService[] = []
  let ttl: number | undefined
  let at = start
  for (let record = 0; record < answers + authorities; record += 1) {
    at = readName(data, at).end
    const kind = data.readUInt16BE(at)
    // RFC 2181 section 8: a time whose highest bit is set is none.
    const seconds = data.readInt32BE(at + 4)
    const length = data.readUInt16BE(at + 8)
    const body = at + 10
    at = body + length
    if (at > data.length) throw new Error('a record is cut')
    // Of a chain of names the shortest time counts; of an empty answer that of the zone (RFC 2308 section 5).
    if (record < answers || (services.length === 0 && kind === type.soa)) ttl = Math.min(ttl ?? Number.POSITIVE_INFINITY, Math.max(0, seconds))
    if (record >= answers || kind !== type.srv) continue
    services.push({
      priority: data.readUInt16BE(body),
      weight: data.readUInt16BE(body + 2),
      port: data.readUInt16BE(body + 4),
      host: readName(data, body + 6).name,
    })
  }
  return { kind: 'services', services, ttlMs: ttl === undefined ? undefined : ttl * 1_000 }
}

/** A name with compression (RFC 1035 section 4.1.4): each pointer leads further back, so that none leads in a circle. */
function readName(data: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = start
  let end: number | undefined
  let before = start
  for (let length = data.readUInt8(at); length !== 0; length = data.readUInt8(at)) {
    if (length >= 0xc0) {
      const target = data.readUInt16BE(at) & 0x3fff
      end ??= at + 2
      if (target >= before) throw new Error('a name points forward')
      before = target
      at = target
    } else if (length > 63 || labels.length > 127) throw new Error('a label is too long')
    else {
      if (at + 1 + length > data.length) throw new Error('a name is cut')
      labels.push(data.toString('latin1', at + 1, at + 1 + length).toLowerCase())
      at += 1 + length
    }
  }
  return { name: labels.join('.'), end: end ?? at + 1 }
}
