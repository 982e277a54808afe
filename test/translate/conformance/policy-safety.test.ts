import { beforeAll, describe, expect, it } from 'vitest'
import { untilTheEnd } from '../../support/keep.ts'
import { envelope } from '../../support/raw.ts'
import { askers } from './ask.ts'
import { type Case, conform, type House, openHouse } from './house.ts'
import { plainProtos as protos } from './protos.ts'

const source = 'reference 2.14, Policy safety; reference 3 row 18: envoy #9929, #40752, #2847; issue text: however the path is escaped'
const red = `[{ id: red, allow: { anonymous: true }, when: 'request.rpc == "plain.v1.Plain/Get" && "text" in request.params && request.params.text == "red"' }]`

/** A path whose variable the rule takes for red. */
const allowed = (path: string, headers: Record<string, string> = {}): Case => ({
  name: `${path} is red`,
  source,
  send: { path, headers },
  reaches: { rpc: 'Get', message: { text: 'red' } },
  answer: { status: 200, json: {} },
})

/** A request that the rule does not take for red, or that is refused after it: nothing reaches the service. */
const refused = (path: string, status: number, headers: Record<string, string> = {}, more: Partial<Case['send']> = {}): Case => ({
  name: `${more.method ?? 'GET'} ${path}${Object.entries(headers)
    .map(([name, value]) => ` with ${name}: ${value}`)
    .join('')} reaches nothing`,
  source,
  send: { path, headers, ...more },
  answer: { status, headers: { 'content-type': 'application/problem+json' } },
})

conform('rules about a variable of the path', { protos, rules: red }, [
  allowed('/v1/notes/red'),
  allowed('/v1/notes/%72ed'),
  allowed('/v1/notes/%72%65%64'),
  allowed('/v1/note%73/red'),
  refused('/v1/notes/blue', 403),
  refused('/v1/notes/RED', 403),
  refused('/v1/notes/%2572ed', 403),
  refused('/v1/notes/red%2F', 403),
  refused('/v1/notes/red%00', 400),
  refused('/v1/notes/red%20', 403),
  refused('/v1/notes/blue/../red', 400),
  refused('/v1/notes/blue/%2e%2e/red', 400),
  refused('/v1/notes//red', 400),
  refused('/v1/notes/blue?text=red', 403),
  refused('/v1/notes/red?text=blue', 400),
  refused('/v1/notes/red?%74ext=blue', 400),
  refused('/v1/notes/blue', 403, { 'x-envoy-original-path': '/v1/notes/red' }),
  refused('/v1/notes/blue', 403, { 'x-original-url': '/v1/notes/red' }),
  refused('/v1/notes/blue', 403, { 'x-rewrite-url': '/v1/notes/red' }),
  refused('/v1/notes/blue', 403, { 'grpc-metadata-text': 'red' }),
  refused('/plain.v1.Plain/Get', 403, { 'content-type': 'application/json' }, { body: '{"text":"red"}' }),
])

const rewritten = `[{ id: all, allow: { anonymous: true } }, { id: native, deny: { paths: ["/plain.v1.Plain/Get"] } }, { id: put, deny: { grpc: [plain.v1.Plain/Put] } }]`
const native = { 'content-type': 'application/grpc', te: 'trailers' }
const connect = { 'content-type': 'application/json', 'connect-protocol-version': '1' }

conform('rules about paths and RPCs', { protos, rules: rewritten }, [
  {
    name: 'the path that goes upstream is not matched again',
    source: 'reference 2.14: the upstream path is never matched again',
    send: { path: '/v1/notes/a' },
    reaches: { rpc: 'Get', message: { text: 'a' } },
    answer: { status: 200, json: {} },
  },
  { ...refused('/plain.v1.Plain/Get', 403, { 'content-type': 'application/json' }, { body: '{}' }), name: 'the same path as a request is' },
  { ...refused('/v1/notes', 403, { 'content-type': 'application/json' }, { body: '{}' }), name: 'a rule about an RPC holds on its HTTP rule' },
  { ...refused('/plain.v1.Plain/Put', 403, { 'content-type': 'application/json' }, { body: '{}' }), name: 'a rule about an RPC holds on its own path' },
  {
    name: 'a rule about an RPC holds for native callers',
    source,
    send: { path: '/plain.v1.Plain/Put', headers: native, body: envelope('') },
    answer: { status: 200, headers: { 'grpc-status': '7' } },
    over: ['h2c'],
  },
  {
    name: 'a rule about an RPC holds for gRPC-Web',
    source,
    send: { path: '/plain.v1.Plain/Put', headers: { 'content-type': 'application/grpc-web' }, body: envelope('') },
    answer: { status: 200, headers: { 'grpc-status': '7' } },
  },
  {
    name: 'a rule about an RPC holds for Connect',
    source,
    send: { path: '/plain.v1.Plain/Put', headers: connect, body: '{}' },
    answer: { status: 403, also: ({ body }) => expect(JSON.parse(body.toString())).toMatchObject({ code: 'permission_denied' }) },
  },
  {
    ...refused('/plain.v1.Plain/Put', 403, { 'content-type': 'application/json', 'x-http-method-override': 'GET' }, { body: '{}' }),
    name: 'a method override changes nothing',
    source: 'reference 2.2: X-HTTP-Method-Override never',
  },
])

const tokens = `[{ id: nobody, allow: { methods: [DELETE], anonymous: true } }]`
conform('refusals in the dialect of the caller', { protos, rules: tokens }, [
  {
    name: 'native: PERMISSION_DENIED in trailers alone',
    source: 'gRPC over HTTP/2, Trailers-Only; gRPC statuscodes',
    send: { path: '/plain.v1.Plain/Get', headers: native, body: envelope('') },
    answer: { status: 200, headers: { 'grpc-status': '7', 'grpc-message': /./, 'content-type': 'application/grpc' }, text: '' },
    over: ['h2c'],
  },
  {
    name: 'Connect stream: permission_denied in the end, HTTP 200',
    source: 'Connect, EndStreamResponse',
    send: { path: '/plain.v1.Plain/Watch', headers: { ...connect, 'content-type': 'application/connect+json' }, body: envelope('{}') },
    answer: { status: 200, headers: { 'content-type': 'application/connect+json' }, text: /"code":"permission_denied"/ },
  },
])

describe('records', () => {
  const keep = untilTheEnd()
  let house: House
  beforeAll(async () => {
    house = await openHouse(keep, { protos })
  })

  it.each([
    [
      'an HTTP rule',
      { method: 'GET', path: '/v1/notes/a%2Fb%252F?count=5' },
      { path: '/v1/notes/a%2Fb%252F', rpc: 'plain.v1.Plain/Get', variables: { text: 'a/b%2F' }, query: ['count'], status: 200 },
    ],
    [
      'an RPC’s own path',
      { path: '/plain.v1.Plain/Put', headers: { 'content-type': 'application/json' }, body: Buffer.from('{}') },
      { path: '/plain.v1.Plain/Put', rpc: 'plain.v1.Plain/Put', variables: undefined, status: 200 },
    ],
    [
      'a native call',
      { path: '/plain.v1.Plain/Get', headers: native, body: envelope('') },
      { path: '/plain.v1.Plain/Get', rpc: 'plain.v1.Plain/Get', grpc_status: 0 },
    ],
  ])('of %s tell the RPC, the path as it came, and decoded variables [reference 2.14; issue text]', async (_what, request, wanted) => {
    const seen = house.gateway.journal.length
    await askers.h2c(house.gateway.port('public'), request)
    const record = await house.gateway.entry((entry) => entry['kind'] === 'request' && house.gateway.journal.indexOf(entry) >= seen)
    expect(record).toMatchObject(wanted)
  })
})
