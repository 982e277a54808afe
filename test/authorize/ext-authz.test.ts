import { readFile } from 'node:fs/promises'
import { create, fromBinary, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { beforeAll, describe, expect, it } from 'vitest'
import { extAuthzSet } from '../../src/core/ingress/authorize/ask/ext-authz-set.ts'
import type { GrpcCall, GrpcReply, HttpCall, Reply } from '../../src/core/model/call.ts'
import type { Identified } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { DeciderPart, ExtAuthzPoint } from '../../src/core/policy/linked/deciders.ts'
import { asked, asker, askingPolicy, decider } from '../support/asking.ts'
import { extAuthzProto, extAuthzTypes } from '../support/ext-authz.ts'
import { subject } from '../support/metering.ts'
import { descriptorsFrom } from '../support/protos.ts'
import { refusalOf } from '../support/refusal.ts'
import { cluster, grpcReply, httpReply } from '../support/sendable.ts'

const everything: readonly DeciderPart[] = [
  { kind: 'method' },
  { kind: 'path' },
  { kind: 'query' },
  { kind: 'host' },
  { kind: 'route' },
  { kind: 'rpc' },
  { kind: 'params' },
  { kind: 'client.address' },
  { kind: 'token' },
  { kind: 'issuer' },
  { kind: 'subject' },
  { kind: 'clientId' },
  { kind: 'scopes' },
  { kind: 'claim', path: 'tenant' },
  { kind: 'claim', path: 'levels' },
  { kind: 'header', name: 'x-a' },
]
const ada = { ...subject('ada', { tenant: 'red', levels: [1, 2] }), clientId: 'app', scopes: new Set(['b', 'a']) }
const request = {
  principal: ada,
  method: 'PUT',
  path: '/a/7',
  query: 'x=1',
  rpc: 'shop.v1.Orders/Get',
  params: { id: '7' },
  headers: [
    ['authorization', 'Bearer t0k'],
    ['x-a', '1'],
    ['x-a', '2'],
    ['x-b', '3'],
  ],
} as const

let types: Awaited<ReturnType<typeof extAuthzTypes>>
beforeAll(async () => {
  types = await extAuthzTypes()
})

/** A point in the cluster `authz` that answers so, and the calls it got. */
function over(protocol: 'grpc' | 'http', answer: () => Reply | Promise<Reply>, given: Partial<ExtAuthzPoint> = {}, send = everything) {
  const calls: (HttpCall | GrpcCall)[] = []
  const point: ExtAuthzPoint = { kind: 'extAuthz', protocol, cluster: 'authz', pathPrefix: '', keepStatus: false, upstreamHeaders: [], ...given }
  const policy = askingPolicy(decider('authz', { point, send, key: send, cache: { allowMs: 1_000, denyMs: 0, staleForMs: 0 } }))
  const clusters = { authz: cluster('authz', { authority: 'authz.mesh' }) }
  const consult = async (name: string, call: HttpCall | GrpcCall) => {
    expect(name).toBe('authz')
    calls.push(call)
    return answer()
  }
  return { ...asker({ ...policy, clusters }, consult), calls }
}

const checked = (json: JsonValue) => () => messages(types.writeResponse(json))

function messages(...bytes: readonly Uint8Array[]): GrpcReply {
  async function* stream() {
    yield* bytes
  }
  return { ...grpcReply([]), messages: stream() }
}

async function became(one: { walk(x: Identified): Promise<unknown> }, x = asked(request)): Promise<string> {
  return (await refusalOf(() => one.walk(x)))?.code ?? 'passed'
}

it('the embedded descriptors are what the proto beside them compiles to', async () => {
  const built = fromBinary(FileDescriptorSetSchema, await descriptorsFrom({ 'ext-authz.proto': await readFile(extAuthzProto, 'utf8') }))
  const own = built.file.filter((file) => file.name === 'ext-authz.proto')
  expect(Buffer.from(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: own }))).toString('base64')).toBe(extAuthzSet)
})

describe('over gRPC', () => {
  it('the request says what is declared, each fact in its place', async () => {
    const one = over('grpc', checked({ status: {} }))
    expect(await became(one)).toBe('passed')
    const [call] = one.calls
    if (call?.kind !== 'grpc' || !(call.messages instanceof Uint8Array)) throw new Error('no call')
    expect([call.path, call.authority]).toEqual(['/envoy.service.auth.v3.Authorization/Check', 'authz.mesh'])
    expect(types.readRequest(call.messages)).toEqual({
      attributes: {
        source: { address: { socketAddress: { address: '192.0.2.1' } }, principal: 'ada' },
        destination: { service: 'orders' },
        request: {
          http: {
            id: 'r1',
            method: 'PUT',
            path: '/a/7?x=1',
            host: 'api.example.com',
            scheme: 'https',
            headers: { 'x-a': '1, 2', authorization: 'Bearer t0k' },
            size: '-1',
          },
        },
        contextExtensions: {
          route: 'orders',
          rpc: 'shop.v1.Orders/Get',
          'params.id': '7',
          principal: 'subject',
          issuer: 'main',
          clientId: 'app',
          scopes: 'a b',
          'claim.tenant': 'red',
          'claim.levels': '[1,2]',
        },
      },
    })
  })

  it('and nothing that is not', async () => {
    const one = over('grpc', checked({ status: {} }), {}, [{ kind: 'method' }])
    await one.walk(asked(request))
    const [call] = one.calls
    if (call?.kind !== 'grpc' || !(call.messages instanceof Uint8Array)) throw new Error('no call')
    expect(types.readRequest(call.messages)).toEqual({
      attributes: { source: {}, destination: {}, request: { http: { id: 'r1', method: 'PUT', scheme: 'https', size: '-1' } } },
    })
  })

  it.each<[string, JsonValue, string]>([
    ['an OK status', { status: {} }, 'passed'],
    ['an OK status with headers', { status: { code: 0 }, okResponse: {} }, 'passed'],
    ['an OK response alone', { okResponse: {} }, 'passed'],
    ['PERMISSION_DENIED', { status: { code: 7 } }, 'forbidden'],
    ['any other status', { status: { code: 2 } }, 'forbidden'],
    ['a status that denies beside a response that allows', { status: { code: 7 }, okResponse: {} }, 'forbidden'],
    ['a response that denies beside a status that allows', { status: {}, deniedResponse: {} }, 'forbidden'],
    ['a response that denies with 200', { status: {}, deniedResponse: { status: { code: 200 } } }, 'forbidden'],
    ['a response that denies with 401', { status: { code: 16 }, deniedResponse: { status: { code: 401 } } }, 'forbidden'],
    ['nothing at all', {}, 'decision_unavailable'],
  ])('%s', async (_, json, expected) => {
    expect(await became(over('grpc', checked(json)))).toBe(expected)
  })

  it.each<[string, () => Reply | Promise<Reply>]>([
    [
      'a call that fails with UNAVAILABLE',
      () => ({ ...messages(), status: () => ({ code: 14, message: 'no', details: undefined, trailers: new FieldList() }) }),
    ],
    [
      'a call that fails with PERMISSION_DENIED',
      () => ({ ...messages(), status: () => ({ code: 7, message: 'no', details: undefined, trailers: new FieldList() }) }),
    ],
    [
      'a call that says OK and then fails',
      () => ({ ...messages(types.writeResponse({ status: {} })), status: () => ({ code: 13, message: '', details: undefined, trailers: new FieldList() }) }),
    ],
    ['a call without a message', () => messages()],
    ['bytes that are no message', () => messages(new Uint8Array([0xff, 0xff, 0xff]))],
    ['an empty message', () => messages(new Uint8Array())],
    ['HTTP', () => httpReply(200)],
    ['an upstream that is not there', () => Promise.reject(new Fault('upstream_unavailable', 'nobody'))],
  ])('%s is no answer', async (_, answer) => {
    expect(await became(over('grpc', answer))).toBe('decision_unavailable')
  })

  it('a denial with 401 stays one where that is wanted, with its challenge', async () => {
    const answer = checked({
      status: { code: 16 },
      deniedResponse: { status: { code: 401 }, headers: [{ header: { key: 'WWW-Authenticate', value: 'Custom realm="x"' } }], body: 'who are you?' },
    })
    const refused = await refusalOf(() => over('grpc', answer, { keepStatus: true }).walk(asked(request)))
    expect(refused).toMatchObject({
      code: 'unauthenticated',
      detail: { headers: [['www-authenticate', 'Custom realm="x"']], internal: 'denied by authz: who are you?' },
    })
    const bare = await refusalOf(() =>
      over('grpc', checked({ status: { code: 16 }, deniedResponse: { status: { code: 401 } } }), { keepStatus: true }).walk(asked(request)),
    )
    expect(bare?.detail.headers).toEqual([['www-authenticate', 'Bearer realm="sallyport"']])
    const other = over('grpc', checked({ status: { code: 5 }, deniedResponse: { status: { code: 404 } } }), { keepStatus: true })
    expect(await became(other)).toBe('forbidden')
  })

  it('gives the upstream the headers that it may give, also from memory, and no others', async () => {
    const headers = [
      { header: { key: 'X-Tier', value: 'gold' } },
      { header: { key: 'x-tier', rawValue: Buffer.from('plus').toString('base64') } },
      { header: { key: 'x-other', value: 'no' } },
      { header: { key: 'authorization', value: 'no' } },
    ]
    const one = over('grpc', checked({ status: {}, okResponse: { headers } }), { upstreamHeaders: ['x-tier'] })
    const given = [
      ['x-tier', 'gold'],
      ['x-tier', 'plus'],
    ]
    expect((await one.walk(asked(request))).given).toEqual(given)
    expect((await one.walk(asked(request))).given).toEqual(given)
    expect(one.calls.length).toBe(1)
  })

  it.each(['a\r\nx-admin: 1', 'a\0', 'ü', ' a', ''])('a header that would break the request (%j) is no answer', async (value) => {
    const one = over('grpc', checked({ status: {}, okResponse: { headers: [{ header: { key: 'x-tier', value } }] } }), { upstreamHeaders: ['x-tier'] })
    expect(await became(one)).toBe('decision_unavailable')
  })
})

describe('over HTTP', () => {
  const send: readonly DeciderPart[] = everything.filter(({ kind }) => ['method', 'path', 'query', 'host', 'client.address', 'token', 'header'].includes(kind))

  it('asks with the method and path of the request and the headers that are declared, and without a body', async () => {
    const one = over('http', () => httpReply(200), { pathPrefix: '/check' }, send)
    expect(await became(one)).toBe('passed')
    const [call] = one.calls
    if (call?.kind !== 'http') throw new Error('no call')
    expect([call.method, call.target, call.authority, call.body]).toEqual(['PUT', '/check/a/7?x=1', 'authz.mesh', undefined])
    expect(Object.fromEntries(call.headers.entries())).toEqual({
      'x-a': '1, 2',
      authorization: 'Bearer t0k',
      'x-forwarded-for': '192.0.2.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'api.example.com',
      'x-request-id': 'r1',
    })
  })

  it('tells nothing that is not declared', async () => {
    const one = over('http', () => httpReply(200), {}, [{ kind: 'header', name: 'x-b' }])
    await one.walk(asked(request))
    const [call] = one.calls
    if (call?.kind !== 'http') throw new Error('no call')
    expect([call.method, call.target]).toEqual(['GET', '/'])
    expect(Object.fromEntries(call.headers.entries())).toEqual({ 'x-b': '3', 'x-forwarded-proto': 'https', 'x-request-id': 'r1' })
  })

  it.each<[number, string]>([
    [200, 'passed'],
    [204, 'passed'],
    [302, 'forbidden'],
    [400, 'forbidden'],
    [401, 'forbidden'],
    [403, 'forbidden'],
    [404, 'forbidden'],
    [429, 'decision_unavailable'],
    [500, 'decision_unavailable'],
    [503, 'decision_unavailable'],
  ])('%i', async (status, expected) => {
    expect(await became(over('http', () => httpReply(status), {}, send))).toBe(expected)
  })

  it('a denial has its words from the body, of which it reads the beginning only', async () => {
    let pulled = 0
    async function* endless() {
      for (;;) {
        pulled += 1
        yield Buffer.from('no! '.repeat(64))
      }
    }
    const one = over('http', () => httpReply(403, { body: endless() }), {}, send)
    const refused = await refusalOf(() => one.walk(asked(request)))
    expect(refused?.detail.internal).toMatch(/^denied by authz: no! no! .{150,200}$/)
    expect(pulled).toBeLessThan(10)
  })

  it('gives the upstream the headers that it may give', async () => {
    const headers = new FieldList([
      ['x-tier', 'gold'],
      ['set-cookie', 'a=b'],
    ])
    const one = over('http', () => httpReply(200, { headers }), { upstreamHeaders: ['x-tier'] }, send)
    expect((await one.walk(asked(request))).given).toEqual([['x-tier', 'gold']])
  })
})
