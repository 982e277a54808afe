import type { JsonValue } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import { envelope, envelopes } from '../../support/raw.ts'
import { type Case, conform, type House } from './house.ts'
import { plainProtos as protos } from './protos.ts'
import type { Reply } from './recorder.ts'

const path = (rpc: string) => `/plain.v1.Plain/${rpc}`
const version = { 'connect-protocol-version': '1' }
const proto = { ...version, 'content-type': 'application/proto' }
const json = { ...version, 'content-type': 'application/json' }
const streamProto = { ...version, 'content-type': 'application/connect+proto' }
const streamJson = { ...version, 'content-type': 'application/connect+json' }
const note =
  (text: string) =>
  ({ wire }: House): Buffer =>
    wire('plain.v1.Note', { text })
const reached: NonNullable<Case['reaches']> = { rpc: 'Get', message: { text: 'a' } }
const b: Reply = { messages: [{ text: 'b' }] }

type Unary = Partial<Case['send']>

/** A unary call in JSON that the gateway refuses. */
function refused(name: string, source: string, status: number, code: string, send: Unary, headers: Case['answer']['headers'] = {}): Case {
  const also = ({ body }: { readonly body: Buffer }) => expect(JSON.parse(body.toString())).toEqual({ code, message: expect.stringMatching(/./) as unknown })
  const request = { path: path('Get'), headers: json, ...(send.method === 'GET' ? {} : { body: '{"text":"a"}' }), ...send }
  return { name, source, send: request, answer: { status, headers: { 'content-type': 'application/json', ...headers }, also } }
}

const unary = 'Connect, Unary-Request'
conform('Connect: unary', { protos }, [
  {
    name: 'protobuf in, protobuf out',
    source: unary,
    send: { path: path('Get'), headers: proto, body: note('a') },
    reply: b,
    reaches: reached,
    answer: { status: 200, headers: { 'content-type': 'application/proto' }, bytes: note('b') },
  },
  {
    name: 'JSON in, JSON out',
    source: unary,
    send: { path: path('Get'), headers: json, body: '{"text":"a"}' },
    reply: b,
    reaches: reached,
    answer: { status: 200, headers: { 'content-type': 'application/json', 'content-length': '12' }, text: '{"text":"b"}' },
  },
  {
    name: 'application/proto needs no version',
    source: 'Connect, Unary-Request: Connect-Protocol-Version is optional to servers',
    send: { path: path('Get'), headers: { 'content-type': 'application/proto' }, body: note('a') },
    reply: b,
    reaches: reached,
    answer: { status: 200, headers: { 'content-type': 'application/proto' }, bytes: note('b') },
  },
  {
    name: 'a charset of UTF-8 is fine',
    source: unary,
    send: { path: path('Get'), headers: { ...json, 'content-type': 'application/json; charset=utf-8' }, body: '{"text":"a"}' },
    reply: b,
    reaches: reached,
    answer: { status: 200, json: { text: 'b' } },
  },
  {
    name: 'no bytes are an empty protobuf message',
    source: 'Connect, Unary-Request: Bare-Message',
    send: { path: path('Get'), headers: proto, body: Buffer.alloc(0) },
    reaches: { rpc: 'Get', message: {} },
    answer: { status: 200, headers: { 'content-type': 'application/proto', 'content-length': '0' }, text: '' },
  },
  {
    name: 'RPCs with side effects are called the same way',
    source: unary,
    send: { path: path('Put'), headers: json, body: '{}' },
    reaches: { rpc: 'Put', message: {} },
    answer: { status: 200, json: {} },
  },
  refused('a version other than 1 is refused', 'Connect, Connect-Protocol-Version', 400, 'invalid_argument', {
    headers: { ...json, 'connect-protocol-version': '2' },
  }),
  refused(
    'a codec that there is not is 415, and says what is taken',
    'Connect, Unary-Request: Message-Codec; Unsupported Media Type',
    415,
    'invalid_argument',
    { headers: { ...version, 'content-type': 'application/xml' } },
    { 'accept-post': /application\/proto/ },
  ),
  refused('another charset is 415', 'RFC 8259 section 8.1', 415, 'invalid_argument', {
    headers: { ...json, 'content-type': 'application/json; charset=latin1' },
  }),
  refused(
    'a unary type to a stream is 415',
    'Connect, Streaming-Request',
    415,
    'invalid_argument',
    { path: path('Watch') },
    { 'accept-post': /application\/connect\+proto/ },
  ),
  refused('a stream type to a unary RPC is 415', unary, 415, 'invalid_argument', { headers: streamJson }, { 'accept-post': /application\/proto/ }),
  refused('an RPC that there is not is unimplemented', 'Connect, Error Codes: unimplemented', 404, 'unimplemented', { path: path('Nope') }),
  refused('an unknown member is invalid_argument', 'ProtoJSON; reference 3 row 12', 400, 'invalid_argument', { body: '{"nope":1}' }),
  refused('broken JSON is invalid_argument', 'RFC 8259', 400, 'invalid_argument', { body: '{' }),
  refused('no bytes are no JSON', 'ProtoJSON; Connect, Bare-Message', 400, 'invalid_argument', { body: '' }),
  refused('a body over the limit is resource_exhausted', 'Connect, Error Codes; reference 2.14: 413', 413, 'resource_exhausted', {
    body: JSON.stringify({ text: 'x'.repeat(1024 * 1024) }),
  }),
])

const query = (text: string) => `${path('Get')}?${text}`
const get = 'Connect, Unary-Get-Request; reference 2.12'
const enc = (value: JsonValue) => encodeURIComponent(JSON.stringify(value))

/** A GET that is taken. */
function got(name: string, at: string, isJson = true, message: JsonValue = { text: 'a' }): Case {
  return {
    name,
    source: get,
    send: { method: 'GET', path: query(at) },
    reply: b,
    reaches: { rpc: 'Get', message },
    answer: {
      status: 200,
      headers: { 'content-type': isJson ? 'application/json' : 'application/proto' },
      ...(isJson ? { json: { text: 'b' } } : { bytes: note('b') }),
    },
  }
}

conform('Connect: GET', { protos }, [
  got('JSON in the query', `connect=v1&encoding=json&message=${enc({ text: 'a' })}`),
  got('JSON in base64', `connect=v1&encoding=json&base64=1&message=${Buffer.from('{"text":"a"}').toString('base64url')}`),
  got('protobuf in base64url', 'connect=v1&encoding=proto&base64=1&message=CgFh', false),
  got('base64 may be padded', 'connect=v1&encoding=proto&base64=1&message=CgJhYg==', false, { text: 'ab' }),
  got('base64 may lack its padding', 'connect=v1&encoding=proto&base64=1&message=CgJhYg', false, { text: 'ab' }),
  got('parameters in any order', `message=${enc({ text: 'a' })}&encoding=json&connect=v1`),
  got('an empty protobuf message', 'connect=v1&encoding=proto&message=', false, {}),
  refused('without a message it is refused', get, 400, 'invalid_argument', { method: 'GET', path: query('connect=v1&encoding=json'), headers: version }),
  refused('a codec that there is not is 415', get, 415, 'invalid_argument', { method: 'GET', path: query('connect=v1&encoding=xml&message=a'), headers: {} }),
  refused('a message that is no base64 is refused', get, 400, 'invalid_argument', {
    method: 'GET',
    path: query('connect=v1&encoding=proto&base64=1&message=*'),
    headers: {},
  }),
  refused('a message twice is refused', get, 400, 'invalid_argument', {
    method: 'GET',
    path: query(`connect=v1&encoding=json&message=${enc({})}&message=${enc({})}`),
    headers: {},
  }),
  refused(
    'an RPC with side effects is 405 with Allow',
    'Connect, Unary-Get-Request: NO_SIDE_EFFECTS only; reference 2.12',
    405,
    'unimplemented',
    { method: 'GET', path: `${path('Put')}?connect=v1&encoding=json&message=${enc({})}`, headers: {} },
    { allow: 'POST' },
  ),
  {
    name: 'a GET that is no Connect is 405 with Allow',
    source: 'RFC 9110 section 15.5.6; reference 1, finding 3; reference 3 row 5',
    send: { method: 'GET', path: path('Put') },
    answer: { status: 405, headers: { allow: 'POST' } },
  },
  {
    name: 'PUT is 405 with Allow',
    source: 'Connect, Unary-Request: POST; RFC 9110 section 15.5.6',
    send: { method: 'PUT', path: path('Put'), headers: json, body: '{}' },
    answer: { status: 405, headers: { allow: 'POST' } },
  },
])

const codes: readonly (readonly [code: number, name: string, http: number])[] = [
  [1, 'canceled', 499],
  [2, 'unknown', 500],
  [3, 'invalid_argument', 400],
  [4, 'deadline_exceeded', 504],
  [5, 'not_found', 404],
  [6, 'already_exists', 409],
  [7, 'permission_denied', 403],
  [8, 'resource_exhausted', 429],
  [9, 'failed_precondition', 400],
  [10, 'aborted', 409],
  [11, 'out_of_range', 400],
  [12, 'unimplemented', 501],
  [13, 'internal', 500],
  [14, 'unavailable', 503],
  [15, 'data_loss', 500],
  [16, 'unauthenticated', 401],
]
const hidden: Readonly<Record<number, string>> = { 2: 'unknown error', 13: 'internal error' }

/** An error of the service to a unary call. */
function fails(name: string, source: string, reply: Reply, status: number, error: JsonValue, headers: Case['answer']['headers'] = {}): Case {
  return {
    name,
    source,
    send: { path: path('Get'), headers: proto, body: note('a') },
    reply,
    reaches: reached,
    answer: { status, headers: { 'content-type': 'application/json', ...headers }, json: error },
  }
}

conform('Connect: errors', { protos }, [
  ...codes.map(([code, name, http]) =>
    fails(`${name} is HTTP ${http}`, 'Connect, Error Codes', { status: { code, details: 'said so' } }, http, {
      code: name,
      message: hidden[code] ?? 'said so',
    }),
  ),
  fails('a code that there is not is unknown', 'Connect, Error Codes', { status: { code: 42, details: 'x' } }, 500, {
    code: 'unknown',
    message: 'unknown error',
  }),
  fails('an error without message has none', 'Connect, Error: message is optional', { status: { code: 5 } }, 404, { code: 'not_found' }),
  fails(
    'details have type, value in unpadded base64, and debug',
    'Connect, Error: details; reference 2.11',
    { status: { code: 5, details: 'no' }, details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'A' }] },
    404,
    { code: 'not_found', message: 'no', details: [{ type: 'google.rpc.ErrorInfo', value: 'CgFB', debug: { reason: 'A' } }] },
  ),
  fails(
    'a detail whose base64 would be padded is not',
    'Connect, Error: value is unpadded',
    { status: { code: 5, details: 'no' }, details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'AB' }] },
    404,
    { code: 'not_found', message: 'no', details: [{ type: 'google.rpc.ErrorInfo', value: 'CgJBQg', debug: { reason: 'AB' } }] },
  ),
  fails(
    'INTERNAL keeps details to itself',
    'docs/translation.md, Other dialects',
    { status: { code: 13, details: 'db' }, details: [{ '@type': 'type.googleapis.com/google.rpc.Help' }] },
    500,
    { code: 'internal', message: 'internal error' },
  ),
  fails(
    'DebugInfo is not shown',
    'docs/translation.md, Other dialects',
    { status: { code: 5, details: 'no' }, details: [{ '@type': 'type.googleapis.com/google.rpc.DebugInfo', detail: 'x' }] },
    404,
    { code: 'not_found', message: 'no' },
  ),
  fails(
    'unauthenticated brings a challenge',
    'RFC 9110 section 11.6.1',
    { status: { code: 16, details: 'no' } },
    401,
    { code: 'unauthenticated', message: 'no' },
    { 'www-authenticate': 'Bearer realm="sallyport"' },
  ),
  fails(
    'RetryInfo becomes Retry-After',
    'RFC 9110 section 10.2.3',
    { status: { code: 14, details: 'no' }, details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2s' }] },
    503,
    { code: 'unavailable', message: 'no', details: [{ type: 'google.rpc.RetryInfo', value: 'CgIIAg', debug: { retryDelay: '2s' } }] },
    { 'retry-after': '2' },
  ),
  fails(
    'an error carries metadata, and trailers as trailer-',
    'Connect, Unary-Response',
    { head: [['x-a', '1']], trailers: [['x-b', '2']], status: { code: 5, details: 'no' } },
    404,
    { code: 'not_found', message: 'no' },
    { 'x-a': '1', 'trailer-x-b': '2' },
  ),
])

/** A foreign answer of the upstream. */
function foreign(http: number, name: string, status: number): Case {
  const also = ({ body }: { readonly body: Buffer }) => expect(JSON.parse(body.toString())).toMatchObject({ code: name })
  return {
    name: `an upstream that answers HTTP ${http} is ${name}, HTTP ${status}`,
    source: 'Connect, HTTP to Error Code; grpc doc/http-grpc-status-mapping.md',
    send: { path: path('Get'), headers: json, body: '{"text":"a"}' },
    reply: { wire: { headers: { ':status': `${http}`, 'content-type': 'text/html' }, pieces: [Buffer.from('<p>no</p>')] } },
    reaches: reached,
    answer: { status, headers: { 'content-type': 'application/json' }, also },
  }
}

conform('Connect: upstreams that answer otherwise', { protos, service: 'wire' }, [
  foreign(400, 'internal', 500),
  foreign(401, 'unauthenticated', 401),
  foreign(403, 'permission_denied', 403),
  foreign(404, 'unimplemented', 501),
  foreign(429, 'unavailable', 503),
  foreign(502, 'unavailable', 503),
  foreign(503, 'unavailable', 503),
  foreign(504, 'unavailable', 503),
  foreign(500, 'unknown', 500),
  foreign(200, 'unavailable', 502),
])

/** The messages of a stream and what its end says. */
const endsWith =
  (messages: readonly string[], end: JsonValue, isJson = false) =>
  ({ body }: { readonly body: Buffer }, house: House): void => {
    const frames = envelopes(body)
    const wanted = messages.map((text) => (isJson ? Buffer.from(JSON.stringify({ text })) : note(text)(house)).toString('hex'))
    expect(frames.slice(0, -1).map(({ flags, payload }) => [flags, payload.toString('hex')])).toEqual(wanted.map((hex) => [0, hex]))
    expect([frames.at(-1)?.flags, JSON.parse(frames.at(-1)?.payload.toString() ?? '')]).toEqual([2, end])
  }

/** A stream, always 200. */
function stream(
  name: string,
  source: string,
  rpc: string,
  send: Unary,
  reply: Reply,
  reaches: Case['reaches'],
  messages: readonly string[],
  end: JsonValue,
): Case {
  const headers = { ...streamProto, ...send.headers }
  const isJson = headers['content-type'].endsWith('json')
  return {
    name,
    source,
    send: { path: path(rpc), ...send, headers },
    reply,
    ...(reaches && { reaches }),
    answer: { status: 200, headers: { 'content-type': headers['content-type'] }, also: endsWith(messages, end, isJson) },
  }
}

const framed =
  (...texts: readonly string[]) =>
  (house: House): Buffer =>
    Buffer.concat(texts.map((text) => envelope(note(text)(house))))
const streaming = 'Connect, Streaming-Request and Streaming-Response; reference 2.12: always 200 with an end frame'
const message = expect.stringMatching(/./) as unknown as string
const bc: Reply = { messages: [{ text: 'b' }, { text: 'c' }] }

conform('Connect: streams', { protos }, [
  stream('a server stream in protobuf', streaming, 'Watch', { body: framed('a') }, bc, { rpc: 'Watch', message: { text: 'a' } }, ['b', 'c'], {}),
  stream(
    'a server stream in JSON',
    streaming,
    'Watch',
    { headers: streamJson, body: envelope('{"text":"a"}') },
    bc,
    { rpc: 'Watch', message: { text: 'a' } },
    ['b', 'c'],
    {},
  ),
  stream('an empty server stream', streaming, 'Watch', { body: framed('a') }, { messages: [] }, { rpc: 'Watch' }, [], {}),
  stream(
    'a client stream',
    streaming,
    'Send',
    { body: framed('a', 'b') },
    { messages: [{ text: 'c' }] },
    { rpc: 'Send', messages: [{ text: 'a' }, { text: 'b' }] },
    ['c'],
    {},
  ),
  stream('an empty client stream', streaming, 'Send', { body: Buffer.alloc(0) }, { messages: [{ text: 'c' }] }, { rpc: 'Send', messages: [] }, ['c'], {}),
  stream(
    'trailers are metadata of the end',
    'Connect, EndStreamResponse: metadata',
    'Watch',
    { body: framed('a') },
    {
      ...bc,
      trailers: [
        ['x-a', '1'],
        ['x-bin', Buffer.from([0, 255])],
      ],
    },
    { rpc: 'Watch' },
    ['b', 'c'],
    { metadata: { 'x-a': ['1'], 'x-bin': ['AP8'] } },
  ),
  stream(
    'an error is in the end, HTTP 200',
    'Connect, EndStreamResponse: error',
    'Watch',
    { body: framed('a') },
    { messages: [], status: { code: 5, details: 'gone' } },
    { rpc: 'Watch' },
    [],
    { error: { code: 'not_found', message: 'gone' } },
  ),
  stream(
    'an error after messages is in the end',
    'Connect, EndStreamResponse: error',
    'Watch',
    { body: framed('a') },
    { ...bc, status: { code: 10, details: 'again' }, trailers: [['x-a', '1']] },
    { rpc: 'Watch' },
    ['b', 'c'],
    { error: { code: 'aborted', message: 'again' }, metadata: { 'x-a': ['1'] } },
  ),
  stream(
    'INTERNAL is kept to itself in the end, too',
    'docs/translation.md, Other dialects',
    'Watch',
    { body: framed('a') },
    { messages: [], status: { code: 13, details: 'db' } },
    { rpc: 'Watch' },
    [],
    { error: { code: 'internal', message: 'internal error' } },
  ),
  stream('what the gateway refuses is in the end, HTTP 200', streaming, 'Watch', { body: Buffer.from([0, 0, 0]) }, {}, undefined, [], {
    error: { code: 'invalid_argument', message },
  }),
  stream('no message to a server stream is refused', streaming, 'Watch', { body: Buffer.alloc(0) }, {}, undefined, [], {
    error: { code: 'invalid_argument', message },
  }),
  stream('two messages to a server stream are refused', streaming, 'Watch', { body: framed('a', 'b') }, {}, undefined, [], {
    error: { code: 'invalid_argument', message },
  }),
  stream('an end of stream in a request is refused', 'Connect, Streaming-Request: no EndStream', 'Watch', { body: envelope('{}', 2) }, {}, undefined, [], {
    error: { code: 'invalid_argument', message },
  }),
  stream('reserved flags are refused', 'Connect, Envelope-Flags', 'Watch', { body: envelope('', 4) }, {}, undefined, [], {
    error: { code: 'invalid_argument', message },
  }),
  stream(
    'a message over the limit is resource_exhausted, unread',
    'reference 2.14',
    'Watch',
    { body: Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]) },
    {},
    undefined,
    [],
    { error: { code: 'resource_exhausted', message } },
  ),
  stream('an unknown member of a JSON message is refused', 'ProtoJSON', 'Watch', { headers: streamJson, body: envelope('{"nope":1}') }, {}, undefined, [], {
    error: { code: 'invalid_argument', message },
  }),
  stream(
    'a version other than 1 is refused',
    'Connect, Connect-Protocol-Version',
    'Watch',
    { headers: { ...streamProto, 'connect-protocol-version': '2' }, body: framed('a') },
    {},
    undefined,
    [],
    { error: { code: 'invalid_argument', message } },
  ),
  {
    ...stream(
      'a stream both ways',
      streaming,
      'Chat',
      { body: framed('a', 'b') },
      bc,
      { rpc: 'Chat', messages: [{ text: 'a' }, { text: 'b' }] },
      ['b', 'c'],
      {},
    ),
    over: ['h2c'],
  },
  {
    name: 'a codec that there is not is 415 in a stream as well',
    source: 'Connect, Streaming-Request: unsupported codec is HTTP 415',
    send: { path: path('Watch'), headers: { ...version, 'content-type': 'application/connect+xml' }, body: envelope('') },
    answer: { status: 415, headers: { 'accept-post': /application\/connect\+proto/ } },
  },
])
