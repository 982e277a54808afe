import { expect, vi } from 'vitest'
import type { Case, Look } from './attack.ts'
import { secret } from './canaries.ts'
import { openCatalogue } from './catalogue.ts'
import { hostOf } from './house.ts'
import { request } from './talk.ts'
import { answer } from './vendor.ts'

/** What a vendor that means harm, or is broken, may answer. */
export const answering = openCatalogue('answer')

const home = '93.184.216.34'
const to = answering.leading([home])
const dialled = [`${home}:443`]

/** The vendor answers these bytes, and they end so. */
const answers = (name: string, pieces: readonly string[], ends: string, flaws?: Look, source?: string): Case => ({
  name,
  to,
  script: () => pieces,
  ends,
  dialled,
  asked: ['GET /v1/x'],
  ...(flaws !== undefined && { flaws }),
  ...(source !== undefined && { source }),
})
const says =
  (...wanted: readonly string[]): Look =>
  ({ text }) =>
    wanted.flatMap((part) => (text.includes(part) ? [] : [`does not say ${part}`]))
const keepsFromUs =
  (...parts: readonly string[]): Look =>
  ({ text }) =>
    parts.flatMap((part) => (text.toLowerCase().includes(part.toLowerCase()) ? [`says ${part}`] : []))
/** The answer was cut off, and says so by its framing. */
const broken: Look = ({ bytes }) => (bytes.endsWith('0\r\n\r\n') || /content-length/i.test(bytes) ? ['looks whole'] : [])

const head = (lines: readonly string[], body = '') => [`${['HTTP/1.1 200 OK', ...lines].join('\r\n')}\r\n\r\n${body}`]

export const answerControls: readonly Case[] = [
  answers('a length', [answer(200, ['x-order: 7'], 'hello')], '200', says('x-order: 7', 'hello')),
  answers('chunks', head(['transfer-encoding: chunked', 'connection: close'], '5\r\nhello\r\n0\r\n\r\n'), '200', says('hello')),
  answers('an end of the connection, which third parties still use', head([], 'hello'), '200', says('hello')),
  answers('an error of the vendor', [answer(418, ['content-type: text/plain'], 'teapot')], '418', says('teapot')),
  answers('a cookie of the vendor', [answer(200, ['set-cookie: a=1'])], '200', says('set-cookie: a=1')),
  answers('an interim answer first', ['HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n', answer(200, [], 'hello')], '200', says('hello')),
]

const splitting = 'RFC 9112 section 11.1 (response splitting)'
const smuggling = 'RFC 9112 section 6.3'
const refused = (name: string, pieces: readonly string[], source = smuggling) => answers(name, pieces, '502 upstream_protocol', undefined, source)

export const answerAttacks: readonly Case[] = [
  refused('a length and chunks', head(['content-length: 5', 'transfer-encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n')),
  refused('two lengths', head(['content-length: 5', 'content-length: 0'], 'hello')),
  refused('a length with a sign', head(['content-length: +5'], 'hello')),
  refused('a length that is too large', head(['content-length: 99999999999999999999'], 'hello')),
  refused('a coding that was not asked for', head(['transfer-encoding: gzip'], 'hello')),
  refused('two codings', head(['transfer-encoding: gzip, chunked'], '5\r\nhello\r\n0\r\n\r\n')),
  refused('a coding that is none', head(['transfer-encoding: xchunked'], '5\r\nhello\r\n0\r\n\r\n')),
  refused('no status', ['HTTP/1.1\r\n\r\n'], 'RFC 9112 section 4'),
  refused('a status of four digits', ['HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n'], 'RFC 9112 section 4'),
  refused('status 999', ['HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n'], 'RFC 9110 section 15'),
  refused('HTTP/0.9', ['hello'], 'RFC 9112 section 2.3'),
  refused('another protocol', ['SSH-2.0-OpenSSH_9.2\r\n'], 'RFC 9112 section 2.3'),
  refused('a field without a colon', head(['x-a'], 'hello'), 'RFC 9112 section 5'),
  refused('a blank before a colon', head(['x-a : b', 'content-length: 5'], 'hello'), 'RFC 9112 section 5.1'),
  refused('NUL in a field', head(['x-a: b\u0000c', 'content-length: 5'], 'hello'), splitting),
  refused('a bare CR in a field', head(['x-a: b\rset-cookie: x=1', 'content-length: 5'], 'hello'), splitting),
  refused('32 KiB of fields', head([`x-a: ${'a'.repeat(32_768)}`, 'content-length: 5'], 'hello'), 'RFC 9110 section 5.4'),
  answers('nothing', [], '502 upstream_reset'),
  answers('half a head', ['HTTP/1.1 200 OK\r\ncontent-le'], '502 upstream_reset'),
  answers('half a body', head(['content-length: 50'], 'hello'), '200', ({ text }) => (text.endsWith('hello') ? [] : ['not what came'])),
  answers('half a chunk', head(['transfer-encoding: chunked'], '50\r\nhello'), '200', broken),
  answers('chunks without an end', head(['transfer-encoding: chunked'], '5\r\nhello\r\n'), '200', broken),
  // The head had come already, and the first piece of the body is broken: the caller gets an end, and nothing that looks like an answer.
  answers('a chunk of a size that is none', head(['transfer-encoding: chunked'], 'xyz\r\nhello\r\n0\r\n\r\n'), 'closed'),
  answers(
    'fields in our name',
    [answer(200, ['x-egress-env: prod', 'x-egress-service: other', 'x-egress-mode: mock', 'X-Egress-Anything: 1'], 'hello')],
    '200',
    keepsFromUs('prod', 'other', 'mock', 'anything'),
  ),
  answers('a way around us', [answer(200, ['alt-svc: h2="evil.example:443"; ma=86400'])], '200', keepsFromUs('alt-svc', 'evil')),
  answers(
    'fields of its hop',
    [answer(200, ['keep-alive: timeout=5', 'proxy-authenticate: Basic realm=x', 'upgrade: h2c', 'x-hop: 1', 'Connection: x-hop'], 'hello')],
    '200',
    keepsFromUs('keep-alive', 'proxy-authenticate', 'upgrade', 'x-hop'),
  ),
  answers('a demand for proxy credentials', [answer(407, ['proxy-authenticate: Basic realm=x'])], '407', keepsFromUs('proxy-authenticate')),
  {
    name: 'an answer that nobody asked for, behind one that was: the next call gets its own',
    source: 'RFC 9112 section 9.2 (response queue poisoning)',
    send: request('GET /v1/x', hostOf(to)).replace('connection: close', 'connection: keep-alive') + request('GET /v1/y', hostOf(to)),
    script: ({ target }) => [
      target === '/v1/x' ? `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged` : answer(200, [], 'own'),
    ],
    ends: '200, 200',
    dialled: [...dialled, ...dialled],
    asked: ['GET /v1/x', 'GET /v1/y'],
    flaws: ({ text }) => (text.includes('forged') || !text.endsWith('own') ? ['the second call got another answer'] : []),
  },
  {
    name: 'an answer that nobody asked for, on a connection that waits: the connection ends',
    source: 'RFC 9112 section 9.2 (response queue poisoning)',
    to,
    script: () => ({ stays: ['HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged'] }),
    ends: '200',
    dialled,
    asked: ['GET /v1/x'],
    flaws: async ({ house }) => {
      const { vendor } = house.world
      await vi.waitFor(() => expect(vendor.open()).toBe(0), { timeout: 2_000, interval: 2 })
      return []
    },
  },
  answers('and the next call gets its own', [answer(200, [], 'own')], '200', says('own')),
]

const locations = [
  'https://api.prod.example/v1/x',
  'http://169.254.169.254/latest/meta-data/',
  'http://127.0.0.1:9901/',
  'https://answer1.vendor.example/elsewhere',
  '/elsewhere',
  '//evil.example/',
]

/** A redirect as it came, and nothing dialled for it. */
const redirected = (status: number, location: string): Case =>
  answers(`${status} to ${location}`, [answer(status, [`location: ${location}`])], `${status}`, says(`location: ${location}\r\n`))

export const redirectControls: readonly Case[] = [answers('no redirect', [answer(200, [], 'hello')], '200', says('hello'))]

export const redirectAttacks: readonly Case[] = [
  ...locations.map((location) => redirected(302, location)),
  ...[300, 301, 303, 305, 307, 308].map((status) => redirected(status, 'https://evil.example/take')),
  answers('a refresh in place of a redirect', [answer(200, ['refresh: 0; url=https://evil.example/'])], '200'),
  answers('401 with a challenge: nothing is sent again', [answer(401, ['www-authenticate: Bearer realm="evil"'])], '401'),
  {
    name: 'a POST that is redirected: its body goes nowhere else',
    send: request('POST /v1/x', hostOf(to), [], 'amount=1'),
    script: () => [answer(307, ['location: http://10.0.0.7/v1/x'])],
    ends: '307',
    dialled,
    asked: ['POST /v1/x amount=1'],
  },
  answers(
    'a redirect that carries what was injected',
    [answer(302, [`location: https://evil.example/?k=${encodeURIComponent(secret)}`])],
    '302',
    says('location: https://evil.example/?k='),
  ),
  answers(
    'a redirect that carries it in base64',
    [answer(302, [`location: https://evil.example/?k=${Buffer.from(`x${secret}y`).toString('base64url')}`])],
    '302',
  ),
]
