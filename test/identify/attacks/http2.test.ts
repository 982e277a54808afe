import { describe, expect, it } from 'vitest'
import { type Frame, fieldBlock, type StreamEnd, speakFrames } from '../../support/h2-frames.ts'
import { atHouse } from './attack.ts'

const house = atHouse()
type Field = readonly [name: string, value: string]

const endStream = 1
const endHeaders = 4
const protocolError = 1

const pseudo = (changes: Readonly<Record<string, string | undefined>> = {}): readonly Field[] => {
  const all = { ':method': 'GET', ':scheme': 'http', ':authority': 'a.example', ':path': '/open/x', ...changes }
  return Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
}
const head = (fields: readonly Field[], flags = endStream | endHeaders): Frame => ({ type: 'headers', flags, stream: 1, payload: fieldBlock(fields) })
const data = (text: string, flags = endStream): Frame => ({ type: 'data', flags, stream: 1, payload: Buffer.from(text) })
const get = (...more: readonly Field[]): readonly Frame[] => [head([...pseudo(), ...more])]
const post = (...more: readonly Field[]): Frame => head([...pseudo({ ':method': 'POST' }), ...more], endHeaders)

/** `200`, the status and code of a problem, or how the stream or the connection ended. */
function verdict(end: StreamEnd): string {
  if (end.kind === 'closed') return 'closed'
  if (end.kind !== 'answer') return `${end.kind} ${end.error}`
  if (end.body === 'recorded\n') return '200'
  const { status, code } = JSON.parse(end.body) as { readonly status: number; readonly code: string }
  return `${status} ${code}`
}

describe('controls: a stream in order passes', () => {
  it.each<[string, readonly Frame[]]>([
    ['a GET', get()],
    ['a GET with a field', get(['x-a', 'b'])],
    ['a Host that agrees', get(['host', 'a.example'])],
    ['te: trailers', get(['te', 'trailers'])],
    ['a POST with a length', [post(['content-length', '5']), data('hello')]],
    ['a POST in two frames', [post(), data('he', 0), data('llo')]],
    [
      'a field block in two frames',
      [
        { ...head(pseudo(), endStream), payload: fieldBlock(pseudo()) },
        { type: 'continuation', flags: endHeaders, stream: 1, payload: fieldBlock([['x-a', 'b']]) },
      ],
    ],
    ['trailers that say nothing', [post(), data('hello', 0), head([['x-sum', '1']])]],
  ])('%s', async (_, frames) => {
    const before = house().upstream.requests.length
    expect(verdict(await speakFrames(house().port, frames))).toBe('200')
    expect(house().upstream.requests).toHaveLength(before + 1)
    expect(house().upstream.requests[before]?.trailers).toEqual([])
  })
})

const malformed = `reset ${protocolError}`
const pseudos = 'RFC 9113 section 8.3'
const names = 'RFC 9113 section 8.2.1'
const values = 'RFC 9113 section 8.2.1'
const connectionFields = 'RFC 9113 section 8.2.2'
const disagree = 'RFC 9113 section 8.3.1, host_invalid'

/** What must come of it may be the transport's own answer: a stream error (RFC 9113 section 8.1.1). */
const attacks: readonly (readonly [name: string, source: string, verdict: string, frames: readonly Frame[]])[] = [
  ['a name in capitals', names, malformed, get(['X-User', 'admin'])],
  ['a name with a capital', names, malformed, get(['authorizatioN', 'Bearer x'])],
  ['a name with "_"', 'GHSA-vjrc-mh2v-45x6', '400 request_invalid', get(['x_user', 'admin'])],
  ['a value with a space before', values, '400 request_invalid', get(['x-a', ' b'])],
  ['a value with a tab behind', values, '400 request_invalid', get(['x-a', 'b\t'])],
  ['connection', connectionFields, malformed, get(['connection', 'close'])],
  ['keep-alive', connectionFields, malformed, get(['keep-alive', 'timeout=5'])],
  ['proxy-connection', connectionFields, malformed, get(['proxy-connection', 'keep-alive'])],
  ['upgrade', connectionFields, malformed, get(['upgrade', 'h2c'])],
  ['transfer-encoding', 'RFC 9113 section 8.2.2 (H2.TE)', malformed, [post(['transfer-encoding', 'chunked']), data('0\r\n\r\n')]],
  ['transfer-encoding in capitals', 'RFC 9113 section 8.2.2 (H2.TE)', malformed, [post(['Transfer-Encoding', 'chunked']), data('0\r\n\r\n')]],
  ['te: gzip', connectionFields, malformed, get(['te', 'gzip'])],
  ['a trailer field', 'RFC 9110 section 6.6.2', '400 request_invalid', get(['trailer', 'x'])],
  ['a length that is too short', 'RFC 9113 section 8.1.1 (H2.CL)', 'goaway 2', [post(['content-length', '2']), data('hello')]],
  ['a length that is too long', 'RFC 9113 section 8.1.1 (H2.CL)', malformed, [post(['content-length', '50']), data('hello')]],
  ['a length and no body', 'RFC 9113 section 8.1.1 (H2.CL)', malformed, [head([...pseudo({ ':method': 'POST' }), ['content-length', '5']])]],
  ['two lengths', 'RFC 9113 section 8.1.1 (H2.CL)', malformed, [post(['content-length', '5'], ['content-length', '0']), data('hello')]],
  ['a length that is no number', 'RFC 9113 section 8.1.1', malformed, [post(['content-length', '5, 5']), data('hello')]],
  ['two paths', pseudos, malformed, [head([...pseudo(), [':path', '/private/7']])]],
  ['two methods', pseudos, malformed, [head([...pseudo(), [':method', 'DELETE']])]],
  ['two authorities', pseudos, malformed, [head([...pseudo(), [':authority', 'inside.example']])]],
  ['two schemes', pseudos, malformed, [head([...pseudo(), [':scheme', 'https']])]],
  ['a path behind a field', pseudos, malformed, [head([['x-a', 'b'], ...pseudo()])]],
  ['an unknown pseudo-field', pseudos, malformed, get([':user', 'admin'])],
  ['a pseudo-field of answers', pseudos, malformed, [head([...pseudo(), [':status', '200']])]],
  [':protocol', 'RFC 8441 section 4', malformed, [head([...pseudo({ ':method': 'CONNECT' }), [':protocol', 'websocket']])]],
  ['no method', pseudos, malformed, [head(pseudo({ ':method': undefined }))]],
  ['no path', pseudos, malformed, [head(pseudo({ ':path': undefined }))]],
  ['no scheme', pseudos, malformed, [head(pseudo({ ':scheme': undefined }))]],
  ['an empty path', pseudos, malformed, [head(pseudo({ ':path': '' }))]],
  ['an empty method', pseudos, malformed, [head(pseudo({ ':method': '' }))]],
  ['a path with a space', pseudos, malformed, [head(pseudo({ ':path': '/open/x HTTP/1.1' }))]],
  ['a path with a line end', 'CVE-2021-33193', malformed, [head(pseudo({ ':path': '/open/x HTTP/1.1\r\nx-user: admin\r\n\r\n' }))]],
  ['a path with a fragment', pseudos, '400 path_ambiguous', [head(pseudo({ ':path': '/open/x#/../private' }))]],
  ['a path with a backslash', pseudos, '400 path_ambiguous', [head(pseudo({ ':path': '/open\\..\\private' }))]],
  ['a path beyond ASCII', pseudos, '400 path_ambiguous', [head(pseudo({ ':path': '/open/\u00e9' }))]],
  ['a path without a slash', pseudos, malformed, [head(pseudo({ ':path': 'open/x' }))]],
  ['a path with a host', pseudos, malformed, [head(pseudo({ ':path': 'http://inside.example/hosted/x' }))]],
  ['a star for a path', pseudos, malformed, [head(pseudo({ ':path': '*' }))]],
  ['dot segments', 'CVE-2019-9901', '400 path_ambiguous', [head(pseudo({ ':path': '/open/../private/7' }))]],
  ['a method with a space', 'CVE-2021-33193', malformed, [head(pseudo({ ':method': 'GET /private/7 HTTP/1.1' }))]],
  ['a method with a line end', 'CVE-2021-33193', malformed, [head(pseudo({ ':method': 'GET / HTTP/1.1\r\nx: y\r\n\r\nGET' }))]],
  ['a method in lower case', 'RFC 9110 section 9.1', '501 not_implemented', [head(pseudo({ ':method': 'get' }))]],
  [
    'CONNECT',
    'RFC 9113 section 8.5',
    '501 not_implemented',
    [
      head([
        [':method', 'CONNECT'],
        [':authority', '127.0.0.1:22'],
      ]),
    ],
  ],
  ['CONNECT with a path', 'RFC 9113 section 8.5', malformed, [head(pseudo({ ':method': 'CONNECT' }))]],
  ['a Host that disagrees', disagree, '400 host_invalid', get(['host', 'inside.example'])],
  ['a Host with another port', disagree, '400 host_invalid', get(['host', 'a.example:81'])],
  ['two Hosts', 'RFC 9110 section 7.2', malformed, get(['host', 'a.example'], ['host', 'inside.example'])],
  ['an empty authority', pseudos, malformed, [head(pseudo({ ':authority': '' }))]],
  ['no host at all', pseudos, malformed, [head(pseudo({ ':authority': undefined }))]],
  ['userinfo in the authority', 'RFC 9113 section 8.3.1', malformed, [head(pseudo({ ':authority': 'user@a.example' }))]],
  ['a path in the authority', 'RFC 9113 section 8.3.1', malformed, [head(pseudo({ ':authority': 'a.example/x' }))]],
  ['a line end in the authority', 'CVE-2021-33193 class', malformed, [head(pseudo({ ':authority': 'a.example\r\nx-user: admin' }))]],
  ['two credentials', 'RFC 6750 section 3.1', '400 credential_invalid', get(['authorization', 'Bearer a'], ['authorization', 'Bearer b'])],
  ['two proofs', 'RFC 9449 section 4.3', '400 credential_invalid', get(['dpop', 'a'], ['dpop', 'b'])],
  ['a pseudo-field in trailers', 'RFC 9113 section 8.1', malformed, [post(), data('hello', 0), head([[':path', '/private/7']])]],
  ['trailers that do not end the stream', 'RFC 9113 section 8.1', malformed, [post(), data('hello', 0), head([['x-a', 'b']], endHeaders)]],
]

/** The transport drops such a field and goes on without it: what it would have said is said to nobody. */
const dropped: readonly (readonly [name: string, source: string, frames: readonly Frame[]])[] = [
  ['a name with a space', names, get(['x user', 'admin'])],
  ['a name with a colon inside', names, get(['x-a: b', 'c'])],
  ['a name with a line end', 'CVE-2021-33193 class', get(['x-a\r\nx-user', 'admin'])],
  ['a name with NUL', names, get(['x-user\u0000', 'admin'])],
  ['a name beyond ASCII', names, get(['x-us\u00e9r', 'admin'])],
  ['an empty name', names, get(['', 'admin'])],
  ['a value with a line end', 'CVE-2021-33193 class, CWE-93', get(['x-a', 'b\r\nx-user: admin'])],
  ['a value with LF', values, get(['x-a', 'b\nx-user: admin'])],
  ['a value with CR', values, get(['x-a', 'b\rx-user: admin'])],
  ['a value with NUL', values, get(['x-a', 'b\u0000c'])],
  ['a request in a value', 'CVE-2021-33193 class', get(['x-a', 'b\r\n\r\nGET /open/smuggled HTTP/1.1\r\nhost: a'])],
  ['transfer-encoding behind a line end', 'H2.TE by injection', [post(['x-a', 'b\r\ntransfer-encoding: chunked']), data('0\r\n\r\n')]],
]

describe('fields that no upstream must get', () => {
  it.each(dropped)('%s (%s)', async (_name, _source, frames) => {
    const before = house().upstream.requests.length
    const size = house().upstream.bytes().length
    expect(verdict(await speakFrames(house().port, frames))).toBe('200')
    expect(house().upstream.requests).toHaveLength(before + 1)
    expect(house().upstream.bytes().slice(size)).not.toMatch(/admin|smuggled|chunked\r\n.*chunked|x-a|x-us/i)
  })

  it('and a dropped credential is none: it opens nothing (RFC 9113 section 8.2.1)', async () => {
    const before = house().upstream.requests.length
    const fields = [...pseudo({ ':path': '/private/7' }), ['authorization', `Bearer ${await house().main.token()}\u0001`] as const]
    expect(verdict(await speakFrames(house().port, [head(fields)]))).toBe('401 unauthenticated')
    expect(house().upstream.requests).toHaveLength(before)
  })
})

describe('streams that no upstream must get', () => {
  it.each(attacks)('%s (%s)', async (_name, _source, expected, frames) => {
    const before = house().upstream.requests.length
    expect(verdict(await speakFrames(house().port, frames))).toBe(expected)
    expect(house().upstream.requests).toHaveLength(before)
  })
})

describe('a credential in trailers', () => {
  it('is none (RFC 9110 section 6.5.1)', async () => {
    const before = house().upstream.requests.length
    const fields = [['authorization', `Bearer ${await house().main.token()}`]] as const
    const frames = [head(pseudo({ ':method': 'POST', ':path': '/private/7' }), endHeaders), data('hello', 0), head(fields)]
    expect(verdict(await speakFrames(house().port, frames))).toBe('401 unauthenticated')
    expect(house().upstream.requests).toHaveLength(before)
  })
})
