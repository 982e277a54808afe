import { challenge } from '../../model/challenge.ts'
import type { Arrival } from '../../model/exchange.ts'
import type { FaultCode } from '../../model/fault.ts'
import { FieldList } from '../../model/fields.ts'
import { refusal } from './refusal.ts'

export interface FieldLimits {
  readonly headerBytes: number
  readonly headerCount: number
}

/** Fields of which a second one would be read by somebody instead of the first, and what a second one is. */
const singletons: ReadonlyMap<string, FaultCode> = new Map<string, FaultCode>([
  ['authorization', 'credential_invalid'],
  ['dpop', 'credential_invalid'],
  ['proxy-authorization', 'credential_invalid'],
  ['host', 'host_invalid'],
  ['x-egress-env', 'env_invalid'],
  ...[
    'connect-timeout-ms',
    'content-disposition',
    'content-length',
    'content-location',
    'content-range',
    'content-type',
    'expect',
    'grpc-timeout',
    'idempotency-key',
    'if-modified-since',
    'if-range',
    'if-unmodified-since',
    'max-forwards',
    'origin',
    'range',
    'referer',
    'transfer-encoding',
    'upgrade',
    'user-agent',
    'x-egress-retry',
    'x-egress-timeout-ms',
    'x-server-timeout',
  ].map((name): [string, FaultCode] => [name, 'request_invalid']),
])

const lower = 1
const upper = 2
/** By ASCII code: RFC 9110 `tchar` without "_", which CGI-like upstreams read as "-". */
const nameKinds = new Uint8Array(128)
for (const char of "!#$%&'*+-.^`|~0123456789abcdefghijklmnopqrstuvwxyz") nameKinds[char.charCodeAt(0)] = lower
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') nameKinds[char.charCodeAt(0)] = upper

/** Every field with its name lower-case, after size, syntax and repetition were checked (RFC 9110 section 5, RFC 9113 section 8.2). @throws Fault */
export function readFields(arrival: Arrival, limits: FieldLimits): FieldList {
  const raw = arrival.rawHeaders
  if (raw.length > 2 * limits.headerCount) throw refusal(arrival, 'headers_too_large', 'too many header fields')
  const fields = new FieldList()
  let bytes = 0
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const given = raw[i] as string // i + 1 is inside
    const value = raw[i + 1] as string
    bytes += given.length + value.length + 4
    if (bytes > limits.headerBytes) throw refusal(arrival, 'headers_too_large', 'the header fields are too long')
    const name = readName(arrival, given)
    if (!isValue(value)) throw refusal(arrival, 'request_invalid', `the value of ${name} holds a control character or starts or ends with a space`)
    const repeated = singletons.get(name)
    if (repeated !== undefined && fields.has(name)) throw refusal(arrival, repeated, `${name} is given more than once`, challengesOf(arrival, name))
    // HTTP/2 may split Cookie; everything else expects one (RFC 9113 section 8.2.3).
    if (name === 'cookie' && fields.has(name)) fields.set(name, `${fields.get(name)}; ${value}`)
    else fields.append(name, value)
  }
  return fields
}

/** What RFC 6750 section 3.1 and RFC 9449 section 7.1 have a client told that brought several credentials to the public door. */
function challengesOf({ listener }: Arrival, name: string): readonly (readonly [string, string])[] {
  if ((name !== 'authorization' && name !== 'dpop') || listener !== 'public') return []
  const scheme = name === 'dpop' ? 'DPoP' : 'Bearer'
  return [['www-authenticate', challenge(scheme, { error: 'invalid_request', error_description: `${name} is given more than once` })]]
}

function readName(arrival: Arrival, given: string): string {
  let kinds = 0
  for (let i = 0; i < given.length; i++) {
    const code = given.charCodeAt(i)
    const kind = code > 127 ? 0 : (nameKinds[code] as number) // the table has 128 entries
    if (kind === 0) throw refusal(arrival, 'request_invalid', 'a header name holds a character that is not accepted')
    kinds |= kind
  }
  if (kinds === 0) throw refusal(arrival, 'request_invalid', 'a header has no name')
  if ((kinds & upper) === 0) return given
  if (arrival.httpVersion === '2') throw refusal(arrival, 'request_invalid', 'a header name is not lower-case')
  return given.toLowerCase()
}

/** Visible characters, obs-text, and spaces or tabs between them: no line folding, no NUL, nothing beyond one byte. */
function isValue(value: string): boolean {
  const end = value.length - 1
  for (let i = 0; i <= end; i++) {
    const code = value.charCodeAt(i)
    if (code > 0x20 && code < 0x7f) continue
    if (code === 0x20 || code === 0x09) {
      if (i === 0 || i === end) return false
    } else if (code < 0x80 || code > 0xff) return false
  }
  return true
}
