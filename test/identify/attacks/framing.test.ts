import { describe, expect, it } from 'vitest'
import { talkTo } from '../../support/listener.ts'
import { atHouse } from './attack.ts'

const house = atHouse()
const host = 'Host: a.example'
const post = 'POST /open/first HTTP/1.1'
/** What would be a request of its own to whoever ends the first one elsewhere. */
const smuggled = `GET /open/smuggled HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`

/** Says it all at once and hears everything up to the end of the connection. */
async function hear(text: string): Promise<string> {
  const talk = talkTo(house().port)
  talk.say(text)
  return talk.end()
}

const statuses = (heard: string) => [...heard.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)).filter((status) => status !== 100)
const targets = (before: number) =>
  house()
    .upstream.requests.slice(before)
    .map(({ method, target, body }) => `${method} ${target} ${body}`)
const message = (lines: readonly string[], body = '') => `${lines.join('\r\n')}\r\n\r\n${body}`

describe('controls: what is framed well passes, whatever follows it', () => {
  it.each<[string, string, string]>([
    ['a length', message([post, host, 'Content-Length: 5'], 'hello'), 'POST /open/first hello'],
    ['chunks', message([post, host, 'Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'), 'POST /open/first hello'],
    ['Chunked in capitals', message([post, host, 'TRANSFER-ENCODING: Chunked'], '5\r\nhello\r\n0\r\n\r\n'), 'POST /open/first hello'],
    ['a chunk with an extension', message([post, host, 'Transfer-Encoding: chunked'], '5;x=y\r\nhello\r\n0\r\n\r\n'), 'POST /open/first hello'],
    ['a body that looks like a request', message([post, host, `Content-Length: ${smuggled.length}`], smuggled), `POST /open/first ${smuggled}`],
    ['no body', message(['GET /open/first HTTP/1.1', host]), 'GET /open/first '],
    ['an empty line before it', `\r\n${message(['GET /open/first HTTP/1.1', host])}`, 'GET /open/first '],
    ['a GET with a body', message(['GET /open/first HTTP/1.1', host, 'Content-Length: 5'], 'hello'), 'GET /open/first hello'],
  ])('%s', async (_, first, saw) => {
    const before = house().upstream.requests.length
    expect(statuses(await hear(first + smuggled))).toEqual([200, 200])
    expect(targets(before)).toEqual([saw, 'GET /open/smuggled '])
  })
})

const both = 'RFC 9112 section 6.1 (CL.TE, TE.CL)'
const lengths = 'RFC 9112 section 6.3 (CL.CL)'
const codings = 'RFC 9112 section 6.1 (TE.TE)'
const chunked = '0\r\n\r\n'
const te = 'Transfer-Encoding: chunked'

/** Name, source, status, head, body. */
type Head = readonly [name: string, source: string, status: number, lines: readonly string[], body?: string]
const heads: readonly Head[] = [
  ['a length and chunks', both, 400, [post, host, 'Content-Length: 5', te], chunked],
  ['chunks and a length', both, 400, [post, host, te, 'Content-Length: 5'], chunked],
  ['chunks and a length of zero', both, 400, [post, host, te, 'Content-Length: 0'], chunked],
  ['a length and chunks in other case', both, 400, [post, host, 'content-length: 5', 'transfer-encoding: CHUNKED'], chunked],
  ['two lengths', lengths, 400, [post, host, 'Content-Length: 5', 'Content-Length: 0'], 'hello'],
  ['two equal lengths', lengths, 400, [post, host, 'Content-Length: 5', 'Content-Length: 5'], 'hello'],
  ['two lengths in other case', lengths, 400, [post, host, 'Content-Length: 5', 'CONTENT-LENGTH: 0'], 'hello'],
  ...[
    '5, 5',
    '5,0',
    '+5',
    '-5',
    '0x5',
    '5.0',
    '5e0',
    '5 5',
    '',
    ' ',
    '5a',
    '\u00b25',
    '٥',
    '99999999999999999999',
    '18446744073709551621',
    '"5"',
    '5;',
    '5\u0000',
  ].map((value) => [`a length of ${JSON.stringify(value)}`, lengths, 400, [post, host, `Content-Length: ${value}`], 'hello'] as const),
  ['a folded length', 'RFC 9112 section 5.2', 400, [post, host, 'Content-Length: 5', ' 0'], 'hello'],
  ['a blank before the colon of a length', 'RFC 9112 section 5.1', 400, [post, host, 'Content-Length : 5'], 'hello'],
  ['a length under a name with "_"', 'GHSA-vjrc-mh2v-45x6 class', 400, [post, host, 'Content_Length: 5'], 'hello'],
  ...[
    'xchunked',
    'chunked, identity',
    'identity, chunked',
    'gzip, chunked',
    'chunked, chunked',
    'identity',
    'chunked;q=1',
    '"chunked"',
    'chunked ,',
    ', chunked',
    'cow',
    '\u000bchunked',
    'chunk',
    'chunked\u0000',
    '',
  ].map((value) => [`the coding ${JSON.stringify(value)}`, codings, 400, [post, host, `Transfer-Encoding: ${value}`], chunked] as const),
  ['two codings', codings, 400, [post, host, te, te], chunked],
  ['two codings, one unknown', codings, 400, [post, host, te, 'Transfer-Encoding: x'], chunked],
  ['a blank before the colon of a coding', 'RFC 9112 section 5.1', 400, [post, host, 'Transfer-Encoding : chunked'], chunked],
  ['a folded coding', 'RFC 9112 section 5.2', 400, [post, host, 'Transfer-Encoding:', ' chunked'], chunked],
  ['a coding behind a fold of another field', 'RFC 9112 section 5.2', 400, [post, host, 'X-A: b', ' Transfer-Encoding: chunked'], chunked],
  ['a coding under a name with "_"', 'GHSA-vjrc-mh2v-45x6 class', 400, [post, host, 'Transfer_Encoding: chunked'], chunked],
  ['a coding behind a bare CR', 'RFC 9112 section 2.2', 400, [post, host, 'X-A: b\rTransfer-Encoding: chunked'], chunked],
  ['a coding behind a bare LF', 'RFC 9112 section 2.2', 400, [post, host, 'X-A: b\nTransfer-Encoding: chunked'], chunked],
  ['a coding named by Connection', 'RFC 9110 section 7.6.1', 400, [post, host, 'Connection: Transfer-Encoding', te], chunked],
  ['a length named by Connection', 'RFC 9110 section 7.6.1', 400, [post, host, 'Connection: Content-Length', 'Content-Length: 5'], 'hello'],
  ['chunks in HTTP/1.0', 'RFC 9112 section 6.1', 400, ['POST /open/first HTTP/1.0', host, te, 'Connection: keep-alive'], chunked],
  ['trailers that are announced', 'RFC 9110 section 6.6.2', 400, [post, host, te, 'Trailer: x'], '0\r\nx: y\r\n\r\n'],
  [
    'an upgrade to HTTP/2',
    'CVE-2021-32783 class (h2c smuggling)',
    501,
    ['GET /open/first HTTP/1.1', host, 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'],
  ],
  [
    'an upgrade to WebSocket',
    'RFC 6455 section 4.2 (smuggling)',
    501,
    ['GET /open/first HTTP/1.1', host, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 777'],
  ],
  ['an upgrade that Connection does not name', 'RFC 9110 section 7.8', 501, ['GET /open/first HTTP/1.1', host, 'Upgrade: h2c']],
  ['HTTP/0.9', 'RFC 9112 section 2.3', 400, ['GET /open/first']],
  ...[
    'HTTP/1.2',
    'HTTP/2.0',
    'HTTP/3',
    'HTTP/0.9',
    'http/1.1',
    'HTTP/1.1x',
    'HTTP/1',
    'HTTP/1.',
    'HTTP/01.1',
    'HTTP/1.10',
    'HTTPS/1.1',
    'ICE/1.0',
    'RTSP/2.0',
  ].map((version) => [`version ${version}`, 'RFC 9112 section 2.3', 400, [`GET /open/first ${version}`, host]] as const),
  ['something behind the version', 'RFC 9112 section 3', 400, ['GET /open/first HTTP/1.1 x', host]],
  ['the preface of HTTP/2 behind a request line', 'RFC 9113 section 3.4', 400, ['PRI * HTTP/1.1', host]],
  ['text that is no request', 'RFC 9112 section 3', 400, ['hello']],
  ['TLS where there is none', 'RFC 8446', 400, ['\u0016\u0003\u0001\u0002\u0000\u0001']],
]

describe('heads that two parsers would frame differently', () => {
  it.each(heads.map(([name, source, status, lines, body = '']) => [name, source, status, lines, body] as const))(
    '%s (%s)',
    async (_name, _source, status, lines, body) => {
      const size = house().upstream.size()
      const heard = await hear(message(lines, body) + smuggled)
      // One answer, and the end: what follows is nobody's request any more.
      expect(statuses(heard)).toEqual([status])
      expect(heard).toContain('connection: close')
      expect(heard).toContain('content-type: application/problem+json')
      expect(heard).not.toContain('recorded')
      expect(house().upstream.size()).toBe(size)
    },
  )
})

describe('line ends and blanks in heads', () => {
  it.each<[string, string, string]>([
    ['bare LF everywhere', 'RFC 9112 section 2.2', `GET /open/first HTTP/1.1\n${host}\n\n`],
    ['bare LF behind the request line', 'RFC 9112 section 2.2', `GET /open/first HTTP/1.1\n${host}\r\n\r\n`],
    ['bare LF behind a field', 'RFC 9112 section 2.2', `GET /open/first HTTP/1.1\r\n${host}\nX-A: b\r\n\r\n`],
    ['bare LF at the end of the head', 'RFC 9112 section 2.2', `GET /open/first HTTP/1.1\r\n${host}\r\n\n`],
    ['bare CR behind the request line', 'RFC 9112 section 2.2', `GET /open/first HTTP/1.1\r${host}\r\n\r\n`],
    ['bare CR at the end of the head', 'RFC 9112 section 2.2', `GET /open/first HTTP/1.1\r\n${host}\r\n\rX`],
    ['a blank before the first field', 'RFC 9112 section 2.2', `GET /open/first HTTP/1.1\r\n ${host}\r\n\r\n`],
    ['NUL before the request', 'RFC 9112 section 2.2', `\u0000GET /open/first HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a blank before the request', 'RFC 9112 section 2.2', ` GET /open/first HTTP/1.1\r\n${host}\r\n\r\n`],
  ])('%s (%s)', async (_name, _source, text) => {
    const size = house().upstream.size()
    const heard = await hear(text + smuggled)
    expect(statuses(heard)).toEqual([400])
    expect(house().upstream.size()).toBe(size)
  })
})

const overflow = 'RFC 9112 section 7.1 (chunk-size), CVE-2013-2028'

describe('chunks that two parsers would cut differently never make a whole request', () => {
  it.each<[string, string, string]>([
    ['a size of FFFFFFFFFFFFFFFFF', overflow, 'FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n'],
    ['a size of 10000000000000005', overflow, '10000000000000005\r\nhello\r\n0\r\n\r\n'],
    ['a negative size', overflow, '-5\r\nhello\r\n0\r\n\r\n'],
    ['a size with a sign', overflow, '+5\r\nhello\r\n0\r\n\r\n'],
    ['a size with 0x', overflow, '0x5\r\nhello\r\n0\r\n\r\n'],
    ['a size with a blank before', overflow, ' 5\r\nhello\r\n0\r\n\r\n'],
    ['no size', overflow, '\r\nhello\r\n0\r\n\r\n'],
    ['a size that is no number', overflow, 'xyz\r\nhello\r\n0\r\n\r\n'],
    ['a chunk that is longer than its size', 'RFC 9112 section 7.1', '4\r\nhello\r\n0\r\n\r\n'],
    ['a chunk without line end', 'RFC 9112 section 7.1', '5\r\nhello0\r\n\r\n'],
    ['a chunk with bare LF', 'CVE-2024-27982 class, RFC 9112 section 7.1', '5\nhello\n0\n\n'],
    ['a bare LF behind a size', 'RFC 9112 section 7.1', '5\nhello\r\n0\r\n\r\n'],
    ['a bare LF behind an extension', 'CVE-2025-49812 class (TERM.EXT)', '5;x\nhello\r\n0\r\n\r\n'],
    ['a bare CR behind an extension', 'RFC 9112 section 7.1.1', '5;x\rhello\r\n0\r\n\r\n'],
    ['a bare LF behind the chunk', 'RFC 9112 section 7.1', '5\r\nhello\n0\r\n\r\n'],
    ['an extension of 32 KiB', 'CVE-2024-22019', `5;x=${'y'.repeat(32_768)}\r\nhello\r\n0\r\n\r\n`],
    ['a last chunk with bare LF', 'RFC 9112 section 7.1', '5\r\nhello\r\n0\n\n'],
  ])('%s (%s)', async (_name, _source, body) => {
    const before = house().upstream.requests.length
    const heard = await hear(message([post, host, te], body) + smuggled)
    expect(statuses(heard).filter((status) => status < 400)).toEqual([])
    expect(targets(before)).toEqual([])
  })

  it('nor does a body that ends before its length (RFC 9112 section 8)', async () => {
    const before = house().upstream.requests.length
    const talk = talkTo(house().port)
    talk.say(message([post, host, 'Content-Length: 50'], 'hello'))
    talk.socket.end()
    expect(statuses(await talk.end()).filter((status) => status < 400)).toEqual([])
    expect(targets(before)).toEqual([])
  })
})

describe('RTSP/1.0, which the parser takes for HTTP/1.0', () => {
  it('ends the connection, and goes on as HTTP/1.1', async () => {
    const before = house().upstream.bytes().length
    expect(statuses(await hear(message(['GET /open/first RTSP/1.0', host]) + smuggled))).toEqual([200])
    expect(house().upstream.bytes().slice(before)).toMatch(/^GET \/open\/first HTTP\/1\.1\r\n/)
  })
})

describe('requests in a row', () => {
  it('behind one that is refused for its path are not run (CWE-444)', async () => {
    const size = house().upstream.size()
    expect(statuses(await hear(message(['GET /open/../x HTTP/1.1', host]) + smuggled))).toEqual([400])
    expect(house().upstream.size()).toBe(size)
  })

  it('behind one that is refused for its token are judged by themselves', async () => {
    const token = await house().main.token()
    const good = message(['GET /private/one HTTP/1.1', host, `Authorization: Bearer ${token}`])
    const bad = message(['GET /private/two HTTP/1.1', host])
    const before = house().upstream.requests.length
    // The credential of one request is not that of the next on the same connection.
    expect(statuses(await hear(good + bad + good + smuggled))).toEqual([200, 401, 200, 200])
    expect(targets(before)).toEqual(['GET /private/one ', 'GET /private/one ', 'GET /open/smuggled '])
  })

  it('behind a refused one with a body do not begin inside that body', async () => {
    const before = house().upstream.requests.length
    const first = message(['POST /private/x HTTP/1.1', host, `Content-Length: ${smuggled.length}`], smuggled)
    expect(statuses(await hear(first + smuggled))).toEqual([401, 200])
    expect(targets(before)).toEqual(['GET /open/smuggled '])
  })
})
