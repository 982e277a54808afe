import { envelope } from '../../support/raw.ts'
import { type Case, conform, type House } from './house.ts'
import { plainProtos as protos } from './protos.ts'

const path = (rpc: string) => `/plain.v1.Plain/${rpc}`
const grpc = { 'content-type': 'application/grpc', te: 'trailers' }
const over = ['h2c'] as const
const note =
  (text: string) =>
  ({ wire }: House): Buffer =>
    envelope(wire('plain.v1.Note', { text }))
const notes =
  (...texts: readonly string[]) =>
  (house: House): Buffer =>
    Buffer.concat(texts.map((text) => note(text)(house)))
const spec = 'gRPC over HTTP/2'

/** A call that the service answers with `b`. */
function called(name: string, source: string, headers: Record<string, string>): Case {
  return {
    name,
    source,
    send: { path: path('Get'), headers, body: note('a') },
    reply: { messages: [{ text: 'b' }] },
    reaches: { rpc: 'Get', message: { text: 'a' } },
    answer: { status: 200, headers: { 'content-type': 'application/grpc', 'grpc-status': undefined }, bytes: note('b'), trailers: { 'grpc-status': '0' } },
    over,
  }
}

/** A call that the gateway refuses, in gRPC: trailers only. */
function refused(name: string, source: string, status: number, send: Partial<Case['send']>, more: Partial<Case> = {}): Case {
  const request = { path: path('Get'), headers: grpc, ...(send.method === 'GET' ? {} : { body: note('a') }), ...send }
  const headers = { 'content-type': /^application\/grpc/, 'grpc-status': `${status}`, 'grpc-message': /./ }
  return { name, source, send: request, answer: { status: 200, headers, text: '' }, over, ...more }
}

const types = `${spec}, Requests: Content-Type`
const framing = `${spec}, Length-Prefixed-Message`

conform('native gRPC', { protos }, [
  called('application/grpc is protobuf', types, grpc),
  called('application/grpc+proto is as well', types, { ...grpc, 'content-type': 'application/grpc+proto' }),
  called('a type is case-insensitive', 'RFC 9110 section 8.3.1', { ...grpc, 'content-type': 'Application/GRPC' }),
  called('a parameter of the type does not matter', 'RFC 9110 section 8.3.1', { ...grpc, 'content-type': 'application/grpc; a=b' }),
  called('te is not demanded: it is there to find proxies that break calls', `${spec}, Requests: TE is used to detect incompatible proxies`, {
    'content-type': 'application/grpc',
  }),
  called('Accept-encodings that are offered are not used', `${spec}, Message-Accept-Encoding`, { ...grpc, 'grpc-accept-encoding': 'identity' }),
  refused('application/grpc+json is no protobuf', `${types}; design: native is protobuf`, 3, { headers: { ...grpc, 'content-type': 'application/grpc+json' } }),
  refused('application/grpc+thrift is no protobuf', types, 3, { headers: { ...grpc, 'content-type': 'application/grpc+thrift' } }),
  refused('GET is no method of gRPC', `${spec}, Requests: Method`, 12, { method: 'GET' }),
  refused('PUT is no method of gRPC', `${spec}, Requests: Method`, 12, { method: 'PUT' }),
  refused('an RPC that there is not is UNIMPLEMENTED', 'gRPC statuscodes, UNIMPLEMENTED; reference 2.2', 12, { path: path('Nope') }),
  refused('a service that there is not is UNIMPLEMENTED', 'gRPC statuscodes, UNIMPLEMENTED', 12, { path: '/plain.v1.Nope/Get' }),
  refused('a name in another case is another RPC', `${spec}, Requests: Path is case-sensitive`, 12, { path: path('get') }),
  refused('no message at all is INVALID_ARGUMENT', framing, 3, { body: Buffer.alloc(0) }),
  refused('two messages to a unary RPC are INVALID_ARGUMENT', 'gRPC, "Unary RPC"', 3, { body: notes('a', 'b') }),
  refused('a prefix that is cut is INVALID_ARGUMENT', framing, 3, { body: Buffer.from([0, 0, 0]) }),
  refused('a message shorter than its prefix says is INVALID_ARGUMENT', framing, 3, { body: Buffer.from([0, 0, 0, 0, 9, 10]) }),
  refused('bytes after the message are INVALID_ARGUMENT', framing, 3, { body: (house) => Buffer.concat([note('a')(house), Buffer.from([0])]) }),
  refused('a reserved flag is INVALID_ARGUMENT', `${framing}: Compressed-Flag is 0 or 1`, 3, { body: envelope('', 2) }),
  refused('the flag of trailers is no request', 'PROTOCOL-WEB is not native', 3, { body: envelope('', 0x80) }),
  refused('a message that says it is over the limit is RESOURCE_EXHAUSTED, unread', 'reference 2.14: explicit limits; gRPC statuscodes', 8, {
    body: Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]),
  }),
  {
    name: 'an empty message is one',
    source: framing,
    send: { path: path('Get'), headers: grpc, body: envelope('') },
    reaches: { rpc: 'Get', message: {} },
    answer: { status: 200, bytes: () => envelope(''), trailers: { 'grpc-status': '0' } },
    over,
  },
  {
    name: 'a server stream is message after message',
    source: `${spec}, Responses`,
    send: { path: path('Watch'), headers: grpc, body: note('a') },
    reply: { messages: [{ text: 'b' }, { text: 'c' }] },
    reaches: { rpc: 'Watch', message: { text: 'a' } },
    answer: { status: 200, bytes: notes('b', 'c'), trailers: { 'grpc-status': '0' } },
    over,
  },
  {
    name: 'a server stream may be empty',
    source: `${spec}, Responses`,
    send: { path: path('Watch'), headers: grpc, body: note('a') },
    reply: { messages: [] },
    reaches: { rpc: 'Watch' },
    answer: { status: 200, text: '', trailers: { 'grpc-status': '0' } },
    over,
  },
  {
    name: 'a client stream arrives message by message',
    source: `${spec}, Requests`,
    send: { path: path('Send'), headers: grpc, body: notes('a', 'b', 'c') },
    reply: { messages: [{ text: 'd' }] },
    reaches: { rpc: 'Send', messages: [{ text: 'a' }, { text: 'b' }, { text: 'c' }] },
    answer: { status: 200, bytes: note('d'), trailers: { 'grpc-status': '0' } },
    over,
  },
  {
    name: 'a client stream may be empty',
    source: `${spec}, Requests`,
    send: { path: path('Send'), headers: grpc, body: Buffer.alloc(0) },
    reaches: { rpc: 'Send', messages: [] },
    answer: { status: 200, bytes: () => envelope(''), trailers: { 'grpc-status': '0' } },
    over,
  },
  {
    name: 'a stream both ways',
    source: `${spec}, Requests and Responses`,
    send: { path: path('Chat'), headers: grpc, body: notes('a', 'b') },
    reply: { messages: [{ text: 'c' }, { text: 'd' }] },
    reaches: { rpc: 'Chat', messages: [{ text: 'a' }, { text: 'b' }] },
    answer: { status: 200, bytes: notes('c', 'd'), trailers: { 'grpc-status': '0' } },
    over,
  },
  {
    name: 'a client stream that breaks in a message is INVALID_ARGUMENT',
    source: framing,
    send: { path: path('Send'), headers: grpc, body: (house) => note('abc')(house).subarray(0, -1) },
    reaches: { rpc: 'Send', maybe: true },
    answer: { status: 200, headers: { 'grpc-status': '3' } },
    over,
  },
  {
    name: 'an error of the service arrives as it is: code, message, details, and INTERNAL too',
    source: 'docs/translation.md: native callers get the status as it is',
    send: { path: path('Get'), headers: grpc, body: note('a') },
    reply: { status: { code: 13, details: 'at ä/%' }, details: [{ '@type': 'type.googleapis.com/google.rpc.Help' }] },
    reaches: { rpc: 'Get' },
    answer: {
      status: 200,
      headers: { 'grpc-status': undefined },
      text: '',
      trailers: { 'grpc-status': '13', 'grpc-message': 'at %C3%A4/%25', 'grpc-status-details-bin': /^[A-Za-z0-9+/]+$/ },
    },
    over,
  },
  {
    name: 'an error after messages arrives after them',
    source: `${spec}, Responses`,
    send: { path: path('Watch'), headers: grpc, body: note('a') },
    reply: { messages: [{ text: 'b' }], status: { code: 10, details: 'again' } },
    reaches: { rpc: 'Watch' },
    answer: { status: 200, bytes: note('b'), trailers: { 'grpc-status': '10', 'grpc-message': 'again' } },
    over,
  },
  {
    name: 'a code that nobody knows arrives as it is',
    source: `${spec}, Status`,
    send: { path: path('Get'), headers: grpc, body: note('a') },
    reply: { status: { code: 42, details: 'x' } },
    reaches: { rpc: 'Get' },
    answer: { status: 200, text: '', trailers: { 'grpc-status': '42' } },
    over,
  },
  {
    name: 'over HTTP/1.1 it is refused, in gRPC',
    source: `${spec}: HTTP/2 carries gRPC; trailers of HTTP/1.1 are not promised`,
    send: { path: path('Nope'), headers: grpc, body: Buffer.alloc(0) },
    answer: { status: 200, headers: { 'grpc-status': '12' } },
    over: ['HTTP/1.1'],
  },
])

const house = { protos, service: 'wire' } as const
conform('native gRPC, upstreams that break', house, [
  {
    name: 'an answer that is none is UNAVAILABLE',
    source: 'docs/faults.md, upstream_protocol',
    send: { path: path('Get'), headers: grpc, body: note('a') },
    reply: { wire: { pieces: [envelope('')] } },
    reaches: { rpc: 'Get' },
    answer: { status: 200, trailers: { 'grpc-status': '14', 'grpc-message': /./ } },
    over,
  },
  ...(
    [
      [401, '16'],
      [403, '7'],
      [404, '12'],
      [429, '14'],
      [503, '14'],
      [500, '2'],
    ] as const
  ).map(
    ([http, code]): Case => ({
      name: `an upstream that answers HTTP ${http} without gRPC is ${code}`,
      source: 'grpc doc/http-grpc-status-mapping.md',
      send: { path: path('Get'), headers: grpc, body: note('a') },
      reply: { wire: { headers: { ':status': `${http}`, 'content-type': 'text/plain' }, pieces: [Buffer.from('no')] } },
      reaches: { rpc: 'Get' },
      answer: { status: 200, trailers: { 'grpc-status': code } },
      over,
    }),
  ),
  {
    name: 'a message over the limit is RESOURCE_EXHAUSTED',
    source: 'design, Limits; reference 2.14',
    send: { path: path('Get'), headers: grpc, body: note('a') },
    reply: { wire: { pieces: [Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1])], hangs: true } },
    reaches: { rpc: 'Get' },
    answer: { status: 200, trailers: { 'grpc-status': '8' } },
    over,
  },
])
