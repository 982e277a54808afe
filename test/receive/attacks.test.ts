import { describe, expect, test } from 'vitest'
import type { ArrivalOptions, HeaderInput } from '../support/arrival.ts'
import { egressGuard, guard, verdict } from './guard.ts'

type Case = readonly [what: string, verdict: string, method: string, target: string, headers?: HeaderInput, options?: ArrivalOptions]

const h2 = { httpVersion: '2', authority: 'api.example.com' }
const length = (value: string): HeaderInput => ({ 'Content-Length': value })
const bad = 'request_invalid close'

const line: readonly Case[] = [
  ['a plain request', 'passes', 'GET', '/'],
  ['HTTP/1.0', 'passes', 'GET', '/', {}, { httpVersion: '1.0' }],
  ['HTTP/2', 'passes', 'GET', '/', {}, h2],
  ['HTTP/0.9', bad, 'GET', '/', {}, { httpVersion: '0.9' }],
  ['HTTP/1.2', bad, 'GET', '/', {}, { httpVersion: '1.2' }],
  ['version 2.0 on an HTTP/1 line', bad, 'GET', '/', {}, { httpVersion: '2.0' }],
  ['no version', bad, 'GET', '/', {}, { httpVersion: '' }],
  ['an extension method', 'passes', 'M-SEARCH', '/'],
  ['CONNECT', 'not_implemented close', 'CONNECT', 'api.example.com:443'],
  ['CONNECT with a path', 'not_implemented', 'CONNECT', '/', {}, h2],
  ['TRACE', 'not_implemented close', 'TRACE', '/'],
  ['TRACK', 'not_implemented close', 'TRACK', '/'],
  ['a lower-case method', 'not_implemented close', 'get', '/'],
  ['an empty method', 'not_implemented close', '', '/'],
  ['a method with a space', 'not_implemented close', 'GET ', '/'],
  ['a method that starts with a digit', 'not_implemented close', '1GET', '/'],
  ['a method that is far too long', 'not_implemented close', 'G'.repeat(33), '/'],
  ['a request line of 8 KiB', 'passes', 'GET', `/${'a'.repeat(8192 - 14)}`],
  ['a request line of one byte more', 'target_too_long close', 'GET', `/${'a'.repeat(8192 - 13)}`],
  ['a long query', 'target_too_long close', 'GET', `/?${'a'.repeat(8192)}`],
]

const target: readonly Case[] = [
  ['origin-form with a query', 'passes', 'GET', '/a?b=[c]&d="e"|{f}\\?'],
  ['absolute-form', bad, 'GET', 'http://api.example.com/'],
  ['absolute-form of another host', bad, 'GET', 'http://169.254.169.254/latest'],
  ['authority-form', bad, 'GET', 'api.example.com:443'],
  ['asterisk-form', bad, 'OPTIONS', '*'],
  ['an empty target', bad, 'GET', ''],
  ['a network-path reference', 'path_ambiguous close', 'GET', '//evil.example/'],
  ['dot segments', 'path_ambiguous close', 'GET', '/a/../admin'],
  ['encoded dot segments', 'path_ambiguous', 'GET', '/a/%2e%2E/admin', {}, h2],
  ['dot segments with a parameter', 'path_ambiguous close', 'GET', '/a/..;x/admin'],
  ['dot segments behind an encoded slash', 'path_ambiguous close', 'GET', '/a%2f..%2fadmin'],
  ['an encoded backslash', 'path_ambiguous close', 'GET', '/a%5c..%5cadmin'],
  ['a backslash', 'path_ambiguous close', 'GET', '/a\\admin'],
  ['an encoded NUL', 'path_ambiguous close', 'GET', '/admin%00'],
  ['an encoded line end', 'path_ambiguous close', 'GET', '/a%0d%0aX:1'],
  ['a fragment', 'path_ambiguous close', 'GET', '/a#/../admin'],
  ['a fragment in the query', bad, 'GET', '/a?b#c'],
  ['a broken escape', 'path_ambiguous close', 'GET', '/a%2'],
  ['non-ASCII', 'path_ambiguous close', 'GET', '/caf\u00e9'],
  ['non-ASCII in the query', bad, 'GET', '/a?caf\u00e9'],
  ['a space in the query', bad, 'GET', '/a?b c'],
  ['a control character in the query', bad, 'GET', '/a?b\u0000'],
  ['an encoded slash, which the route decides on', 'passes', 'GET', '/a%2Fb'],
  ['a semicolon, which the route decides on', 'passes', 'GET', '/a;b'],
  ['dots inside a segment', 'passes', 'GET', '/a..b/...'],
]

const host: readonly Case[] = [
  ['a host with a port', 'passes', 'GET', '/', { Host: 'api.example.com:8443' }],
  ['an IPv6 host', 'passes', 'GET', '/', { Host: '[::1]:80' }],
  ['no host', 'host_invalid close', 'GET', '/', { Host: [] }],
  ['no host over HTTP/1.0', 'host_invalid close', 'GET', '/', { Host: [] }, { httpVersion: '1.0' }],
  ['two hosts', 'host_invalid close', 'GET', '/', { Host: ['a.example', 'b.example'] }],
  ['two equal hosts', 'host_invalid close', 'GET', '/', { Host: ['a.example', 'a.example'] }],
  ['two hosts in different case', 'host_invalid close', 'GET', '/', { Host: 'a.example', hOST: 'a.example' }],
  ['userinfo', 'host_invalid close', 'GET', '/', { Host: 'user@a.example' }],
  ['a path in the host', 'host_invalid close', 'GET', '/', { Host: 'a.example/x' }],
  ['an empty host', 'host_invalid close', 'GET', '/', { Host: '' }],
  ['a list of hosts', 'host_invalid close', 'GET', '/', { Host: 'a.example, b.example' }],
  ['an address in another spelling', 'host_invalid close', 'GET', '/', { Host: '0x7f.1' }],
  ['a bad port', 'host_invalid close', 'GET', '/', { Host: 'a.example:port' }],
  [':authority alone', 'passes', 'GET', '/', {}, h2],
  ['host alone over HTTP/2', 'passes', 'GET', '/', { host: 'a.example' }, { httpVersion: '2', authority: undefined }],
  ['host and :authority that agree in other spelling', 'passes', 'GET', '/', { host: 'API.example.com' }, h2],
  ['host and :authority that differ', 'host_invalid', 'GET', '/', { host: 'b.example' }, h2],
  ['host and :authority with different ports', 'host_invalid', 'GET', '/', { host: 'api.example.com:81' }, h2],
  ['neither over HTTP/2', 'host_invalid', 'GET', '/', {}, { httpVersion: '2', authority: undefined }],
  ['userinfo in :authority', 'host_invalid', 'GET', '/', {}, { httpVersion: '2', authority: 'u@a.example' }],
]

const framing: readonly Case[] = [
  ['a length', 'passes', 'POST', '/', length('5')],
  ['the largest length of any route', 'passes', 'POST', '/', length('2097152')],
  ['one byte more', 'body_too_large close', 'POST', '/', length('2097153')],
  ['one byte more over HTTP/2', 'body_too_large', 'POST', '/', { 'content-length': '2097153' }, h2],
  ['a length beyond numbers', bad, 'POST', '/', length('9'.repeat(16))],
  ['a negative length', bad, 'POST', '/', length('-1')],
  ['a signed length', bad, 'POST', '/', length('+1')],
  ['a hexadecimal length', bad, 'POST', '/', length('0x10')],
  ['a length with an exponent', bad, 'POST', '/', length('1e1')],
  ['a fractional length', bad, 'POST', '/', length('1.0')],
  ['an empty length', bad, 'POST', '/', length('')],
  ['a list of lengths', bad, 'POST', '/', length('5, 5')],
  ['two equal lengths', bad, 'POST', '/', { 'Content-Length': ['5', '5'] }],
  ['two lengths', bad, 'POST', '/', { 'Content-Length': ['5', '6'] }],
  ['chunked', 'passes', 'POST', '/', { 'Transfer-Encoding': 'chunked' }],
  ['Chunked', 'passes', 'POST', '/', { 'Transfer-Encoding': 'Chunked' }],
  ['chunked with a length', bad, 'POST', '/', { 'Transfer-Encoding': 'chunked', 'Content-Length': '5' }],
  ['chunked in HTTP/1.0', bad, 'POST', '/', { 'Transfer-Encoding': 'chunked' }, { httpVersion: '1.0' }],
  ['chunked twice', bad, 'POST', '/', { 'Transfer-Encoding': ['chunked', 'chunked'] }],
  ['chunked behind another coding', bad, 'POST', '/', { 'Transfer-Encoding': 'gzip, chunked' }],
  ['identity', bad, 'POST', '/', { 'Transfer-Encoding': 'identity' }],
  ['xchunked', bad, 'POST', '/', { 'Transfer-Encoding': 'xchunked' }],
  ['an empty coding', bad, 'POST', '/', { 'Transfer-Encoding': '', 'Content-Length': '5' }],
  ['a coding with a vertical tab', bad, 'POST', '/', { 'Transfer-Encoding': '\u000bchunked' }],
  ['a coding under a name with "_"', bad, 'POST', '/', { Transfer_Encoding: 'chunked' }],
  ['a coding over HTTP/2', 'request_invalid', 'POST', '/', { 'transfer-encoding': 'chunked' }, h2],
  ['announced trailers', bad, 'GET', '/', { Trailer: 'x-checksum' }],
  ['announced trailers over HTTP/2', 'request_invalid', 'GET', '/', { trailer: 'x-checksum' }, h2],
  ['TE', 'passes', 'GET', '/', { TE: 'trailers, gzip' }],
  ['TE: trailers over HTTP/2', 'passes', 'GET', '/', { te: 'trailers' }, h2],
  ['another TE over HTTP/2', 'request_invalid', 'GET', '/', { te: 'gzip' }, h2],
  ['connection over HTTP/2', 'request_invalid', 'GET', '/', { connection: 'close' }, h2],
  ['keep-alive over HTTP/2', 'request_invalid', 'GET', '/', { 'keep-alive': '1' }, h2],
  ['Upgrade: h2c', 'not_implemented close', 'GET', '/', { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c' }],
  ['an unknown upgrade', 'not_implemented close', 'GET', '/', { Connection: 'upgrade', Upgrade: 'foo/2' }],
  ['Expect', 'passes', 'POST', '/', { Expect: '100-continue', 'Content-Length': '1' }],
]

const many = (count: number): HeaderInput => Array.from({ length: count }, (_, i): [string, string] => [`x-${i}`, ''])
const fields: readonly Case[] = [
  ['100 fields', 'passes', 'GET', '/', many(99)],
  ['101 fields', 'headers_too_large close', 'GET', '/', many(100)],
  ['16 KiB of fields', 'passes', 'GET', '/', [['x', 'a'.repeat(16_384 - 5 - 'host'.length - 'api.example.com'.length - 4)]]],
  ['one byte more', 'headers_too_large close', 'GET', '/', [['x', 'a'.repeat(16_384 - 4 - 'host'.length - 'api.example.com'.length - 4)]]],
  ['one credential', 'passes', 'GET', '/', { Authorization: 'Bearer a' }],
  ['two credentials', 'credential_invalid close', 'GET', '/', { Authorization: ['Bearer a', 'Bearer b'] }],
  [
    'two credentials in different case',
    'credential_invalid',
    'GET',
    '/',
    [
      ['authorization', 'a'],
      ['authorization', 'a'],
    ],
    h2,
  ],
  ['two content types', bad, 'POST', '/', { 'Content-Type': ['application/json', 'text/plain'] }],
  ['two timeouts', bad, 'GET', '/', { 'grpc-timeout': ['1S', '2S'] }],
  ['two fields of a list', 'passes', 'GET', '/', { Accept: ['a/b', 'c/d'] }],
  ['a name with "_"', bad, 'GET', '/', { x_user_id: 'root' }],
  ['a name with a space', bad, 'GET', '/', { 'x user': '1' }],
  ['a name with a colon', bad, 'GET', '/', { ':path': '/admin' }],
  ['an empty name', bad, 'GET', '/', { '': '1' }],
  ['a non-ASCII name', bad, 'GET', '/', { '\u212aeep-alive': '1' }],
  ['an upper-case name over HTTP/2', 'request_invalid', 'GET', '/', { 'X-A': '1' }, h2],
  ['a folded value', bad, 'GET', '/', { 'x-a': 'b\r\n c' }],
  ['a value with a bare line feed', bad, 'GET', '/', { 'x-a': 'b\nx-b: c' }],
  ['a value with NUL', bad, 'GET', '/', { 'x-a': 'b\u0000' }],
  ['a value beyond one byte', bad, 'GET', '/', { 'x-a': '\u010d\u010a' }],
  ['a value that starts with a space', bad, 'GET', '/', { 'x-a': ' b' }],
  ['a value that ends with a tab', bad, 'GET', '/', { 'x-a': 'b\t' }],
  ['a value with a tab inside and obs-text', 'passes', 'GET', '/', { 'x-a': 'b\tc \u00e9' }],
]

const nominated: readonly Case[] = [
  ['Connection: close', 'passes', 'GET', '/', { Connection: 'close' }],
  ['Connection that names a field of its own', 'passes', 'GET', '/', { Connection: 'keep-alive, x-hop', 'X-Hop': '1' }],
  ...[
    'authorization',
    'Authorization',
    'host',
    'cookie',
    'content-length',
    'content-type',
    'transfer-encoding',
    'x-forwarded-for',
    'forwarded',
    'x-request-id',
    'grpc-timeout',
    'x-server-timeout',
    'traceparent',
    'x-envoy-peer-metadata',
    'x-user-id',
    'x.user.id',
    'idempotency-key',
  ].map((name): Case => [`Connection that names ${name}`, bad, 'GET', '/', { Connection: `close, ${name}` }]),
]

describe.each([
  ['the request line', line],
  ['the target', target],
  ['the host', host],
  ['framing', framing],
  ['fields', fields],
  ['nominated fields', nominated],
])('%s', (_, cases) => {
  const send = guard()
  for (const [what, expected, method, path, headers, options] of cases)
    test(`${what}: ${expected}`, () => {
      expect(verdict(() => send(method, path, headers, options))).toBe(expected)
    })
})

describe('every byte', () => {
  const send = guard()
  test('in a header name', () => {
    for (let byte = 0; byte < 256; byte++) {
      const fits = /[A-Za-z0-9!#$%&'*+\-.^`|~]/.test(String.fromCharCode(byte))
      expect([byte, verdict(() => send('GET', '/', { [`x${String.fromCharCode(byte)}y`]: '1' }))]).toEqual([byte, fits ? 'passes' : bad])
    }
  })
  test('in a header value', () => {
    for (let byte = 0; byte < 256; byte++) {
      const fits = byte === 9 || (byte >= 0x20 && byte !== 0x7f)
      expect([byte, verdict(() => send('GET', '/', { 'x-a': `x${String.fromCharCode(byte)}y` }))]).toEqual([byte, fits ? 'passes' : bad])
    }
  })
  test('in a method', () => {
    for (let byte = 0; byte < 256; byte++) {
      const fits = /[A-Z0-9_-]/.test(String.fromCharCode(byte))
      expect([byte, verdict(() => send(`GE${String.fromCharCode(byte)}T`, '/'))]).toEqual([byte, fits ? 'passes' : 'not_implemented close'])
    }
  })
  test('in a query', () => {
    for (let byte = 0; byte < 256; byte++) {
      const fits = byte > 0x20 && byte < 0x7f && byte !== 0x23
      expect([byte, verdict(() => send('GET', `/?a${String.fromCharCode(byte)}b`))]).toEqual([byte, fits ? 'passes' : bad])
    }
  })
})

describe('the egress guard', () => {
  const send = egressGuard()
  const cases: readonly Case[] = [
    ['a plain call', 'passes', 'GET', '/v1/charges'],
    ['a body of 10 MiB', 'passes', 'POST', '/', length('10485760')],
    ['one byte more', 'body_too_large close', 'POST', '/', length('10485761')],
    ['absolute-form', bad, 'GET', 'http://api.pay.example/'],
    ['CONNECT', 'not_implemented close', 'CONNECT', 'api.pay.example:443'],
    ['dot segments', 'path_ambiguous close', 'GET', '/v1/../admin'],
    ['two environments', 'env_invalid close', 'GET', '/', { 'x-egress-env': ['dev', 'test'] }],
    ['two hosts', 'host_invalid close', 'GET', '/', { Host: ['a.example', 'b.example'] }],
  ]
  for (const [what, expected, method, path, headers, options] of cases)
    test(`${what}: ${expected}`, () => {
      expect(verdict(() => send(method, path, headers, options))).toBe(expected)
    })
})
