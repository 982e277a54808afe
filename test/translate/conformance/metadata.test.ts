import { expect } from 'vitest'
import { envelope, envelopes } from '../../support/raw.ts'
import { type Case, conform } from './house.ts'
import { plainProtos as protos } from './protos.ts'
import type { Reached } from './recorder.ts'

const row = (part: string) => `reference 2.10, ${part}`
const custom = 'gRPC over HTTP/2, Custom-Metadata'
const path = '/v1/notes/a'
const hex = (...bytes: readonly number[]) => Buffer.from(bytes)

type Values = NonNullable<NonNullable<Case['reaches']>['metadata']>

/** Header fields of a JSON call, and what the service sees. */
function inward(name: string, source: string, headers: Record<string, string>, metadata: Values, over?: Case['over']): Case {
  return {
    name,
    source,
    send: { path, headers },
    reaches: { rpc: 'Get', message: { text: 'a' }, metadata },
    answer: { status: 200, json: {} },
    ...(over && { over }),
  }
}

const forged = ['x-forwarded-for', 'x-forwarded-proto', 'x-request-id', 'traceparent']
const notForged = ({ metadata }: Reached) => {
  for (const [name, values] of Object.entries(metadata)) expect([name, ...values].join(' ')).not.toContain('forged')
}

/** A name that JSON callers cannot say, neither as it is nor under the prefix. */
function unsayable(name: string, source: string): Case {
  const base = { source, reaches: { rpc: 'Get', also: notForged }, answer: { status: 200, json: {} } }
  return { ...base, name: `${name} cannot be said through grpc-metadata-${name}`, send: { path, headers: { [`grpc-metadata-${name}`]: 'forged' } } }
}

conform('metadata from JSON callers', { protos }, [
  inward('grpc-metadata-NAME becomes NAME', row('in'), { 'grpc-metadata-x-tenant': 'red' }, { 'x-tenant': ['red'], 'grpc-metadata-x-tenant': undefined }),
  inward('names are lower case, however they are written', custom, { 'Grpc-Metadata-X-Tenant': 'red' }, { 'x-tenant': ['red'] }, ['HTTP/1.1']),
  inward('a value with blanks and commas is one value', custom, { 'grpc-metadata-x-list': 'a, b ,c' }, { 'x-list': ['a, b ,c'] }),
  inward('an empty value is a value', custom, { 'grpc-metadata-x-empty': '' }, { 'x-empty': [''] }),
  inward('a digit, a dot and a dash may be in a name', `${custom}: Header-Name`, { 'grpc-metadata-x-1.a-b': 'v' }, { 'x-1.a-b': ['v'] }),
  inward(
    'other characters of header names are no metadata',
    `${custom}: Header-Name`,
    { 'grpc-metadata-x!a': 'v', 'grpc-metadata-x-b': 'w' },
    { 'x!a': undefined, 'x-b': ['w'] },
  ),
  inward('a bare prefix is no metadata', custom, { 'grpc-metadata-': 'v' }, { '': undefined, 'grpc-metadata-': undefined }),
  inward(
    'accept-language and idempotency-key pass',
    `${row('in: allow-list')}; docs/translation.md, Metadata`,
    { 'accept-language': 'de', 'idempotency-key': '"k"' },
    { 'accept-language': ['de'], 'idempotency-key': ['"k"'] },
  ),
  inward(
    'nothing else passes',
    row('in: Env and Van forward all'),
    { 'x-tenant': 'red', cookie: 'a=b', origin: 'https://a.example', 'x-api-key': 'k', accept: '*/*', authorization: 'Bearer t' },
    { 'x-tenant': undefined, cookie: undefined, origin: undefined, 'x-api-key': undefined, accept: undefined, authorization: undefined },
  ),
  inward(
    'a padded -bin value is bytes',
    `${row('-bin')}; reference 3 row 13: grpc-gateway #218`,
    { 'grpc-metadata-x-bin': 'AP8=' },
    { 'x-bin': [hex(0, 255)] },
  ),
  inward(
    'an unpadded -bin value is bytes',
    `${row('-bin: padded or not')}; reference 3 row 13: grpc-gateway #737`,
    { 'grpc-metadata-x-bin': 'AP8' },
    { 'x-bin': [hex(0, 255)] },
  ),
  inward(
    'a -bin list is split on commas',
    row('-bin: split on commas'),
    { 'grpc-metadata-x-bin': 'AP8=,AQ, Ag==' },
    { 'x-bin': [hex(0, 255), hex(1), hex(2)] },
  ),
  inward('a -bin value that is no base64 is dropped, the others stay', row('-bin'), { 'grpc-metadata-x-bin': 'A*8,AQ' }, { 'x-bin': [hex(1)] }),
  inward(
    'a value outside printable ASCII is dropped, the call goes on',
    'reference 2.10: values outside 0x20–0x7E',
    { 'grpc-metadata-x-name': 'é', 'grpc-metadata-x-b': 'w' },
    { 'x-name': undefined, 'x-b': ['w'] },
  ),
  inward('a tab in a value drops it', `${custom}: ASCII-Value is 0x20 to 0x7E`, { 'grpc-metadata-x-name': 'a\tb' }, { 'x-name': undefined }),
  ...['connection', 'keep-alive', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'].map((name) =>
    unsayable(name, `${row('in: never hop-by-hop')}; RFC 9110 section 7.6.1`),
  ),
  ...['grpc-timeout', 'grpc-encoding', 'grpc-accept-encoding', 'grpc-status', 'grpc-message-type', 'grpc-x'].map((name) =>
    unsayable(name, `${row('in: never grpc-*')}; gRPC over HTTP/2: grpc- is reserved`),
  ),
  ...['host', 'content-type', 'content-length', 'content-encoding', 'user-agent', 'expect'].map((name) =>
    unsayable(name, `${row('in')}: fields of the HTTP message`),
  ),
  ...['authorization', 'cookie'].map((name) => unsayable(name, `${row('in')}: docs/translation.md; the credential stays`)),
  ...[...forged, 'x-forwarded-host', 'x-forwarded-client-cert', 'x-real-ip', 'forwarded', 'tracestate', 'b3', 'x-b3-traceid'].map((name) =>
    unsayable(name, 'reference 2.10: forwarded, trust by configuration; docs/translation.md, Metadata'),
  ),
  ...[
    'x-envoy-original-path',
    'x-envoy-upstream-rq-timeout-ms',
    'l5d-dst-override',
    'x-sallyport-route',
    'x-egress-env',
    'x-http-method-override',
    'x-original-url',
  ].map((name) => unsayable(name, 'docs/translation.md: names that only the gateway, a proxy or the mesh may say; reference 2.14, Policy safety')),
  {
    name: 'what the gateway says itself is there, whatever is claimed',
    source: row('forwarded: append'),
    send: { path, headers: { 'x-forwarded-for': '203.0.113.9', 'x-request-id': 'forged', traceparent: 'forged', 'grpc-metadata-x-forwarded-for': 'forged' } },
    reaches: {
      rpc: 'Get',
      metadata: { 'x-forwarded-for': ['127.0.0.1'], 'x-forwarded-proto': ['http'] },
      also: (reached) => {
        notForged(reached)
        expect(reached.metadata.traceparent?.[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
        expect(reached.metadata['x-request-id']).toHaveLength(1)
      },
    },
    answer: { status: 200, json: {} },
  },
  {
    name: 'a name with an underscore is refused, for services read it as a dash',
    source: 'docs/translation.md, Path routes; design wins over gRPC, which allows it',
    send: { path, headers: { 'grpc-metadata-x_tenant': 'red' } },
    answer: { status: 400, headers: { 'content-type': 'application/problem+json' } },
  },
  {
    name: 'a spelling that reads as one of the gateway’s own is dropped',
    source: 'docs/translation.md: compared with every character that is no letter or digit read as a dash',
    send: { path, headers: { 'grpc-metadata-x.request.id': 'forged', 'grpc-metadata-x-forwarded.for': 'forged', 'grpc-metadata-x.envoy.a': 'forged' } },
    reaches: { rpc: 'Get', also: notForged },
    answer: { status: 200, json: {} },
  },
])

conform('metadata on the wire', { protos, service: 'wire' }, [
  {
    name: 'a call carries what gRPC demands: te, its content type, POST, its path',
    source: `gRPC over HTTP/2, Requests; ${row('in: set te: trailers')}`,
    send: { path, headers: { te: 'trailers, deflate' }, method: 'GET' },
    reaches: {
      rpc: 'Get',
      metadata: {
        ':method': ['POST'],
        ':path': ['/plain.v1.Plain/Get'],
        te: ['trailers'],
        'content-type': ['application/grpc'],
        host: undefined,
        'content-length': undefined,
        connection: undefined,
      },
    },
    answer: { status: 200, json: {} },
    over: ['HTTP/1.1'],
  },
  {
    name: 'what the upstream says about its own connection and coding stays behind',
    source: row('response headers: never grpc-status, grpc-message, grpc-encoding, te'),
    send: { path },
    reply: {
      wire: {
        headers: {
          'grpc-encoding': 'identity',
          'grpc-accept-encoding': 'gzip',
          server: 'inside/1',
          'x-envoy-upstream-service-time': '3',
          'l5d-proxy-error': 'x',
          'x-powered-by': 'y',
          'alt-svc': 'h3',
        },
        pieces: [envelope('')],
        trailers: { 'grpc-status': '0', 'grpc-message': 'fine' },
      },
    },
    reaches: { rpc: 'Get' },
    answer: {
      status: 200,
      json: {},
      also: ({ headers, trailers }) => {
        const names = [...Object.keys(headers), ...Object.keys(trailers)].filter(
          (name) => /^grpc-(?!metadata-date$)/.test(name) || /server|envoy|l5d|powered|alt-svc/.test(name),
        )
        expect(names).toEqual([])
      },
    },
  },
])

const said = [
  ['x-tenant', 'red'],
  ['x-bin', hex(0, 255)],
] as const
const forgeries = [
  ['set-cookie', 'a=b'],
  ['location', '/x'],
  ['access-control-allow-origin', '*'],
  ['content-encoding', 'gzip'],
  ['x-request-id', 'forged'],
  ['www-authenticate', 'Basic'],
  ['retry-after', '1'],
  ['ratelimit', 'forged'],
  ['strict-transport-security', 'max-age=0'],
] as const
const notBare = ({ headers }: { readonly headers: Readonly<Record<string, string>> }) => {
  for (const [name, value] of forgeries) expect([name, headers[name]]).not.toEqual([name, value])
}

conform('metadata to JSON callers', { protos }, [
  {
    name: 'metadata become grpc-metadata-NAME, trailers grpc-trailer-NAME, binary ones unpadded',
    source: row('response headers: a prefix; trailers; -bin: emit unpadded'),
    send: { path },
    reply: { head: said, trailers: said },
    reaches: { rpc: 'Get' },
    answer: {
      status: 200,
      json: {},
      headers: {
        'grpc-metadata-x-tenant': 'red',
        'grpc-metadata-x-bin': 'AP8',
        'grpc-trailer-x-tenant': 'red',
        'grpc-trailer-x-bin': 'AP8',
        'x-tenant': undefined,
        'x-bin': undefined,
      },
    },
  },
  {
    name: 'several values of a name all arrive, in order',
    source: custom,
    send: { path },
    reply: {
      head: [
        ['x-a', '1'],
        ['x-a', '2'],
      ],
    },
    reaches: { rpc: 'Get' },
    answer: { status: 200, json: {}, headers: { 'grpc-metadata-x-a': '1, 2' } },
  },
  {
    name: 'a service cannot write the gateway’s own headers',
    source: row('response headers'),
    send: { path },
    reply: { head: forgeries, trailers: forgeries },
    reaches: { rpc: 'Get' },
    answer: { status: 200, json: {}, headers: { 'grpc-metadata-location': '/x', 'grpc-trailer-location': '/x' }, also: notBare },
  },
  {
    name: 'an error carries its metadata and trailers as well',
    source: row('response headers, trailers'),
    send: { path },
    reply: { head: said, trailers: said, status: { code: 5, details: 'gone' } },
    reaches: { rpc: 'Get' },
    answer: {
      status: 404,
      json: { code: 5, message: 'gone', details: [] },
      headers: { 'grpc-metadata-x-tenant': 'red', 'grpc-metadata-x-bin': 'AP8', 'grpc-trailer-x-tenant': 'red' },
    },
  },
  {
    name: 'an error cannot write the gateway’s own headers either',
    source: row('response headers'),
    send: { path },
    reply: { trailers: forgeries, status: { code: 5, details: 'gone' } },
    reaches: { rpc: 'Get' },
    answer: {
      status: 404,
      json: { code: 5, message: 'gone', details: [] },
      headers: { 'grpc-trailer-location': '/x', 'grpc-status': undefined, 'grpc-message': undefined },
      also: notBare,
    },
  },
  {
    name: 'a stream has its metadata in the header',
    source: row('response headers'),
    send: { path: '/v1/notes:watch' },
    reply: { head: said, messages: [{ text: 'b' }] },
    reaches: { rpc: 'Watch' },
    answer: { status: 200, text: '{"text":"b"}\n', headers: { 'grpc-metadata-x-tenant': 'red', 'grpc-metadata-x-bin': 'AP8' } },
  },
])

const rpc = '/plain.v1.Plain/Get'
const empty = () => envelope('')

conform('metadata of the other dialects', { protos }, [
  {
    name: 'native: every end-to-end field passes, none of the gateway’s own',
    source: row('in'),
    send: {
      path: rpc,
      headers: {
        'content-type': 'application/grpc',
        te: 'trailers',
        'x-tenant': 'red',
        'x-bin': 'AP8=,AQ',
        'x-request-id': 'forged',
        'x-envoy-a': 'forged',
        authorization: 'forged',
        'grpc-custom': 'forged',
      },
      body: empty(),
    },
    reaches: { rpc: 'Get', metadata: { 'x-tenant': ['red'], 'x-bin': [hex(0, 255), hex(1)] }, also: notForged },
    answer: { status: 200, trailers: { 'grpc-status': '0' } },
    over: ['h2c'],
  },
  {
    name: 'native: metadata come back under their own names, in header and trailers',
    source: 'gRPC over HTTP/2, Responses',
    send: { path: rpc, headers: { 'content-type': 'application/grpc', te: 'trailers' }, body: empty() },
    reply: { head: [...said, ['x-request-id', 'forged']], trailers: said },
    reaches: { rpc: 'Get' },
    answer: {
      status: 200,
      headers: { 'x-tenant': 'red', 'x-bin': 'AP8', 'x-request-id': /^(?!forged)/ },
      trailers: { 'grpc-status': '0', 'x-tenant': 'red', 'x-bin': 'AP8' },
    },
    over: ['h2c'],
  },
  {
    name: 'gRPC-Web: metadata pass, what belongs to the browser’s exchange does not',
    source: 'PROTOCOL-WEB; docs/translation.md, Other dialects',
    send: {
      path: rpc,
      headers: {
        'content-type': 'application/grpc-web',
        'x-grpc-web': '1',
        'x-user-agent': 'u',
        'x-tenant': 'red',
        cookie: 'forged',
        origin: 'https://a.example',
        referer: 'https://a.example',
        'sec-fetch-mode': 'cors',
        dnt: '1',
      },
      body: empty(),
    },
    reaches: {
      rpc: 'Get',
      metadata: {
        'x-tenant': ['red'],
        origin: undefined,
        referer: undefined,
        'sec-fetch-mode': undefined,
        'x-grpc-web': undefined,
        'x-user-agent': undefined,
        dnt: undefined,
      },
      also: notForged,
    },
    answer: { status: 200 },
  },
  {
    name: 'gRPC-Web: metadata come back, in the header and in the last frame; CORS and framing do not',
    source: 'PROTOCOL-WEB, HTTP/2 trailers; docs/translation.md, Other dialects',
    send: { path: rpc, headers: { 'content-type': 'application/grpc-web' }, body: empty() },
    reply: { head: [...said, ...forgeries], trailers: [...said, ['access-control-allow-origin', '*']] },
    reaches: { rpc: 'Get' },
    answer: {
      status: 200,
      headers: { 'x-tenant': 'red', 'x-bin': 'AP8', 'access-control-allow-origin': undefined, 'content-encoding': undefined, 'x-request-id': /^(?!forged)/ },
      also: ({ body }) => {
        const block = envelopes(body).at(-1)
        expect(block?.flags).toBe(0x80)
        const lines = block?.payload.toString().split('\r\n')
        expect(lines).toEqual(expect.arrayContaining(['x-tenant: red', 'x-bin: AP8', 'grpc-status: 0']))
      },
    },
  },
  {
    name: 'Connect: metadata pass, what belongs to the exchange does not',
    source: 'Connect, Unary-Request; docs/translation.md, Other dialects',
    send: {
      path: rpc,
      headers: {
        'content-type': 'application/proto',
        'connect-protocol-version': '1',
        'x-tenant': 'red',
        'x-bin': 'AP8',
        cookie: 'forged',
        'connect-custom': 'forged',
        accept: '*/*',
      },
      body: Buffer.alloc(0),
    },
    reaches: {
      rpc: 'Get',
      metadata: { 'x-tenant': ['red'], 'x-bin': [hex(0, 255)], accept: undefined, 'connect-protocol-version': undefined },
      also: notForged,
    },
    answer: { status: 200 },
  },
  {
    name: 'Connect: trailers of a unary call are headers with trailer-',
    source: 'Connect, Unary-Response: Trailing-Metadata',
    send: { path: rpc, headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' }, body: '{}' },
    reply: { head: said, trailers: [...said, ['x-late', '1']] },
    reaches: { rpc: 'Get' },
    answer: {
      status: 200,
      json: {},
      headers: { 'x-tenant': 'red', 'x-bin': 'AP8', 'trailer-x-tenant': 'red', 'trailer-x-bin': 'AP8', 'trailer-x-late': '1', 'x-late': undefined },
    },
  },
  {
    name: 'Connect: a service cannot forge trailers, framing or CORS',
    source: 'Connect, Unary-Response: trailer- is reserved',
    send: { path: rpc, headers: { 'content-type': 'application/json', 'connect-protocol-version': '1' }, body: '{}' },
    reply: {
      head: [
        ['trailer-x', 'forged'],
        ['content-encoding', 'gzip'],
        ['connect-x', 'forged'],
        ['access-control-allow-origin', '*'],
      ],
    },
    reaches: { rpc: 'Get' },
    answer: {
      status: 200,
      json: {},
      headers: { 'trailer-x': undefined, 'content-encoding': undefined, 'connect-x': undefined, 'access-control-allow-origin': undefined },
    },
  },
])
