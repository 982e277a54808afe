import { type Case, conform } from './house.ts'
import { block, double, int, varint } from './proto-bytes.ts'

const fields = [
  'text',
  'number',
  'long',
  'ratio',
  'flag',
  'color',
  'data',
  'maybe',
  'inner',
  'at',
  'wrapped',
  'value',
  'structure',
  'items',
  'longs',
  'inners',
  'colors',
  'labels',
  'left',
  'any_name',
  'file',
  'nothing',
]

const protos = {
  'body/v1/body.proto': `
syntax = "proto3";
package body.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service Body {
  rpc Field(Ask) returns (Reply) {
    option (google.api.http) = {
      get: "/v1/whole"
${fields.map((field) => `      additional_bindings { get: "/v1/${field}" response_body: "${field}" }`).join('\n')}
    };
  }
  rpc Clear(Ask) returns (google.protobuf.Empty) { option (google.api.http) = { delete: "/v1/clear" }; }
  rpc Raw(Ask) returns (google.api.HttpBody) { option (google.api.http) = { get: "/v1/raw" }; }
  rpc Bare(Ask) returns (google.protobuf.Value) { option (google.api.http) = { get: "/v1/bare" }; }
  rpc When(Ask) returns (google.protobuf.Timestamp) { option (google.api.http) = { get: "/v1/when" }; }
  rpc List(Ask) returns (stream Reply) {
    option (google.api.http) = { get: "/v1/list" response_body: "inner" additional_bindings { get: "/v1/longs:watch" response_body: "long" } };
  }
}

message Ask {}
enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; }
message Inner { string name = 1; int64 size = 2; }
message Reply {
  string text = 1;
  int32 number = 2;
  int64 long = 3;
  double ratio = 4;
  bool flag = 5;
  Color color = 6;
  bytes data = 7;
  optional int32 maybe = 8;
  Inner inner = 9;
  google.protobuf.Timestamp at = 10;
  google.protobuf.Int64Value wrapped = 11;
  google.protobuf.Value value = 12;
  google.protobuf.Struct structure = 13;
  repeated string items = 14;
  repeated int64 longs = 15;
  repeated Inner inners = 16;
  repeated Color colors = 17;
  map<string, int64> labels = 18;
  oneof side { string left = 19; string right = 20; }
  string any_name = 21 [json_name = "other"];
  google.api.HttpBody file = 22;
  google.protobuf.Empty nothing = 23;
}
`,
}

const source = 'http.proto, response_body; reference 3 row 15: envoy #11136'

/** One field as the whole answer. */
function field(name: string, at: string, wire: readonly Uint8Array[], text: string, why = source): Case {
  return {
    name,
    source: why,
    send: { path: `/v1/${at}` },
    reply: { messages: [Buffer.concat([block(1, 'not this'), ...wire])] },
    reaches: { rpc: 'Field' },
    answer: { status: 200, headers: { 'content-type': 'application/json', 'content-length': `${Buffer.byteLength(text)}` }, text },
  }
}

const cases: readonly Case[] = [
  { ...field('a string is a JSON string', 'text', [block(1, 'a"b')], '"a\\"b"') },
  field('an int32 is a number', 'number', [int(2, -5)], '-5'),
  field('an int64 is quoted', 'long', [int(3, 9007199254740993n)], '"9007199254740993"', 'reference 2.6: GW writes a bare number; ProtoJSON'),
  field('a double is a number', 'ratio', [double(4, 0.5)], '0.5'),
  field('minus zero keeps its sign', 'ratio', [double(4, -0)], '-0', 'ProtoJSON; reference 2.7'),
  field('NaN is a string', 'ratio', [double(4, Number.NaN)], '"NaN"'),
  field('a bool is true', 'flag', [int(5, 1)], 'true'),
  field('an enum is its name', 'color', [int(6, 1)], '"COLOR_RED"'),
  field('an enum that nobody knows is its number', 'color', [int(6, 8)], '8'),
  field('bytes are base64', 'data', [block(7, Buffer.from([255]))], '"/w=="'),
  field('an optional field', 'maybe', [int(8, 0)], '0'),
  field('a message', 'inner', [block(9, block(1, 'a'), int(2, 1))], '{"name":"a","size":"1"}'),
  field('a Timestamp', 'at', [block(10, int(1, 1))], '"1970-01-01T00:00:01Z"'),
  field('a wrapper is its value', 'wrapped', [block(11, int(1, 7))], '"7"'),
  field('a Value of null is null', 'value', [block(12, int(1, 0))], 'null'),
  field('a Value of a list', 'value', [block(12, block(6, block(1, int(4, 1))))], '[true]'),
  field('a Struct', 'structure', [block(13, block(1, block(1, 'a'), block(2, block(3, 'b'))))], '{"a":"b"}'),
  field('a list', 'items', [block(14, 'a'), block(14, '')], '["a",""]'),
  field('a list of int64 is quoted item by item', 'longs', [block(15, varint(1), varint(2))], '["1","2"]'),
  field('a list of messages', 'inners', [block(16), block(16, block(1, 'a'))], '[{},{"name":"a"}]'),
  field('a list of enums', 'colors', [block(17, varint(1), varint(0))], '["COLOR_RED","COLOR_UNSPECIFIED"]'),
  field('a map', 'labels', [block(18, block(1, 'a'), int(2, 1))], '{"a":"1"}'),
  field('a member of a oneof', 'left', [block(19)], '""'),
  field(
    'a field with a JSON name of its own',
    'any_name',
    [block(21, 'x')],
    '"x"',
    'http.proto, response_body: the name in the .proto file; descriptor.proto, json_name',
  ),
  field('Empty that is set is {}', 'nothing', [block(23)], '{}'),
  field('an empty list is []', 'items', [], '[]', 'reference 2.6: GW writes null; reference 3 row 16'),
  field('an empty list of int64 is []', 'longs', [], '[]', 'reference 2.6: GW writes null'),
  field('an empty list of messages is []', 'inners', [], '[]', 'reference 2.6: GW writes null'),
  field('an empty map is {}', 'labels', [], '{}', 'ProtoJSON, table: map'),
  field('a number that is not set is 0', 'number', [], '0', 'ProtoJSON: default values; http.proto is silent'),
  field('an int64 that is not set is "0"', 'long', [], '"0"', 'ProtoJSON: default values, int64'),
  field('a bool that is not set is false', 'flag', [], 'false', 'ProtoJSON: default values'),
  field('an enum that is not set is its first name', 'color', [], '"COLOR_UNSPECIFIED"', 'ProtoJSON: default values'),
  field('bytes that are not set are ""', 'data', [], '""', 'ProtoJSON: default values'),
  field('a message that is not set is {}', 'inner', [], '{}', 'design, Response: {} for an empty message; http.proto is silent'),
  field('a wrapper that is not set is null', 'wrapped', [], 'null', 'ProtoJSON, wrappers: null is not set'),
  field('a Timestamp that is not set is null', 'at', [], 'null', 'ProtoJSON: null is not set'),
  field('an optional field that is not set is null', 'maybe', [], 'null', 'ProtoJSON: null is not set'),
  field('a member of a oneof that is not set is null', 'left', [block(20, 'x')], 'null', 'ProtoJSON: null is not set'),
  {
    name: 'without response_body it is the whole message',
    source: 'http.proto, response_body',
    send: { path: '/v1/whole' },
    reply: { messages: [block(14, 'a')] },
    reaches: { rpc: 'Field' },
    answer: { status: 200, text: '{"items":["a"]}' },
  },
  {
    name: 'Empty is {} with 200',
    source: 'reference 2.6, Empty response; ProtoJSON, Empty',
    send: { path: '/v1/clear', method: 'DELETE' },
    reaches: { rpc: 'Clear' },
    answer: { status: 200, headers: { 'content-type': 'application/json', 'content-length': '2' }, text: '{}' },
  },
  {
    name: 'Empty is {} whatever unknown fields it has',
    source: 'ProtoJSON, "Unknown Fields"',
    send: { path: '/v1/clear', method: 'DELETE' },
    reply: { messages: [int(9, 9)] },
    reaches: { rpc: 'Clear' },
    answer: { status: 200, text: '{}' },
  },
  {
    name: 'a whole answer may be a Value',
    source: 'ProtoJSON, google.protobuf.Value',
    send: { path: '/v1/bare' },
    reply: { messages: [block(3, 'x')] },
    reaches: { rpc: 'Bare' },
    answer: { status: 200, text: '"x"' },
  },
  {
    name: 'a whole answer may be a Timestamp',
    source: 'ProtoJSON, google.protobuf.Timestamp',
    send: { path: '/v1/when' },
    reply: { messages: [int(1, 1)] },
    reaches: { rpc: 'When' },
    answer: { status: 200, text: '"1970-01-01T00:00:01Z"' },
  },
  {
    name: 'response_body holds for every message of a stream',
    source: 'http.proto, response_body',
    send: { path: '/v1/list' },
    reply: { messages: [block(9, block(1, 'a')), new Uint8Array()] },
    reaches: { rpc: 'List' },
    answer: { status: 200, headers: { 'content-type': 'application/x-ndjson' }, text: '{"name":"a"}\n{}\n' },
  },
  {
    name: 'an int64 of a stream is quoted line by line',
    source: 'http.proto, response_body; ProtoJSON',
    send: { path: '/v1/longs:watch', headers: { accept: 'application/json' } },
    reply: { messages: [int(3, 1), int(3, 2)] },
    reaches: { rpc: 'List' },
    answer: { status: 200, headers: { 'content-type': 'application/json' }, text: '["1","2"]' },
  },
]

/** google.api.HttpBody as the service sends it, and the raw answer. */
function raw(name: string, why: string, path: string, wire: Uint8Array, type: string, body: Uint8Array): Case {
  const rpc = path === '/v1/raw' ? 'Raw' : 'Field'
  return {
    name,
    source: why,
    send: { path },
    reply: { messages: [wire] },
    reaches: { rpc },
    answer: { status: 200, headers: { 'content-type': type, 'content-length': `${body.length}` }, bytes: () => body },
  }
}

const noise = Buffer.from([0, 1, 0xff, 0x0a, 0x0d])
const http = 'google/api/httpbody.proto; reference 2.6, HttpBody out'

conform('response_body', { protos }, cases)
conform('HttpBody out', { protos }, [
  raw('it is the bytes under their type', http, '/v1/raw', Buffer.concat([block(1, 'image/png'), block(2, noise)]), 'image/png', noise),
  raw(
    'a type with parameters stays as it is',
    http,
    '/v1/raw',
    Buffer.concat([block(1, 'text/csv; charset="utf-8"; header=present'), block(2, 'a\n')]),
    'text/csv; charset="utf-8"; header=present',
    Buffer.from('a\n'),
  ),
  raw('a missing type is application/octet-stream', `${http}: missing type`, '/v1/raw', block(2, noise), 'application/octet-stream', noise),
  raw('no bytes are an empty body', http, '/v1/raw', block(1, 'text/plain'), 'text/plain', Buffer.alloc(0)),
  raw(
    'JSON bytes are not touched',
    http,
    '/v1/raw',
    Buffer.concat([block(1, 'application/json'), block(2, '{"a" : 1 }')]),
    'application/json',
    Buffer.from('{"a" : 1 }'),
  ),
  raw(
    'a type that is no header value cannot split the answer',
    `${http}; RFC 9110 section 5.5`,
    '/v1/raw',
    Buffer.concat([block(1, 'text/plain\r\nset-cookie: a=b'), block(2, 'x')]),
    'application/octet-stream',
    Buffer.from('x'),
  ),
  raw(
    'through response_body it is raw as well, with its own type',
    'reference 2.6: GW sends a wrong type through response_body',
    '/v1/file',
    block(22, block(1, 'image/gif'), block(2, noise)),
    'image/gif',
    noise,
  ),
  raw('through response_body, not set: no bytes', http, '/v1/file', new Uint8Array(), 'application/octet-stream', Buffer.alloc(0)),
  {
    name: 'an error in place of an HttpBody is google.rpc.Status',
    source: 'reference 2.11, Body',
    send: { path: '/v1/raw' },
    reply: { status: { code: 5, details: 'gone' } },
    reaches: { rpc: 'Raw' },
    answer: { status: 404, headers: { 'content-type': 'application/json' }, json: { code: 5, message: 'gone', details: [] } },
  },
])

conform('response_body under other options', { protos, route: 'translate: { protoNames: true, enumsAsInts: true, emitDefaults: true }' }, [
  field('protoNames finds the field', 'any_name', [block(21, 'x')], '"x"', 'http.proto, response_body; design, ProtoJSON options'),
  field('enumsAsInts writes numbers, also of what is not set', 'color', [], '0', 'ProtoJSON, "JSON Options"'),
  field('emitDefaults goes into the field', 'inner', [block(9)], '{"name":"","size":"0"}', 'ProtoJSON, "JSON Options"'),
  field('emitDefaults does not make up a message that is not set', 'inner', [], '{}', 'reference 2.7: explicit presence'),
])
