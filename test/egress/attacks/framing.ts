import type { Case } from './attack.ts'
import { openCatalogue } from './catalogue.ts'
import { hostOf } from './house.ts'
import { message } from './talk.ts'

/** Requests that two parsers would cut in different places, and protocols that somebody would like to speak instead. */
export const framed = openCatalogue('frame')

const home = '93.184.216.34'
const to = framed.leading([home])
const host = `host: ${hostOf(to)}`
const post = 'POST /v1/first HTTP/1.1'
const get = 'GET /v1/first HTTP/1.1'
/** What would be a request of its own to whoever ends the first one elsewhere. */
const smuggled = message(['GET /v1/smuggled HTTP/1.1', host, 'connection: close'])

const passes = (name: string, lines: readonly string[], body: string, saw: string, ends = '200, 200'): Case => ({
  name,
  send: message(lines, body) + smuggled,
  ends,
  dialled: [`${home}:443`, `${home}:443`],
  asked: [saw, 'GET /v1/smuggled'],
})

const te = 'transfer-encoding: chunked'

export const framingControls: readonly Case[] = [
  passes('a length', [post, host, 'content-length: 5'], 'hello', 'POST /v1/first hello'),
  passes('chunks', [post, host, te], '5\r\nhello\r\n0\r\n\r\n', 'POST /v1/first hello'),
  passes('a body that looks like a request', [post, host, `content-length: ${smuggled.length}`], smuggled, `POST /v1/first ${smuggled.trimEnd()}`),
  passes('a GET with a body', [get, host, 'content-length: 5'], 'hello', 'GET /v1/first hello'),
  passes('no body', [get, host], '', 'GET /v1/first'),
  passes(
    'an expectation: 100 when the body is wanted',
    [post, host, 'expect: 100-continue', 'content-length: 5'],
    'hello',
    'POST /v1/first hello',
    '100, 200, 200',
  ),
]

const bothFrames = 'RFC 9112 section 6.1 (CL.TE, TE.CL)'
const lengths = 'RFC 9112 section 6.3 (CL.CL)'
const codings = 'RFC 9112 section 6.1 (TE.TE)'
const folds = 'RFC 9112 section 5.2'
const ends = 'RFC 9112 section 2.2'
const versions = 'RFC 9112 section 2.3'
const chunked = '0\r\n\r\n'

/** Refused, and what follows is nobody's request any more. */
const refused = (name: string, source: string, lines: readonly string[], body = '', how = '400 request_invalid'): Case => ({
  name,
  source,
  send: message(lines, body) + smuggled,
  ends: how,
})
const bytes = (name: string, source: string, text: string, how = '400 request_invalid'): Case => ({ name, source, send: text + smuggled, ends: how })

export const framingAttacks: readonly Case[] = [
  refused('a length and chunks', bothFrames, [post, host, 'content-length: 5', te], chunked),
  refused('chunks and a length', bothFrames, [post, host, te, 'content-length: 5'], chunked),
  refused('chunks and a length of zero', bothFrames, [post, host, te, 'content-length: 0'], chunked),
  refused('two lengths', lengths, [post, host, 'content-length: 5', 'content-length: 0'], 'hello'),
  refused('two equal lengths', lengths, [post, host, 'content-length: 5', 'content-length: 5'], 'hello'),
  ...['5, 5', '+5', '-5', '0x5', '5.0', '5 5', '', '5a', '99999999999999999999', '18446744073709551621', '5\u0000'].map((value) =>
    refused(`a length of ${JSON.stringify(value)}`, lengths, [post, host, `content-length: ${value}`], 'hello'),
  ),
  refused('a length beyond what may be sent', 'RFC 9110 section 15.5.14', [post, host, 'content-length: 10485761'], '', '413 body_too_large'),
  refused(
    'such a length, and an expectation',
    'RFC 9110 section 10.1.1',
    [post, host, 'expect: 100-continue', 'content-length: 10485761'],
    '',
    '413 body_too_large',
  ),
  refused(
    'an expectation where nothing is allowed',
    'RFC 9110 section 10.1.1',
    [post, host.replace(to, 'nobody'), 'expect: 100-continue', 'content-length: 5'],
    '',
    '404 service_unknown',
  ),
  refused('a folded length', folds, [post, host, 'content-length: 5', ' 0'], 'hello'),
  refused('a blank before the colon', 'RFC 9112 section 5.1', [post, host, 'content-length : 5'], 'hello'),
  refused('a length under a name with "_"', 'GHSA-vjrc-mh2v-45x6 class', [post, host, 'content_length: 5'], 'hello'),
  ...[
    'xchunked',
    'chunked, identity',
    'identity, chunked',
    'gzip, chunked',
    'chunked, chunked',
    'identity',
    'chunked;q=1',
    '\u000bchunked',
    'chunked\u0000',
    '',
  ].map((value) => refused(`the coding ${JSON.stringify(value)}`, codings, [post, host, `transfer-encoding: ${value}`], chunked)),
  refused('two codings', codings, [post, host, te, te], chunked),
  refused('a coding under a name with "_"', 'GHSA-vjrc-mh2v-45x6 class', [post, host, 'transfer_encoding: chunked'], chunked),
  refused('a coding behind a bare LF', ends, [post, host, 'x-a: b\ntransfer-encoding: chunked'], chunked),
  refused('a coding behind a bare CR', ends, [post, host, 'x-a: b\rtransfer-encoding: chunked'], chunked),
  refused('chunks in HTTP/1.0', 'RFC 9112 section 6.1', ['POST /v1/first HTTP/1.0', host, te, 'connection: keep-alive'], chunked),
  bytes('bare LF everywhere', ends, `GET /v1/first HTTP/1.1\n${host}\n\n`),
  bytes('bare LF at the end of the head', ends, `GET /v1/first HTTP/1.1\r\n${host}\r\n\n`),
  bytes('a blank before the first field', ends, `GET /v1/first HTTP/1.1\r\n ${host}\r\n\r\n`),
  bytes('NUL before the request', ends, `\u0000GET /v1/first HTTP/1.1\r\n${host}\r\n\r\n`),
  bytes('HTTP/0.9', versions, 'GET /v1/first\r\n\r\n'),
  bytes('text that is no request', versions, 'hello\r\n\r\n'),
  bytes('TLS where there is none', 'RFC 8446', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'),
  bytes('SOCKS5 where there is none', 'RFC 1928', '\u0005\u0001\u0000'),
  bytes('the header of the PROXY protocol', 'PROXY protocol, version 1', 'PROXY TCP4 10.0.0.7 127.0.0.1 1 2\r\n'),
  ...['HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.10', 'HTTPS/1.1'].map((version) =>
    refused(`version ${version}`, versions, [`GET /v1/first ${version}`, host]),
  ),
  refused('the preface of HTTP/2 behind a request line', 'RFC 9113 section 3.4', ['PRI * HTTP/1.1', host]),
  ...['-5', '+5', '0x5', ' 5', 'xyz', 'FFFFFFFFFFFFFFFFF'].map(
    (size): Case => ({
      name: `a chunk of ${JSON.stringify(size)}`,
      source: 'RFC 9112 section 7.1, CVE-2013-2028',
      send: message([post, host, te], `${size}\r\nhello\r\n0\r\n\r\n`) + smuggled,
      ends: '400 request_invalid',
      dialled: [`${home}:443`],
    }),
  ),
]

const websocket = ['connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==']
const offers = (name: string, source: string, lines: readonly string[]) => refused(name, source, [get, host, ...lines], '', '501 not_implemented')
const method = (name: string, line: string) => refused(name, 'RFC 9110 section 9.3', [`${line} HTTP/1.1`, host], '', '501 not_implemented')

export const upgradeControls: readonly Case[] = [
  passes('the same request without an upgrade', [get, host, 'sec-websocket-version: 13'], '', 'GET /v1/first'),
  passes('a method of the vendor’s own', ['PURGE /v1/first HTTP/1.1', host], '', 'PURGE /v1/first'),
]

export const upgradeAttacks: readonly Case[] = [
  offers('WebSocket', 'RFC 6455 section 4.2', websocket),
  offers('WebSocket of another version', 'RFC 6455 section 4.4 (smuggling)', [...websocket.slice(0, 2), 'sec-websocket-version: 777']),
  offers('HTTP/2', 'RFC 9113, CVE-2021-32783 class', ['connection: upgrade, http2-settings', 'upgrade: h2c', 'http2-settings: AAMAAABkAAQAAP__']),
  offers('TLS', 'RFC 2817', ['connection: upgrade', 'upgrade: TLS/1.2']),
  offers('an upgrade that Connection does not name', 'RFC 9110 section 7.8', ['upgrade: h2c']),
  offers('several at once', 'RFC 9110 section 7.8', ['connection: upgrade', 'upgrade: h2c, websocket']),
  method('TRACE, which echoes credentials', 'TRACE /v1/first'),
  refused('TRACK, which no parser knows', 'RFC 9110 section 9.3', ['TRACK /v1/first HTTP/1.1', host]),
  refused('a method in small letters', 'RFC 9110 section 9.1', ['get /v1/first HTTP/1.1', host]),
  {
    name: 'a 101 that nobody asked for',
    to,
    script: () => ['HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ends: '502 upstream_protocol',
    dialled: [`${home}:443`],
    asked: ['GET /v1/x'],
  },
]
