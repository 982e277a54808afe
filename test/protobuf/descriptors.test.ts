import { readFile } from 'node:fs/promises'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { builtinSet } from '../../src/core/protobuf/builtin-set.ts'
import { type DescriptorBook, readDescriptors, rpcsOf } from '../../src/core/protobuf.ts'
import { buildDescriptors } from '../../src/node/proto/build.ts'
import { bookFrom } from '../support/protos.ts'

async function shop(): Promise<DescriptorBook> {
  const book = readDescriptors(await readFile('policies/descriptors/shop.binpb'))
  if ('problem' in book) throw new Error(book.problem)
  return book
}

test('the embedded descriptors are what the shipped protos compile to', async () => {
  const built = fromBinary(FileDescriptorSetSchema, await buildDescriptors('src/node/proto/include'))
  const own = built.file.filter((file) => !file.name.startsWith('google/protobuf/'))
  expect(Buffer.from(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: own }))).toString('base64')).toBe(builtinSet)
})

test('the checked-in shop descriptors are what its proto compiles to', async () => {
  const built = await buildDescriptors('src/node/demo/mesh/proto')
  expect(Buffer.from(built).equals(await readFile('policies/descriptors/shop.binpb'))).toBe(true)
})

test('a book lists the services of the set, not the built-in types', async () => {
  expect((await shop()).services).toEqual(['shop.v1.Orders'])
})

test('every book knows the well-known types, google.api and google.rpc', async () => {
  const { registry } = await shop()
  for (const name of ['google.protobuf.Any', 'google.protobuf.Struct', 'google.rpc.Status', 'google.rpc.RetryInfo', 'google.api.HttpBody']) {
    expect(registry.getMessage(name)?.typeName).toBe(name)
  }
})

test('a set built without its google imports is completed from the built-in files', async () => {
  const set = fromBinary(FileDescriptorSetSchema, await readFile('policies/descriptors/shop.binpb'))
  const bare = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: set.file.filter((file) => file.name.startsWith('shop/')) }))
  const book = readDescriptors(bare)
  if ('problem' in book) throw new Error(book.problem)
  expect(rpcsOf(book, 'shop.v1.Orders')).toEqual(rpcsOf(await shop(), 'shop.v1.Orders'))
})

test('a set without JSON names has those that protoc would have written', async () => {
  const set = fromBinary(FileDescriptorSetSchema, await readFile('policies/descriptors/shop.binpb'))
  for (const file of set.file) for (const message of file.messageType) for (const field of message.field) field.jsonName = ''
  const book = readDescriptors(toBinary(FileDescriptorSetSchema, set))
  if ('problem' in book) throw new Error(book.problem)
  expect(book.registry.getMessage('shop.v1.Order')?.fields.map((field) => field.jsonName)).toContain('createdAt')
})

test('a set that lacks an import names it', () => {
  const set = create(FileDescriptorSetSchema, { file: [{ name: 'a.proto', dependency: ['b.proto'] }] })
  expect(readDescriptors(toBinary(FileDescriptorSetSchema, set))).toEqual({ problem: expect.stringContaining('b.proto') })
})

test('bytes that are no descriptor set are a problem, whatever they are', () => {
  expect(readDescriptors(new Uint8Array())).toEqual({ problem: expect.stringContaining('no file') })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const read = readDescriptors(bytes)
      expect('problem' in read || Array.isArray(read.services)).toBe(true)
    }),
  )
})

test('an RPC has its annotated rules, their additional bindings and the automatic one, in this order', async () => {
  const rpc = rpcsOf(await shop(), 'shop.v1.Orders')?.rpcs.find(({ method }) => method === 'GetOrder')
  expect(rpc).toEqual({
    service: 'shop.v1.Orders',
    method: 'GetOrder',
    path: '/shop.v1.Orders/GetOrder',
    input: 'shop.v1.GetOrderRequest',
    output: 'shop.v1.Order',
    clientStream: false,
    serverStream: false,
    bindings: [
      { method: 'GET', template: '/v1/orders/{id}', body: '', responseBody: '' },
      { method: 'GET', template: '/v1/tenants/{tenant}/orders/{id}', body: '', responseBody: '' },
      { method: 'POST', template: '/shop.v1.Orders/GetOrder', body: '*', responseBody: '' },
    ],
  })
})

test('all four kinds of RPC are told apart', async () => {
  const kinds = rpcsOf(await shop(), 'shop.v1.Orders')?.rpcs.map(({ method, clientStream, serverStream }) => [method, clientStream, serverStream])
  expect(kinds).toContainEqual(['GetOrder', false, false])
  expect(kinds).toContainEqual(['WatchOrders', false, true])
  expect(kinds).toContainEqual(['ImportOrders', true, false])
  expect(kinds).toContainEqual(['Chat', true, true])
})

test('a service that is not there is undefined', async () => {
  expect(rpcsOf(await shop(), 'shop.v1.Nobody')).toBeUndefined()
})

const refusals: readonly (readonly [what: string, rule: string, says: string])[] = [
  ['an unknown field in the path', 'get: "/v1/{nope}"', '"nope" is not a field of test.v1.In'],
  ['a JSON name in the path', 'get: "/v1/{longName}"', '"longName" is not a field of test.v1.In'],
  ['a path through a scalar', 'get: "/v1/{id.x}"', 'goes through scalar field "id"'],
  ['a repeated path variable', 'get: "/v1/{tags}"', 'repeated field "tags" cannot be written in a path'],
  ['a map path variable', 'get: "/v1/{labels}"', 'map field "labels" cannot be written in a path'],
  ['a message path variable', 'get: "/v1/{inner}"', 'message field "inner" cannot be written in a path'],
  ['a variable given twice', 'get: "/v1/{id}/{id}"', 'given twice'],
  ['a nested variable', 'get: "/v1/{id=a/{x}}"', 'variable'],
  ['two members of one oneof in the path', 'get: "/v1/{left}/{right}"', 'would overwrite each other'],
  ['** that is not last', 'get: "/v1/{id=**}/x"', '"**" must be the last segment'],
  ['a path without a slash', 'get: "v1"', 'a path starts with "/"'],
  ['a trailing slash', 'get: "/v1/"', 'a segment is empty'],
  ['an unknown body field', 'post: "/v1" body: "nope"', 'body "nope" is not a field'],
  ['a nested body field', 'post: "/v1" body: "inner.name"', 'must be a top-level field'],
  ['a body that the path sets', 'post: "/v1/{id}" body: "id"', 'would overwrite each other'],
  ['an unknown response_body', 'get: "/v1" response_body: "nope"', 'response_body "nope" is not a field of test.v1.Out'],
  ['a nested response_body', 'get: "/v1" response_body: "a.b"', 'must be a top-level field'],
  ['a rule without a pattern', 'body: "*"', 'names no method and path'],
  ['a custom method that is none', 'custom { kind: "a b" path: "/v1" }', '"a b" is not a method'],
  [
    'nested additional_bindings',
    'get: "/v1" additional_bindings { get: "/v2" additional_bindings { get: "/v3" } }',
    'an additional binding cannot have additional_bindings',
  ],
  [
    'two rules of one shape on one RPC',
    'get: "/v1/{id}" additional_bindings { get: "/v1/{long_name}" }',
    'test.v1.S0/M and test.v1.S0/M take the same requests',
  ],
]

test('rules that cannot work are refused at load, with the RPC and the text of the rule', async () => {
  const services = refusals.map(([, rule], i) => `service S${i} { rpc M(In) returns (Out) { option (google.api.http) = { ${rule} }; } }`)
  const book = await bookFrom({ 'test.proto': `${messages}\n${services.join('\n')}` })
  for (const [i, [what, rule, says]] of refusals.entries()) {
    const found = rpcsOf(book, `test.v1.S${i}`)
    const problem = found?.problems.find(({ message }) => message.includes(says.replace('S0', `S${i}`).replace('S0', `S${i}`)))
    expect([what, problem]).toEqual([what, expect.anything()])
    expect(problem?.rpc).toBe(`test.v1.S${i}/M`)
    const path = /additional|same requests/.test(says) ? undefined : /(?:get|post): "([^"]+)"/.exec(rule)?.[1]
    expect(problem?.message).toContain(path ?? '')
  }
})

test('rules that work are taken: custom methods, deep variables, verbs, well-known types in the path', async () => {
  const rules = [
    'custom { kind: "HEAD" path: "/v1/{id}" }',
    'custom { kind: "*" path: "/v1/any" }',
    'get: "/v1/{id=a/*/b/**}:go"',
    'get: "/v1/{inner.name}" response_body: "items"',
    'get: "/v1/at/{at}/{wrapped}"',
  ]
  const services = rules.map((rule, i) => `service S${i} { rpc M(In) returns (Out) { option (google.api.http) = { ${rule} }; } }`)
  const book = await bookFrom({ 'test.proto': `${messages}\n${services.join('\n')}` })
  const found = rules.map((_, i) => rpcsOf(book, `test.v1.S${i}`))
  expect(found.flatMap((each) => each?.problems)).toEqual([])
  expect(found.map((each) => each?.rpcs[0]?.bindings[0])).toEqual([
    { method: 'HEAD', template: '/v1/{id}', body: '', responseBody: '' },
    { method: '*', template: '/v1/any', body: '', responseBody: '' },
    { method: 'GET', template: '/v1/{id=a/*/b/**}:go', body: '', responseBody: '' },
    { method: 'GET', template: '/v1/{inner.name}', body: '', responseBody: 'items' },
    { method: 'GET', template: '/v1/at/{at}/{wrapped}', body: '', responseBody: '' },
  ])
})

test('two RPCs whose rules take the same requests are named both', async () => {
  const book = await bookFrom({
    'test.proto': `${messages}
      service S {
        rpc A(In) returns (Out) { option (google.api.http) = { get: "/v1/{id}:go" }; }
        rpc B(In) returns (Out) { option (google.api.http) = { get: "/v1/{long_name}:go" }; }
        rpc C(In) returns (Out) { option (google.api.http) = { post: "/test.v1.S/A" }; }
      }`,
  })
  expect(rpcsOf(book, 'test.v1.S')?.problems).toEqual([
    {
      rpc: 'test.v1.S/B',
      place: 'test.proto',
      type: 'test.v1.In',
      message: 'GET /v1/{long_name}:go: test.v1.S/A and test.v1.S/B take the same requests (GET /v1/*:go)',
    },
    { rpc: 'test.v1.S/C', place: 'test.proto', type: 'test.v1.In', message: 'POST /test.v1.S/A: test.v1.S/C takes the automatic path of test.v1.S/A' },
  ])
})

test('reading is deterministic', async () => {
  const [one, two] = [await shop(), await shop()]
  expect(JSON.stringify(rpcsOf(one, 'shop.v1.Orders'))).toBe(JSON.stringify(rpcsOf(two, 'shop.v1.Orders')))
  expect(structuredClone(rpcsOf(one, 'shop.v1.Orders'))).toEqual(rpcsOf(two, 'shop.v1.Orders'))
})

const messages = `
syntax = "proto3";
package test.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Inner { string name = 1; }
message In {
  string id = 1;
  string long_name = 2;
  repeated string tags = 3;
  map<string, string> labels = 4;
  Inner inner = 5;
  oneof side { string left = 6; string right = 7; }
  google.protobuf.Timestamp at = 8;
  google.protobuf.Int64Value wrapped = 9;
}
message Out { repeated string items = 1; }
`
