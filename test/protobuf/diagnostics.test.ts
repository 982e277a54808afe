import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  FieldDescriptorProto_Type as FieldType,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  MethodOptionsSchema,
  SourceCodeInfoSchema,
} from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { readDescriptors, rpcsOf } from '../../src/core/protobuf.ts'
import { loadBeside, shopDescriptors } from '../support/load.ts'
import { descriptorsFrom } from '../support/protos.ts'

const messages = `
syntax = "proto3";
package test.v1;
import "google/api/annotations.proto";
message Inner { string name = 1; }
message In {
  string id = 1;
  repeated string tags = 2;
  map<string, string> labels = 3;
  Inner inner = 4;
  oneof side { string left = 5; string right = 6; }
  repeated Inner inners = 7;
}
message Out { repeated string items = 1; }
`

interface Case {
  readonly what: string
  /** The body of `option (google.api.http)`. */
  readonly rule: string
  readonly says: string
  readonly message?: string
}

const cases: readonly Case[] = [
  { what: 'an unknown field', rule: 'get: "/v1/{nope}"', says: 'GET /v1/{nope}: path variable "nope": "nope" is not a field of test.v1.In' },
  { what: 'an unknown nested field', rule: 'get: "/v1/{inner.nope}"', says: '"nope" is not a field of test.v1.Inner' },
  { what: 'a path through a scalar', rule: 'get: "/v1/{id.x}"', says: '"id.x" goes through scalar field "id", which has no fields to name' },
  { what: 'a path through a list', rule: 'get: "/v1/{inners.name}"', says: '"inners.name" goes through repeated field "inners"' },
  { what: 'a repeated path variable', rule: 'get: "/v1/{tags}"', says: 'path variable "tags": repeated field "tags" cannot be written in a path' },
  { what: 'a map path variable', rule: 'get: "/v1/{labels}"', says: 'path variable "labels": map field "labels" cannot be written in a path' },
  { what: 'a duplicate variable', rule: 'get: "/v1/{id}/{id}"', says: 'GET /v1/{id}/{id}: variable "id" is given twice (character 11)' },
  { what: 'a nested variable', rule: 'get: "/v1/{id=a/{x}}"', says: 'GET /v1/{id=a/{x}}: ' },
  { what: 'two members of a oneof', rule: 'get: "/v1/{left}/{right}"', says: 'path variables "left" and "right" would overwrite each other' },
  { what: '** that is not last', rule: 'get: "/v1/{id=**}/x"', says: 'GET /v1/{id=**}/x: "**" must be the last segment (character 9)' },
  { what: 'an invalid template', rule: 'get: "/v1/a b"', says: 'GET /v1/a b: "a b" is not a canonical segment' },
  { what: 'an empty segment', rule: 'get: "/v1//x"', says: 'GET /v1//x: a segment is empty (character 5)' },
  { what: 'an open brace', rule: 'get: "/v1/{id"', says: 'GET /v1/{id: "{" is not closed (character 5)' },
  { what: 'a rule without a path', rule: 'body: "*"', says: 'HTTP rule: it names no method and path' },
  { what: 'a custom method that is none', rule: 'custom { kind: "a b" path: "/v1" }', says: '"a b" is not a method' },
  { what: 'an unknown body', rule: 'post: "/v1" body: "nope"', says: 'POST /v1: body "nope" is not a field of test.v1.In' },
  { what: 'a nested body', rule: 'post: "/v1" body: "inner.name"', says: 'POST /v1: body "inner.name" must be a top-level field' },
  {
    what: 'an unknown response_body',
    rule: 'get: "/v1" response_body: "nope"',
    says: 'response_body "nope" is not a field of test.v1.Out',
    message: 'test.v1.Out',
  },
  { what: 'a nested response_body', rule: 'get: "/v1" response_body: "a.b"', says: 'response_body "a.b" must be a top-level field', message: 'test.v1.Out' },
  {
    what: 'nested additional_bindings',
    rule: 'get: "/v1" additional_bindings { get: "/v2" additional_bindings { get: "/v3" } }',
    says: 'GET /v2: an additional binding cannot have additional_bindings',
  },
]

const route = (service: string, assets = 'clusters: { c: { protocol: grpc, address: "127.0.0.1:1", descriptors: set.binpb } }') => `${assets}
routes:
  r: { match: { grpc: ${service} }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: c }
`

async function errorsOf(bytes: Uint8Array, service: string): Promise<readonly string[]> {
  const { diagnostics } = await loadBeside(route(service), { assets: { 'set.binpb': bytes } })
  return diagnostics.filter(({ severity }) => severity === 'error').map(({ message }) => message)
}

describe('a rule in a descriptor set that cannot work is a diagnostic with the proto file, the message and the rule', () => {
  let set: Uint8Array
  beforeAll(async () => {
    const services = cases.map(({ rule }, i) => `service S${i} { rpc M(In) returns (Out) { option (google.api.http) = { ${rule} }; } }`)
    set = await descriptorsFrom({ 'test/v1/test.proto': `${messages}\n${services.join('\n')}` })
  })

  it.each(cases)('$what', async (one) => {
    const { says, message = 'test.v1.In' } = one
    const i = cases.indexOf(one)
    const errors = await errorsOf(set, `test.v1.S${i}`)
    const [error] = errors
    expect(errors).toHaveLength(1)
    expect(error?.startsWith(`test/v1/test.proto: test.v1.S${i}/M (message ${message}): `)).toBe(true)
    expect(error).toContain(says)
  })

  it('two rules of the same shape name both RPCs', async () => {
    const both = await descriptorsFrom({
      'test.proto': `${messages} service S {
        rpc A(In) returns (Out) { option (google.api.http) = { get: "/v1/{id}" }; }
        rpc B(In) returns (Out) { option (google.api.http) = { get: "/v1/{left}" }; }
      }`,
    })
    expect(await errorsOf(both, 'test.v1.S')).toEqual([
      'test.proto: test.v1.S/B (message test.v1.In): GET /v1/{left}: test.v1.S/A and test.v1.S/B take the same requests (GET /v1/*).',
    ])
  })

  it('an unknown service is answered with the one that was meant', async () => {
    const { diagnostics } = await loadBeside(route('test.v1.S00'), { assets: { 'set.binpb': set } })
    expect(diagnostics[0]).toMatchObject({
      code: 'service_unknown',
      message: '"test.v1.S00" is not a service in set.binpb.',
      hint: expect.stringMatching(/^Did you mean "test\.v1\.S0/),
    })
  })

  it('a binding of a route is held to the same rules, and says which message it does not fit', async () => {
    const text = route('shop.v1.Orders').replace('to: c', 'to: c, bindings: [{ rpc: GetOrder, method: GET, path: "/o/{nope}" }]')
    const { diagnostics } = await loadBeside(text, { assets: { 'set.binpb': shopDescriptors } })
    expect(diagnostics.map(({ message }) => message)).toEqual([
      'The rule cannot work: shop/v1/orders.proto: shop.v1.Orders/GetOrder (message shop.v1.GetOrderRequest): GET /o/{nope}: path variable "nope": "nope" is not a field of shop.v1.GetOrderRequest.',
    ])
  })

  it('names the line where the set has source information, of the option before that of the RPC', async () => {
    const spans = (path: readonly number[], line: number) => ({ path: [...path], span: [line, 2, 9] })
    const one = (location: readonly ReturnType<typeof spans>[]) =>
      edited(set, (file) => {
        file.sourceCodeInfo = create(SourceCodeInfoSchema, { location: [...location] })
      })
    const rpc = [6, 0, 2, 0]
    expect((await errorsOf(one([spans([6, 0], 3), spans(rpc, 40)]), 'test.v1.S0'))[0]).toMatch(/^test\/v1\/test\.proto:41: test\.v1\.S0\/M /)
    expect((await errorsOf(one([spans(rpc, 40), spans([...rpc, 4, 72_295_728], 41)]), 'test.v1.S0'))[0]).toMatch(/^test\/v1\/test\.proto:42: /)
    expect((await errorsOf(one([spans([6, 1, 2, 0], 9)]), 'test.v1.S0'))[0]).toMatch(/^test\/v1\/test\.proto: /)
  })
})

/** The set with its own file changed. */
function edited(bytes: Uint8Array, change: (file: FileDescriptorProto) => void): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, bytes)
  const file = set.file.find(({ name }) => name.endsWith('test.proto'))
  if (file === undefined) throw new Error('no such file')
  change(file)
  return toBinary(FileDescriptorSetSchema, set)
}

type FileInit = NonNullable<Parameters<typeof create<typeof FileDescriptorProtoSchema>>[1]>

const handMade = (...files: readonly FileInit[]): Uint8Array =>
  toBinary(
    FileDescriptorSetSchema,
    create(FileDescriptorSetSchema, { file: files.map((file) => create(FileDescriptorProtoSchema, { syntax: 'proto3', ...file })) }),
  )

const text = { name: 'x', number: 1, type: FieldType.STRING, label: Label.OPTIONAL }

/** What no compiler writes. */
const broken: readonly (readonly [what: string, set: Uint8Array, says: string])[] = [
  ['a missing import', handMade({ name: 'a.proto', dependency: ['b.proto'] }), 'a.proto imports b.proto, which is not in the set (build it with imports)'],
  [
    'imports in a circle',
    handMade({ name: 'a.proto', dependency: ['b.proto'] }, { name: 'b.proto', dependency: ['a.proto'] }),
    'a.proto imports b.proto imports a.proto: imports go in a circle',
  ],
  ['a file twice', handMade({ name: 'a.proto' }, { name: 'a.proto' }), 'a.proto is in the set twice'],
  ['a file without a name', handMade({ package: 'a' }), 'a file has no name'],
  [
    'a message twice',
    handMade({ name: 'a.proto', package: 'a', messageType: [{ name: 'M' }] }, { name: 'b.proto', package: 'a', messageType: [{ name: 'M' }] }),
    'b.proto: a.M is defined a second time, first in a.proto',
  ],
  [
    'a field of a type that is not there',
    handMade({ name: 'a.proto', package: 'a', messageType: [{ name: 'M', field: [{ ...text, type: FieldType.MESSAGE, typeName: '.a.N' }] }] }),
    'a.proto: message a.M: field "x" is of type "a.N", which is no message of the set',
  ],
  [
    'an enum where a message should be',
    handMade({
      name: 'a.proto',
      messageType: [{ name: 'M', field: [{ ...text, type: FieldType.MESSAGE, typeName: '.E' }] }],
      enumType: [{ name: 'E', value: [{ name: 'ZERO', number: 0 }] }],
    }),
    'a.proto: message M: field "x" is of type "E", which is no message of the set',
  ],
  [
    'two fields of one number',
    handMade({ name: 'a.proto', messageType: [{ name: 'M', field: [text, { ...text, name: 'y' }] }] }),
    'a.proto: message M: the fields "x" and "y" share number 1',
  ],
  [
    'a field number that is none',
    handMade({ name: 'a.proto', messageType: [{ name: 'M', field: [{ ...text, number: 0 }] }] }),
    'a.proto: message M: field "x" has the number 0',
  ],
  [
    'a oneof that is not there',
    handMade({ name: 'a.proto', messageType: [{ name: 'M', field: [{ ...text, oneofIndex: 3 }] }] }),
    'field "x" is in oneof 3, which its message does not have',
  ],
  ['an enum without values', handMade({ name: 'a.proto', enumType: [{ name: 'E' }] }), 'a.proto: enum E has no value'],
  [
    'an RPC without its request',
    handMade({
      name: 'a.proto',
      package: 'a',
      messageType: [{ name: 'M' }],
      service: [{ name: 'S', method: [{ name: 'Do', inputType: '.a.In', outputType: '.a.M' }] }],
    }),
    'a.proto: RPC a.S/Do: its request type "a.In" is not a message of the set',
  ],
  [
    'an extension of nothing',
    handMade({ name: 'a.proto', extension: [{ ...text, number: 100, extendee: '.a.M' }] }),
    'a.proto: extension: field "x" extends "a.M", which is no message of the set',
  ],
  ['a syntax of tomorrow', handMade({ name: 'a.proto' }, { name: 'b.proto', syntax: 'proto9' }), 'b.proto cannot be used: '],
]

describe('a set that no compiler would write is a diagnostic with the proto file and what in it is wrong', () => {
  it.each(broken)('%s', async (_, set, says) => {
    const { diagnostics } = await loadBeside(route('a.S'), { assets: { 'set.binpb': set } })
    const problems = diagnostics.filter(({ code }) => code === 'descriptors_unreadable')
    expect(problems).toHaveLength(1)
    expect(problems[0]?.message).toContain(says)
    expect(problems[0]?.message).toMatch(/^set\.binpb cannot be read: /)
  })

  it('says how many problems there are beyond the first', () => {
    const many = handMade({ name: 'a.proto', dependency: Array.from({ length: 9 }, (_, i) => `${i}.proto`) })
    expect(readDescriptors(many)).toEqual({ problem: expect.stringMatching(/0\.proto.*4\.proto.*; and 4 more$/) })
  })

  it('a google.api.http option whose bytes are broken is a problem of its RPC', () => {
    const options = create(MethodOptionsSchema)
    // HttpRule.get (2), seven bytes announced and one there.
    options.$unknown = [{ no: 72_295_728, wireType: 2, data: new Uint8Array([3, 18, 7, 65]) }]
    const method = { name: 'Do', inputType: '.a.M', outputType: '.a.M', options }
    const set = handMade({ name: 'a.proto', package: 'a', messageType: [{ name: 'M' }], service: [{ name: 'S', method: [method] }] })
    const book = readDescriptors(set)
    if ('problem' in book) throw new Error(book.problem)
    expect(rpcsOf(book, 'a.S')?.problems).toEqual([
      { rpc: 'a.S/Do', place: 'a.proto', type: 'a.M', message: 'the google.api.http option: its bytes cannot be read' },
    ])
  })
})

describe('bytes that were a descriptor set', () => {
  /** Reads the bytes as far as the gateway would, and says whether something came of it. */
  const read = (bytes: Uint8Array): string => {
    const book = readDescriptors(bytes)
    if ('problem' in book) return book.problem
    for (const service of book.services) {
      const found = rpcsOf(book, service)
      expect(found).toBeDefined()
      for (const problem of found?.problems ?? []) expect([problem.place, problem.rpc, problem.message].every((each) => each !== '')).toBe(true)
    }
    return 'read'
  }

  it('are read or refused with a sentence when cut anywhere, and never crash', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: shopDescriptors.length - 1 }), (length) => {
        expect(read(shopDescriptors.subarray(0, length)).length).toBeGreaterThan(0)
      }),
      { numRuns: 300 },
    )
  })

  it('are read or refused with a sentence when bytes of them are changed, and never crash', () => {
    const change = fc.record({ at: fc.integer({ min: 0, max: shopDescriptors.length - 1 }), byte: fc.integer({ min: 0, max: 255 }) })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Uint8Array.from(shopDescriptors)
        for (const { at, byte } of changes) bytes[at] = byte
        expect(read(bytes).length).toBeGreaterThan(0)
      }),
      { numRuns: 500 },
    )
  })

  it('give a policy diagnostics, and never an exception, when they are what a cluster names', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: shopDescriptors.length - 2 }), fc.integer({ min: 1, max: 255 }), async (at, add) => {
        const bytes = Uint8Array.from(shopDescriptors)
        bytes[at] = ((bytes[at] ?? 0) + add) & 255
        const { policy } = await loadBeside(route('shop.v1.Orders'), { assets: { 'set.binpb': bytes } })
        expect(policy).toBeDefined()
        const cut = await errorsOf(bytes.subarray(0, at), 'shop.v1.Orders')
        expect(cut.length).toBeGreaterThan(0)
      }),
      { numRuns: 40 },
    )
  })
})
