import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { beforeAll, describe, expect, it } from 'vitest'
import { compareServices, type DescriptorBook, emptyBook, readDescriptors } from '../../src/core/protobuf.ts'
import { shopDescriptors } from '../support/load.ts'
import { bookFrom, descriptorsFrom } from '../support/protos.ts'

const text = `syntax = "proto3";
package a.v1;
import "google/api/annotations.proto";
import "google/protobuf/timestamp.proto";
service S {
  rpc Get(GetRequest) returns (Thing) { option (google.api.http) = { get: "/v1/things/{id}" additional_bindings { get: "/v1/t/{id}" } }; }
  rpc Watch(GetRequest) returns (stream Thing);
  rpc Put(Thing) returns (Thing) { option (google.api.http) = { put: "/v1/things" body: "*" }; }
}
service Other { rpc Do(Unused) returns (Unused); }
message GetRequest { string id = 1; }
message Thing {
  string id = 1;
  int64 count = 2;
  Inner inner = 3;
  repeated string tags = 4;
  map<string, Inner> by_name = 5;
  Colour colour = 6;
  oneof side { string left = 7; string right = 8; }
  google.protobuf.Timestamp at = 9;
  Thing parent = 10;
}
message Inner { string name = 1; }
message Unused { string x = 1; }
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; COLOUR_BLUE = 2; }
`

interface Case {
  readonly what: string
  readonly from: string
  readonly to: string
  /** `kind element: change`, in order. */
  readonly differences: readonly string[]
}

const cases: readonly Case[] = [
  { what: 'a service that is gone', from: 'service S {', to: 'service S9 {', differences: ['breaking a.v1.S: the service is gone'] },
  {
    what: 'an RPC that is gone',
    from: 'rpc Put(Thing) returns (Thing)',
    to: 'rpc Set(Thing) returns (Thing)',
    differences: ['breaking a.v1.S/Put: the RPC is gone', 'addition a.v1.S/Set: the RPC is new'],
  },
  {
    what: 'another kind of stream',
    from: 'returns (stream Thing)',
    to: 'returns (Thing)',
    differences: ['breaking a.v1.S/Watch: its kind is unary, was server streaming'],
  },
  {
    what: 'another request',
    from: 'rpc Watch(GetRequest)',
    to: 'rpc Watch(Inner)',
    differences: ['breaking a.v1.S/Watch: its request is a.v1.Inner, was a.v1.GetRequest'],
  },
  {
    what: 'another answer',
    from: 'returns (stream Thing)',
    to: 'returns (stream Inner)',
    differences: ['breaking a.v1.S/Watch: its answer is a.v1.Inner, was a.v1.Thing'],
  },
  {
    what: 'another path',
    from: 'get: "/v1/t/{id}"',
    to: 'get: "/v2/t/{id}"',
    differences: ['breaking a.v1.S/Get: the HTTP rule GET /v1/t/{id} is gone', 'addition a.v1.S/Get: the HTTP rule GET /v2/t/{id} is new'],
  },
  {
    what: 'another body',
    from: 'body: "*"',
    to: 'body: "inner"',
    differences: ['breaking a.v1.S/Put: the HTTP rule PUT /v1/things has body "inner" and response_body "", was body "*" and response_body ""'],
  },
  {
    what: 'a further rule',
    from: 'get: "/v1/t/{id}"',
    to: 'get: "/v1/t/{id}" } additional_bindings { get: "/x/{id}"',
    differences: ['addition a.v1.S/Get: the HTTP rule GET /x/{id} is new'],
  },
  { what: 'a field that is gone', from: 'int64 count = 2;', to: '', differences: ['breaking a.v1.Thing.count: the field is gone'] },
  { what: 'a field of another number', from: 'count = 2', to: 'count = 20', differences: ['breaking a.v1.Thing.count: the number is 20, was 2'] },
  { what: 'a field of another type', from: 'int64 count', to: 'int32 count', differences: ['breaking a.v1.Thing.count: the type is int32, was int64'] },
  {
    what: 'a field of another name',
    from: 'int64 count',
    to: 'int64 amount',
    differences: ['breaking a.v1.Thing.count: the JSON name is amount, was count', 'breaking a.v1.Thing.count: the name is amount, was count'],
  },
  {
    what: 'another JSON name alone',
    from: 'count = 2',
    to: 'count = 2 [json_name = "n"]',
    differences: ['breaking a.v1.Thing.count: the JSON name is n, was count'],
  },
  {
    what: 'a list that is none any more',
    from: 'repeated string tags',
    to: 'string tags',
    differences: ['breaking a.v1.Thing.tags: the label is singular, was repeated'],
  },
  {
    what: 'a field whose presence counts now',
    from: 'int64 count',
    to: 'optional int64 count',
    differences: ['breaking a.v1.Thing.count: the label is optional, was singular'],
  },
  {
    what: 'a map of other keys',
    from: 'map<string, Inner>',
    to: 'map<int32, Inner>',
    differences: ['breaking a.v1.Thing.by_name: the type is map<int32, a.v1.Inner>, was map<string, a.v1.Inner>'],
  },
  {
    what: 'a field that left its oneof',
    from: 'string right = 8; }',
    to: '} string right = 8;',
    differences: ['breaking a.v1.Thing.right: the label is singular, was optional', 'breaking a.v1.Thing.right: the oneof is none, was side'],
  },
  {
    what: 'a new field, two messages deep',
    from: 'string name = 1;',
    to: 'string name = 1; bool loud = 2;',
    differences: ['addition a.v1.Inner.loud: the field is new (number 2, singular bool)'],
  },
  { what: 'a value that is gone', from: 'COLOUR_BLUE = 2;', to: '', differences: ['breaking a.v1.Colour.COLOUR_BLUE: the value is gone'] },
  {
    what: 'a value of another number',
    from: 'COLOUR_BLUE = 2;',
    to: 'COLOUR_BLUE = 3;',
    differences: ['breaking a.v1.Colour.COLOUR_BLUE: the number is 3, was 2'],
  },
  {
    what: 'a value of another name',
    from: 'COLOUR_BLUE',
    to: 'COLOUR_NAVY',
    differences: ['breaking a.v1.Colour.COLOUR_BLUE: the name is COLOUR_NAVY now (number 2)'],
  },
  {
    what: 'a new value',
    from: 'COLOUR_BLUE = 2;',
    to: 'COLOUR_BLUE = 2; COLOUR_GREEN = 3;',
    differences: ['addition a.v1.Colour.COLOUR_GREEN: the value is new (number 3)'],
  },
]

describe('what a server says is compared by meaning', () => {
  let pinned: DescriptorBook
  beforeAll(async () => {
    pinned = await bookFrom({ 'a/v1/a.proto': text })
  })

  it.each(cases)('$what', async ({ from, to, differences }) => {
    expect(text).toContain(from)
    const live = await bookFrom({ 'a/v1/a.proto': text.replace(from, to) })
    const found = compareServices(pinned, live, ['a.v1.S'])
    expect(found.map(({ kind, element, change }) => `${kind} ${element}: ${change}`)).toEqual(differences)
    expect(new Set(found.map(({ file }) => file))).toEqual(new Set(['a/v1/a.proto']))
  })

  it('what the gateway does not use does not count', async () => {
    const live = await bookFrom({ 'a/v1/a.proto': text.replace('message Unused { string x = 1; }', 'message Unused { int32 y = 2; }') })
    expect(compareServices(pinned, live, ['a.v1.S'])).toEqual([])
    expect(compareServices(pinned, live, ['a.v1.Other'])).toHaveLength(2)
  })

  it('neither the order of files and declarations nor where things stand does', async () => {
    const moved = text.replace('message Inner { string name = 1; }', '').replace('import "google/api', 'import "a/v1/inner.proto";\nimport "google/api')
    const reordered = moved.replace('string id = 1;\n  int64 count = 2;', 'int64 count = 2;\n  string id = 1;')
    const live = await bookFrom({
      'a/v1/a.proto': reordered,
      'a/v1/inner.proto': 'syntax = "proto3";\npackage a.v1;\n// A name.\nmessage Inner { string name = 1; }',
      'z.proto': 'syntax = "proto3";\nmessage Z {}',
    })
    expect(compareServices(pinned, live, ['a.v1.S'])).toEqual([])
  })

  it('a set without JSON names, or with its files in another order, is the same', async () => {
    const set = fromBinary(FileDescriptorSetSchema, await descriptorsFrom({ 'a/v1/a.proto': text }))
    for (const file of set.file) for (const message of file.messageType) for (const field of message.field) field.jsonName = ''
    const live = readDescriptors(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: set.file.toReversed() })))
    if ('problem' in live) throw new Error(live.problem)
    expect(compareServices(pinned, live, ['a.v1.S'])).toEqual([])
  })

  it('a field that must be sent and that the pinned set does not know breaks', async () => {
    const old = 'syntax = "proto2";\npackage b;\nservice S { rpc Do(M) returns (M); }\nmessage M { optional string x = 1; }'
    const was = await bookFrom({ 'b.proto': old })
    const is = await bookFrom({ 'b.proto': old.replace('x = 1;', 'x = 1; required string y = 2;') })
    expect(compareServices(was, is, ['b.S'])).toEqual([
      { kind: 'breaking', file: 'b.proto', element: 'b.M.y', change: 'the field is new (number 2, required string)' },
    ])
    const group = await bookFrom({ 'b.proto': old.replace('optional string x = 1;', 'optional group X = 1 { optional string y = 1; }') })
    expect(compareServices(was, group, ['b.S']).map(({ change }) => change)).toContain('the encoding is delimited, was plain')
  })

  it('the shop equals itself, and nothing where there is nothing', () => {
    const shop = readDescriptors(shopDescriptors)
    if ('problem' in shop) throw new Error(shop.problem)
    expect(compareServices(shop, shop, ['shop.v1.Orders'])).toEqual([])
    expect(compareServices(shop, emptyBook, ['shop.v1.Orders']).map(({ change }) => change)).toEqual(['the service is gone'])
  })
})
