import type { JsonValue } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import type { Heard } from './ask.ts'
import { type Case, conform } from './house.ts'
import { block, double, fixed32, fixed64, float, group, int, varint } from './proto-bytes.ts'

const protos = {
  'out/v1/out.proto': `
syntax = "proto3";
package out.v1;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service Out {
  rpc Scalars(Ask) returns (.out.v1.Scalars) { option (google.api.http) = { get: "/v1/Scalars" }; }
  rpc Known(Ask) returns (.out.v1.Known) { option (google.api.http) = { get: "/v1/Known" }; }
  rpc Shapes(Ask) returns (.out.v1.Shapes) { option (google.api.http) = { get: "/v1/Shapes" }; }
  rpc Maps(Ask) returns (.out.v1.Maps) { option (google.api.http) = { get: "/v1/Maps" }; }
}

message Ask {}

enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; COLOR_BLUE = 2; COLOR_COLD = -1; }
enum Twin { option allow_alias = true; TWIN_NONE = 0; TWIN_FIRST = 1; TWIN_SECOND = 1; }

message Scalars {
  int32 int32 = 1;
  sint32 sint32 = 2;
  uint32 uint32 = 3;
  fixed32 fixed32 = 4;
  sfixed32 sfixed32 = 5;
  int64 int64 = 6;
  sint64 sint64 = 7;
  uint64 uint64 = 8;
  fixed64 fixed64 = 9;
  sfixed64 sfixed64 = 10;
  double double = 11;
  float float = 12;
  bool bool = 13;
  string string = 14;
  bytes bytes = 15;
  Color color = 16;
  Twin twin = 17;
}

message Known {
  google.protobuf.Any any = 1;
  google.protobuf.Timestamp at = 2;
  google.protobuf.Duration span = 3;
  google.protobuf.FieldMask mask = 4;
  google.protobuf.Struct struct = 5;
  google.protobuf.Value value = 6;
  google.protobuf.ListValue list = 7;
  google.protobuf.NullValue null = 8;
  google.protobuf.Empty empty = 9;
  google.protobuf.DoubleValue double_value = 10;
  google.protobuf.FloatValue float_value = 11;
  google.protobuf.Int64Value int64_value = 12;
  google.protobuf.UInt64Value uint64_value = 13;
  google.protobuf.Int32Value int32_value = 14;
  google.protobuf.UInt32Value uint32_value = 15;
  google.protobuf.BoolValue bool_value = 16;
  google.protobuf.StringValue string_value = 17;
  google.protobuf.BytesValue bytes_value = 18;
  repeated google.protobuf.Int64Value wrapped = 19;
  repeated google.protobuf.Value values = 20;
  repeated google.protobuf.Timestamp times = 21;
}

message Inner { string name = 1; Inner inner = 2; }

message Shapes {
  Inner inner = 1;
  repeated int32 numbers = 2;
  repeated string texts = 3;
  repeated Inner inners = 4;
  repeated Color colors = 5;
  optional int32 maybe = 6;
  optional string maybe_text = 7;
  oneof side { string left = 8; int64 right = 9; Inner both = 10; google.protobuf.NullValue neither = 11; }
  string snake_case_name = 12;
  string renamed = 13 [json_name = "Other-Name"];
  int64 _odd__name_1 = 14;
  Color color = 15;
  map<string, int32> counts = 16;
}

message Maps {
  map<int32, string> int32 = 1;
  map<sint32, string> sint32 = 2;
  map<uint32, string> uint32 = 3;
  map<fixed32, string> fixed32 = 4;
  map<sfixed32, string> sfixed32 = 5;
  map<int64, string> int64 = 6;
  map<sint64, string> sint64 = 7;
  map<uint64, string> uint64 = 8;
  map<fixed64, string> fixed64 = 9;
  map<sfixed64, string> sfixed64 = 10;
  map<bool, string> bool = 11;
  map<string, string> string = 12;
  map<string, Inner> inner = 13;
  map<string, Color> color = 14;
  map<string, int64> long = 15;
  map<string, bytes> bytes = 16;
  map<string, google.protobuf.Value> values = 17;
  map<string, google.protobuf.Duration> spans = 18;
}
`,
  'out/v1/old.proto': `
syntax = "proto2";
package out.v1;
import "google/api/annotations.proto";

service OutOld {
  rpc Old(OldAsk) returns (.out.v1.Old) { option (google.api.http) = { get: "/v1/Old" }; }
}

message OldAsk {}

enum Size { SMALL = 1; LARGE = 2; }

message Old {
  optional int32 number = 1 [default = 7];
  optional string text = 2;
  optional Size size = 3 [default = LARGE];
  repeated int32 numbers = 4;
  repeated Size sizes = 5;
  optional group Detail = 6 { optional string note = 1; }
  repeated group Row = 7 { optional int32 cell = 1; }
  extensions 100 to 199;
}

extend Old {
  optional string label = 100;
  repeated int64 marks = 101;
  optional OldAsk nothing = 102;
}
message Scope { extend Old { optional Size scoped = 103; } }
`,
  'out/v1/new.proto': `
edition = "2023";
package out.v1;
import "google/api/annotations.proto";

service OutNew {
  rpc New(NewAsk) returns (.out.v1.New) { option (google.api.http) = { get: "/v1/New" }; }
}

message NewAsk {}

enum Open { OPEN_UNSPECIFIED = 0; OPEN_ONE = 1; }
enum Closed { option features.enum_type = CLOSED; CLOSED_ONE = 1; CLOSED_TWO = 2; }

message New {
  int32 explicit = 1;
  int32 implicit = 2 [features.field_presence = IMPLICIT];
  Part delimited = 3 [features.message_encoding = DELIMITED];
  repeated int32 expanded = 4 [features.repeated_field_encoding = EXPANDED];
  Open open = 5 [features.field_presence = IMPLICIT];
  Closed closed = 6;
  string text = 7 [features.field_presence = IMPLICIT];
}
message Part { string name = 1; }
`,
}

/** What the service sends in protobuf, and the JSON that must come out, character by character. */
function shows(name: string, source: string, rpc: string, wire: readonly Uint8Array[], text: string): Case {
  return {
    name,
    source,
    send: { path: `/v1/${rpc}` },
    reply: { messages: [Buffer.concat(wire)] },
    reaches: { rpc },
    answer: { status: 200, headers: { 'content-type': 'application/json', 'content-length': `${Buffer.byteLength(text)}` }, text },
  }
}

/** As `shows`, where the order of members is left open. */
function means(...given: Parameters<typeof shows>): Case {
  const { answer, ...one } = shows(...given)
  return { ...one, answer: { status: 200, headers: answer.headers ?? {}, json: JSON.parse(given[4]) as JsonValue } }
}

const brokenUpstream = ({ body }: Heard) =>
  expect(JSON.parse(body.toString())).toMatchObject({ type: 'urn:sallyport:problem:upstream_protocol', status: 502, code: 'upstream_protocol' })

/** What the service sends and cannot be shown. */
function cannotShow(name: string, source: string, rpc: string, wire: readonly Uint8Array[]): Case {
  return {
    name,
    source,
    send: { path: `/v1/${rpc}` },
    reply: { messages: [Buffer.concat(wire)] },
    reaches: { rpc },
    answer: { status: 502, headers: { 'content-type': 'application/problem+json' }, also: brokenUpstream },
  }
}

const table = 'ProtoJSON, "JSON Encoding" table'
const wkt = (type: string) => `ProtoJSON, google.protobuf.${type}`
const minInt64 = -(2n ** 63n)
const minus = (value: bigint) => BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))

conform('ProtoJSON answers: scalars', { protos }, [
  shows('defaults are left out', `${table}; reference 2.7: canonical is to omit`, 'Scalars', [], '{}'),
  shows('a field that is sent with its default is left out as well', table, 'Scalars', [int(1, 0), block(14), int(13, 0)], '{}'),
  shows('int32 is a number, to both extremes', table, 'Scalars', [int(1, -2147483648)], '{"int32":-2147483648}'),
  shows('int32 is a number, to both extremes', table, 'Scalars', [int(1, 2147483647)], '{"int32":2147483647}'),
  shows('sint32 is a number, to both extremes', table, 'Scalars', [int(2, 4294967295)], '{"sint32":-2147483648}'),
  shows('sint32 is a number, to both extremes', table, 'Scalars', [int(2, 4294967294)], '{"sint32":2147483647}'),
  shows('uint32 is a number up to its extreme', table, 'Scalars', [int(3, 4294967295)], '{"uint32":4294967295}'),
  shows('fixed32 is a number up to its extreme', table, 'Scalars', [fixed32(4, 0xffffffff)], '{"fixed32":4294967295}'),
  shows('sfixed32 is a number down to its extreme', table, 'Scalars', [fixed32(5, 0x80000000)], '{"sfixed32":-2147483648}'),
  shows('int64 is a string', `${table}; reference 3 row 16: apisix #7438`, 'Scalars', [int(6, minInt64)], '{"int64":"-9223372036854775808"}'),
  shows('int64 is a string however small', `${table}; reference 3 row 16`, 'Scalars', [int(6, 1)], '{"int64":"1"}'),
  shows('int64 past 2^53 keeps every digit', 'reference 3 row 16: apisix #821, #12390', 'Scalars', [int(6, 9007199254740993n)], '{"int64":"9007199254740993"}'),
  shows('sint64 is a string', table, 'Scalars', [int(7, minus(minInt64))], '{"sint64":"-9223372036854775808"}'),
  shows('uint64 is a string', table, 'Scalars', [int(8, 2n ** 64n - 1n)], '{"uint64":"18446744073709551615"}'),
  shows('fixed64 is a string', `${table}; reference 2.7`, 'Scalars', [fixed64(9, 2n ** 64n - 1n)], '{"fixed64":"18446744073709551615"}'),
  shows('sfixed64 is a string', table, 'Scalars', [fixed64(10, minInt64)], '{"sfixed64":"-9223372036854775808"}'),
  shows('a double is a number', table, 'Scalars', [double(11, 0.1)], '{"double":0.1}'),
  shows('the greatest double', table, 'Scalars', [double(11, Number.MAX_VALUE)], '{"double":1.7976931348623157e+308}'),
  shows('the smallest double', table, 'Scalars', [double(11, 5e-324)], '{"double":5e-324}'),
  shows('NaN is a string', table, 'Scalars', [double(11, Number.NaN)], '{"double":"NaN"}'),
  shows('Infinity is a string', table, 'Scalars', [double(11, Number.POSITIVE_INFINITY)], '{"double":"Infinity"}'),
  shows('-Infinity is a string', table, 'Scalars', [double(11, Number.NEGATIVE_INFINITY)], '{"double":"-Infinity"}'),
  shows(
    '-0 of a double is no default and keeps its sign',
    'ProtoJSON, "Field Presence and Default Values": -0 (presence by bits); protobuf conformance, DoubleFieldNegativeZero',
    'Scalars',
    [double(11, -0)],
    '{"double":-0}',
  ),
  shows('-0 of a float keeps its sign', 'protobuf conformance suite', 'Scalars', [float(12, -0)], '{"float":-0}'),
  shows('a float is written as short as a float can be read back', table, 'Scalars', [float(12, 1.5)], '{"float":1.5}'),
  shows('NaN of a float is a string', table, 'Scalars', [float(12, Number.NaN)], '{"float":"NaN"}'),
  shows('Infinity of a float is a string', table, 'Scalars', [float(12, Number.NEGATIVE_INFINITY)], '{"float":"-Infinity"}'),
  shows('a bool is true', table, 'Scalars', [int(13, 1)], '{"bool":true}'),
  shows('a varint other than 0 is true', 'protobuf.dev, "Encoding": bools', 'Scalars', [int(13, 2)], '{"bool":true}'),
  shows(
    'text goes on as it is, controls and quotes escaped',
    'RFC 8259 section 7',
    'Scalars',
    [block(14, 'a"b\\c\u0001\n\t€𝄞')],
    '{"string":"a\\"b\\\\c\\u0001\\n\\t€𝄞"}',
  ),
  shows(
    'U+2028 and U+2029 are no line breaks to JSON, but must stay readable',
    'RFC 8259 section 7',
    'Scalars',
    [block(14, 'a\u2028b\u2029')],
    JSON.stringify({ string: 'a\u2028b\u2029' }),
  ),
  shows(
    'bytes are standard base64 with padding',
    `${table}; reference 2.7`,
    'Scalars',
    [block(15, Buffer.from([0xfb, 0xff, 0xfe, 0x00]))],
    '{"bytes":"+//+AA=="}',
  ),
  shows('an enum is its name', table, 'Scalars', [int(16, 2)], '{"color":"COLOR_BLUE"}'),
  shows('a negative enum is its name', table, 'Scalars', [int(16, -1)], '{"color":"COLOR_COLD"}'),
  shows(
    'an enum number that nobody knows is the number',
    `${table}; reference 2.7: an unknown value prints as its number`,
    'Scalars',
    [int(16, 77)],
    '{"color":77}',
  ),
  shows('a negative enum number that nobody knows is the number', table, 'Scalars', [int(16, -77)], '{"color":-77}'),
  shows('an aliased number takes the first name', 'ProtoJSON, "JSON Encoding" table: enum', 'Scalars', [int(17, 1)], '{"twin":"TWIN_FIRST"}'),
  shows('the last one of a singular field counts', 'protobuf.dev, "Encoding": Last One Wins', 'Scalars', [int(1, 1), int(1, 2)], '{"int32":2}'),
  shows(
    'fields that nobody knows are left out',
    'ProtoJSON, "Unknown Fields"',
    'Scalars',
    [int(900, 1), block(901, 'x'), fixed64(902, 1n), fixed32(903, 1), int(1, 5)],
    '{"int32":5}',
  ),
  shows(
    'a group that nobody knows is left out, with what is in it',
    'protobuf.dev, "Encoding": Groups',
    'Scalars',
    [group(900, int(1, 1), group(2, block(3, 'x'))), int(1, 5)],
    '{"int32":5}',
  ),
  shows(
    'fields come in the order of their numbers, whatever the order on the wire',
    'design, ProtoJSON; protobuf.dev, "Encoding": Message Element Order',
    'Scalars',
    [block(14, 'x'), int(1, 5)],
    '{"int32":5,"string":"x"}',
  ),
  cannotShow('text that is not UTF-8 is the fault of the upstream', 'protobuf.dev, proto3 string; reference 2.4', 'Scalars', [
    block(14, Buffer.from([0xff, 0xfe])),
  ]),
  cannotShow('a message that ends inside a field is the fault of the upstream', 'protobuf.dev, "Encoding"', 'Scalars', [block(14, 'abc').subarray(0, 3)]),
  cannotShow('a field number 0 is the fault of the upstream', 'protobuf.dev, "Encoding": field numbers', 'Scalars', [Buffer.from([0x00, 0x01])]),
  cannotShow('a varint of eleven bytes is the fault of the upstream', 'protobuf.dev, "Encoding": varints', 'Scalars', [
    varint(8),
    Buffer.alloc(10, 0xff),
    Buffer.from([1]),
  ]),
])

conform('ProtoJSON answers: well-known types', { protos }, [
  shows('a Timestamp without fraction has none', `${wkt('Timestamp')}: 0, 3, 6 or 9 digits`, 'Known', [block(2, int(1, 1))], '{"at":"1970-01-01T00:00:01Z"}'),
  shows('a Timestamp in milliseconds has 3 digits', wkt('Timestamp'), 'Known', [block(2, int(1, 1), int(2, 10_000_000))], '{"at":"1970-01-01T00:00:01.010Z"}'),
  shows('a Timestamp in microseconds has 6 digits', wkt('Timestamp'), 'Known', [block(2, int(1, 1), int(2, 10_000))], '{"at":"1970-01-01T00:00:01.000010Z"}'),
  shows('a Timestamp in nanoseconds has 9 digits', wkt('Timestamp'), 'Known', [block(2, int(1, 1), int(2, 1))], '{"at":"1970-01-01T00:00:01.000000001Z"}'),
  shows('a set Timestamp of zero is written', wkt('Timestamp'), 'Known', [block(2)], '{"at":"1970-01-01T00:00:00Z"}'),
  shows('the first Timestamp', wkt('Timestamp'), 'Known', [block(2, int(1, -62135596800))], '{"at":"0001-01-01T00:00:00Z"}'),
  shows('the last Timestamp', wkt('Timestamp'), 'Known', [block(2, int(1, 253402300799), int(2, 999999999))], '{"at":"9999-12-31T23:59:59.999999999Z"}'),
  shows(
    'a Timestamp before 1970 counts its nanoseconds forward',
    wkt('Timestamp'),
    'Known',
    [block(2, int(1, -1), int(2, 500_000_000))],
    '{"at":"1969-12-31T23:59:59.500Z"}',
  ),
  cannotShow('a Timestamp before the year 1 cannot be written', wkt('Timestamp'), 'Known', [block(2, int(1, -62135596801))]),
  cannotShow('a Timestamp after the year 9999 cannot be written', wkt('Timestamp'), 'Known', [block(2, int(1, 253402300800))]),
  cannotShow('a Timestamp with negative nanoseconds cannot be written', wkt('Timestamp'), 'Known', [block(2, int(2, -1))]),
  shows('a Duration without fraction', wkt('Duration'), 'Known', [block(3, int(1, 3))], '{"span":"3s"}'),
  shows('a Duration with 3 digits', wkt('Duration'), 'Known', [block(3, int(1, 1), int(2, 340_000_000))], '{"span":"1.340s"}'),
  shows('a Duration with 6 digits', wkt('Duration'), 'Known', [block(3, int(2, 1_000))], '{"span":"0.000001s"}'),
  shows('a Duration with 9 digits', wkt('Duration'), 'Known', [block(3, int(1, 1), int(2, 1))], '{"span":"1.000000001s"}'),
  shows('a negative Duration under a second', wkt('Duration'), 'Known', [block(3, int(2, -500_000_000))], '{"span":"-0.500s"}'),
  shows('the shortest Duration', wkt('Duration'), 'Known', [block(3, int(1, -315576000000), int(2, -999999999))], '{"span":"-315576000000.999999999s"}'),
  cannotShow('a Duration out of range cannot be written', `${wkt('Duration')}; reference 2.7`, 'Known', [block(3, int(1, 315576000001))]),
  cannotShow('a Duration of two signs cannot be written', wkt('Duration'), 'Known', [block(3, int(1, 1), int(2, -1))]),
  shows(
    'a FieldMask is one string in camel case',
    wkt('FieldMask'),
    'Known',
    [block(4, block(1, 'foo_bar.baz_qux'), block(1, 'x'))],
    '{"mask":"fooBar.bazQux,x"}',
  ),
  shows('an empty FieldMask is an empty string', wkt('FieldMask'), 'Known', [block(4)], '{"mask":""}'),
  cannotShow('a FieldMask that would not come back cannot be written', wkt('FieldMask'), 'Known', [block(4, block(1, 'fooBar'))]),
  shows('a Struct is an object', wkt('Struct'), 'Known', [block(5, block(1, block(1, 'a'), block(2, double(2, 1))))], '{"struct":{"a":1}}'),
  shows(
    'a member __proto__ of a Struct is a member',
    'reference 5, "Safety of decoding"',
    'Known',
    [block(5, block(1, block(1, '__proto__'), block(2, int(4, 1))))],
    '{"struct":{"__proto__":true}}',
  ),
  shows('an empty Struct is {}', wkt('Struct'), 'Known', [block(5)], '{"struct":{}}'),
  shows('a Value of null is null', wkt('Value'), 'Known', [block(6, int(1, 0))], '{"value":null}'),
  shows('a Value of a number', wkt('Value'), 'Known', [block(6, double(2, -2.5))], '{"value":-2.5}'),
  shows('a Value of text', wkt('Value'), 'Known', [block(6, block(3, 'a'))], '{"value":"a"}'),
  shows('a Value of false', wkt('Value'), 'Known', [block(6, int(4, 0))], '{"value":false}'),
  shows('a Value of a list', wkt('Value'), 'Known', [block(6, block(6, block(1, int(1, 0)), block(1, block(3, 'x'))))], '{"value":[null,"x"]}'),
  cannotShow('a Value of NaN cannot be written', `${wkt('Value')}: NaN and Infinity have no JSON number`, 'Known', [block(6, double(2, Number.NaN))]),
  cannotShow('a Value without a kind cannot be written', wkt('Value'), 'Known', [block(6)]),
  shows('an empty ListValue is []', wkt('ListValue'), 'Known', [block(7)], '{"list":[]}'),
  shows('Empty is {}', wkt('Empty'), 'Known', [block(9)], '{"empty":{}}'),
  shows('DoubleValue is the bare value, a default too', `${wkt('DoubleValue')}: wrappers`, 'Known', [block(10)], '{"doubleValue":0}'),
  shows('DoubleValue of NaN is a string', wkt('DoubleValue'), 'Known', [block(10, double(1, Number.NaN))], '{"doubleValue":"NaN"}'),
  shows('FloatValue is the bare value', wkt('FloatValue'), 'Known', [block(11, float(1, 1.5))], '{"floatValue":1.5}'),
  shows('Int64Value is a string', wkt('Int64Value'), 'Known', [block(12, int(1, minInt64))], '{"int64Value":"-9223372036854775808"}'),
  shows('UInt64Value is a string, a default too', wkt('UInt64Value'), 'Known', [block(13)], '{"uint64Value":"0"}'),
  shows('Int32Value is the bare value', wkt('Int32Value'), 'Known', [block(14, int(1, -1))], '{"int32Value":-1}'),
  shows('UInt32Value is the bare value', wkt('UInt32Value'), 'Known', [block(15, int(1, 4294967295))], '{"uint32Value":4294967295}'),
  shows('BoolValue of false is false, not absent', wkt('BoolValue'), 'Known', [block(16)], '{"boolValue":false}'),
  shows('StringValue of no text is "", not absent', wkt('StringValue'), 'Known', [block(17)], '{"stringValue":""}'),
  shows('BytesValue is base64', wkt('BytesValue'), 'Known', [block(18, block(1, Buffer.from([0xff])))], '{"bytesValue":"/w=="}'),
  shows('a list of wrappers is a list of bare values', wkt('Int64Value'), 'Known', [block(19, int(1, 1)), block(19)], '{"wrapped":["1","0"]}'),
  shows('a list of Values may hold null', wkt('Value'), 'Known', [block(20, int(1, 0)), block(20, int(4, 1))], '{"values":[null,true]}'),
  shows('a list of Timestamps', wkt('Timestamp'), 'Known', [block(21, int(1, 1)), block(21)], '{"times":["1970-01-01T00:00:01Z","1970-01-01T00:00:00Z"]}'),
  means(
    'an Any of a message has @type and its fields beside it',
    wkt('Any'),
    'Known',
    [block(1, block(1, 'type.googleapis.com/out.v1.Inner'), block(2, block(1, 'x')))],
    '{"any":{"@type":"type.googleapis.com/out.v1.Inner","name":"x"}}',
  ),
  means(
    'an Any of a well-known type has it as value',
    `${wkt('Any')}; reference 2.7: Any of a WKT uses value`,
    'Known',
    [block(1, block(1, 'type.googleapis.com/google.protobuf.Duration'), block(2, int(1, 1)))],
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}',
  ),
  means(
    'an Any of a wrapper has it as value',
    wkt('Any'),
    'Known',
    [block(1, block(1, 'type.googleapis.com/google.protobuf.Int64Value'), block(2, int(1, 5)))],
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Int64Value","value":"5"}}',
  ),
  means(
    'an Any of an Any has it as value',
    wkt('Any'),
    'Known',
    [block(1, block(1, 'type.googleapis.com/google.protobuf.Any'), block(2, block(1, 'type.googleapis.com/out.v1.Inner'), block(2)))],
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/out.v1.Inner"}}}',
  ),
  means(
    'an Any of Empty is an Any of a message without fields',
    'ProtoJSON, Any: silent on Empty; protobuf C++, json/internal: no special type (Go writes "value": {})',
    'Known',
    [block(1, block(1, 'type.googleapis.com/google.protobuf.Empty'))],
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Empty"}}',
  ),
  shows('an Any of nothing is {}', wkt('Any'), 'Known', [block(1)], '{"any":{}}'),
  means(
    'the type URL of an Any may have any prefix, and keeps it',
    'google/protobuf/any.proto, type_url',
    'Known',
    [block(1, block(1, 'example.com/a/out.v1.Inner'), block(2, block(1, 'x')))],
    '{"any":{"@type":"example.com/a/out.v1.Inner","name":"x"}}',
  ),
  cannotShow('an Any of a type that nobody knows cannot be written', 'ProtoJSON, Any: the type must be resolved', 'Known', [
    block(1, block(1, 'type.googleapis.com/nobody.Knows'), block(2, 'x')),
  ]),
])

conform('ProtoJSON answers: shapes', { protos }, [
  shows('a message field that is set and empty is {}', `${table}: message`, 'Shapes', [block(1)], '{"inner":{}}'),
  shows('messages inside messages', table, 'Shapes', [block(1, block(1, 'a'), block(2, block(1, 'b')))], '{"inner":{"name":"a","inner":{"name":"b"}}}'),
  shows(
    'two parts of one message field are merged',
    'protobuf.dev, "Encoding": Last One Wins, messages merge',
    'Shapes',
    [block(1, block(1, 'a')), block(1, block(2, block(1, 'b')))],
    '{"inner":{"name":"a","inner":{"name":"b"}}}',
  ),
  shows('a packed list', `${table}: repeated`, 'Shapes', [block(2, varint(1), varint(0), varint(-1))], '{"numbers":[1,0,-1]}'),
  shows(
    'an expanded list of a packed field',
    'protobuf.dev, "Encoding": parsers take both',
    'Shapes',
    [int(2, 1), block(2, varint(2)), int(2, 3)],
    '{"numbers":[1,2,3]}',
  ),
  shows(
    'empty elements of lists stay',
    table,
    'Shapes',
    [block(3, ''), block(3, 'a'), block(4), block(4, block(1, 'b'))],
    '{"texts":["","a"],"inners":[{},{"name":"b"}]}',
  ),
  shows(
    'enums in lists, unknown ones as numbers',
    table,
    'Shapes',
    [block(5, varint(0), varint(1), varint(9))],
    '{"colors":["COLOR_UNSPECIFIED","COLOR_RED",9]}',
  ),
  shows(
    'an optional field with its default is there',
    'ProtoJSON, "Field Presence and Default Values"',
    'Shapes',
    [int(6, 0), block(7)],
    '{"maybe":0,"maybeText":""}',
  ),
  shows('a member of a oneof with its default is there', 'ProtoJSON, "Field Presence and Default Values"', 'Shapes', [block(8)], '{"left":""}'),
  shows('the last member of a oneof stands', 'protobuf.dev, "Oneof"', 'Shapes', [block(8, 'a'), int(9, 0)], '{"right":"0"}'),
  shows('a message in a oneof', 'protobuf.dev, "Oneof"', 'Shapes', [block(10)], '{"both":{}}'),
  shows('NullValue in a oneof is null', 'ProtoJSON, table: NullValue', 'Shapes', [int(11, 0)], '{"neither":null}'),
  shows('names are lowerCamelCase', 'ProtoJSON, "JSON Encoding": names', 'Shapes', [block(12, 'x')], '{"snakeCaseName":"x"}'),
  shows('json_name stands in place of the name', 'descriptor.proto, json_name; reference 3 row 21', 'Shapes', [block(13, 'x')], '{"Other-Name":"x"}'),
  shows('an odd name is made as protoc makes it', 'descriptor.proto, json_name: protoc, ToJsonName', 'Shapes', [int(14, 1)], '{"OddName1":"1"}'),
])

const key = (name: string, field: number, bytes: Uint8Array, shown: string): Case =>
  shows(`a map key of ${name} is a string`, `${table}: map`, 'Maps', [block(field, bytes, block(2, 'x'))], `{"${name}":{"${shown}":"x"}}`)

conform('ProtoJSON answers: maps', { protos }, [
  key('int32', 1, int(1, -2147483648), '-2147483648'),
  key('sint32', 2, int(1, 1), '-1'),
  key('uint32', 3, int(1, 4294967295), '4294967295'),
  key('fixed32', 4, fixed32(1, 4294967295), '4294967295'),
  key('sfixed32', 5, fixed32(1, -1), '-1'),
  key('int64', 6, int(1, minInt64), '-9223372036854775808'),
  key('sint64', 7, int(1, 1), '-1'),
  key('uint64', 8, int(1, 2n ** 64n - 1n), '18446744073709551615'),
  key('fixed64', 9, fixed64(1, 2n ** 64n - 1n), '18446744073709551615'),
  key('sfixed64', 10, fixed64(1, -1n), '-1'),
  key('bool', 11, int(1, 1), 'true'),
  key('string', 12, block(1, 'a b'), 'a b'),
  shows(
    'an entry without key and value has both by default',
    'protobuf.dev, "Encoding": Maps',
    'Maps',
    [block(11), block(12), block(13), block(14)],
    '{"bool":{"false":""},"string":{"":""},"inner":{"":{}},"color":{"":"COLOR_UNSPECIFIED"}}',
  ),
  shows(
    'the last entry of a key counts',
    'protobuf.dev, "Maps": the last key seen is used',
    'Maps',
    [block(12, block(1, 'a'), block(2, '1')), block(12, block(1, 'a'), block(2, '2'))],
    '{"string":{"a":"2"}}',
  ),
  shows(
    'a key __proto__ is a key',
    'reference 5, "Safety of decoding"',
    'Maps',
    [block(12, block(1, '__proto__'), block(2, 'x'))],
    '{"string":{"__proto__":"x"}}',
  ),
  shows(
    'values follow the rules of their own types',
    table,
    'Maps',
    [block(15, block(1, 'a'), int(2, -1)), block(16, block(1, 'b'), block(2, Buffer.from([255]))), block(14, block(1, 'c'), int(2, 99))],
    '{"color":{"c":99},"long":{"a":"-1"},"bytes":{"b":"/w=="}}',
  ),
  shows(
    'values of well-known types',
    table,
    'Maps',
    [block(17, block(1, 'a'), block(2, int(1, 0))), block(18, block(1, 'b'), block(2, int(1, 2)))],
    '{"values":{"a":null},"spans":{"b":"2s"}}',
  ),
])

conform('ProtoJSON answers: proto2 and editions', { protos }, [
  shows('proto2: what is not there is left out, whatever its default', 'ProtoJSON, "Field Presence and Default Values"', 'Old', [], '{}'),
  shows(
    'proto2: what is there is written, also with its default',
    'ProtoJSON, "Field Presence and Default Values"',
    'Old',
    [int(1, 7), block(2), int(3, 2)],
    '{"number":7,"text":"","size":"LARGE"}',
  ),
  shows('proto2: zero is a value', 'ProtoJSON, "Field Presence and Default Values"', 'Old', [int(1, 0)], '{"number":0}'),
  shows(
    'proto2: a number that a closed enum does not have is an unknown field',
    'protobuf.dev, "Enum Behavior": closed',
    'Old',
    [int(3, 9), int(1, 1)],
    '{"number":1}',
  ),
  shows(
    'a group is a message under its lower-case name',
    'protobuf.dev, proto2 groups; reference 2.13: Env mis-encodes groups',
    'Old',
    [group(6, block(1, 'x'))],
    '{"detail":{"note":"x"}}',
  ),
  shows('a repeated group is a list', 'protobuf.dev, proto2 groups', 'Old', [group(7, int(1, 1)), group(7)], '{"row":[{"cell":1},{}]}'),
  cannotShow('a group without its end is the fault of the upstream', 'protobuf.dev, "Encoding": Groups; reference 2.13', 'Old', [
    group(6, block(1, 'x')).subarray(0, -1),
  ]),
  shows('an extension is written in brackets with its full name', 'ProtoJSON: extensions; reference 2.7', 'Old', [block(100, 'x')], '{"[out.v1.label]":"x"}'),
  shows('a repeated extension is a list', 'ProtoJSON: extensions', 'Old', [int(101, 1), int(101, -1)], '{"[out.v1.marks]":["1","-1"]}'),
  shows('an extension that is a message', 'ProtoJSON: extensions', 'Old', [block(102)], '{"[out.v1.nothing]":{}}'),
  shows('an extension declared inside a message carries its scope', 'ProtoJSON: extensions', 'Old', [int(103, 1)], '{"[out.v1.Scope.scoped]":"SMALL"}'),
  shows('editions: explicit presence shows zero', 'protobuf.dev, "Feature Settings": field_presence', 'New', [int(1, 0)], '{"explicit":0}'),
  shows('editions: implicit presence does not', 'protobuf.dev, "Feature Settings": field_presence', 'New', [int(2, 0), block(7)], '{}'),
  shows(
    'editions: a delimited field is a message under its own name',
    'protobuf.dev, "Feature Settings": message_encoding',
    'New',
    [group(3, block(1, 'x'))],
    '{"delimited":{"name":"x"}}',
  ),
  shows('editions: an expanded list', 'protobuf.dev, "Feature Settings": repeated_field_encoding', 'New', [int(4, 1), int(4, 2)], '{"expanded":[1,2]}'),
  shows('editions: an open enum shows numbers that it does not have', 'protobuf.dev, "Feature Settings": enum_type', 'New', [int(5, 9)], '{"open":9}'),
  shows('editions: a closed enum drops them', 'protobuf.dev, "Feature Settings": enum_type', 'New', [int(6, 9)], '{}'),
])

const presence = 'reference 2.7: explicit-presence fields are never emitted by the emit-defaults switch'
conform('ProtoJSON answers: emitDefaults', { protos, route: 'translate: { emitDefaults: true }' }, [
  shows(
    'every scalar and enum is written with its default',
    'ProtoJSON, "JSON Options": always emit fields without presence',
    'Scalars',
    [],
    '{"int32":0,"sint32":0,"uint32":0,"fixed32":0,"sfixed32":0,"int64":"0","sint64":"0","uint64":"0","fixed64":"0","sfixed64":"0","double":0,"float":0,"bool":false,"string":"","bytes":"","color":"COLOR_UNSPECIFIED","twin":"TWIN_NONE"}',
  ),
  shows(
    'lists and maps are [] and {}; optional fields, messages and oneofs stay out',
    `${presence}; reference 3 row 16: empty array as {}`,
    'Shapes',
    [],
    '{"numbers":[],"texts":[],"inners":[],"colors":[],"snakeCaseName":"","Other-Name":"","OddName1":"0","color":"COLOR_UNSPECIFIED","counts":{}}',
  ),
  shows(
    'inside of messages too',
    'ProtoJSON, "JSON Options"',
    'Shapes',
    [block(1)],
    '{"inner":{"name":""},"numbers":[],"texts":[],"inners":[],"colors":[],"snakeCaseName":"","Other-Name":"","OddName1":"0","color":"COLOR_UNSPECIFIED","counts":{}}',
  ),
  shows('messages of well-known types that are not set stay out', presence, 'Known', [], '{"null":null,"wrapped":[],"values":[],"times":[]}'),
  shows('proto2 fields stay out, lists do not', presence, 'Old', [], '{"numbers":[],"sizes":[],"row":[]}'),
  shows('editions: only implicit fields', presence, 'New', [], '{"implicit":0,"expanded":[],"open":"OPEN_UNSPECIFIED","text":""}'),
])

conform('ProtoJSON answers: enumsAsInts', { protos, route: 'translate: { enumsAsInts: true }' }, [
  shows('enums are numbers', 'ProtoJSON, "JSON Options": emit enum values as integers', 'Scalars', [int(16, 2), int(17, 1)], '{"color":2,"twin":1}'),
  shows('enums in lists and maps are numbers', 'ProtoJSON, "JSON Options"', 'Shapes', [block(5, varint(0), varint(1))], '{"colors":[0,1]}'),
  shows('NullValue stays null', 'ProtoJSON, table: NullValue', 'Shapes', [int(11, 0)], '{"neither":null}'),
])

conform('ProtoJSON answers: protoNames', { protos, route: 'translate: { protoNames: true }' }, [
  shows(
    'names are those of the .proto file',
    'ProtoJSON, "JSON Options": use proto field name; reference 2.7',
    'Shapes',
    [block(12, 'x'), block(13, 'y'), int(14, 1), block(7, 'z')],
    '{"maybe_text":"z","snake_case_name":"x","renamed":"y","_odd__name_1":"1"}',
  ),
  shows('a FieldMask stays in camel case', `${wkt('FieldMask')}; ProtoJSON, "JSON Options"`, 'Known', [block(4, block(1, 'foo_bar'))], '{"mask":"fooBar"}'),
  shows(
    'members of a Struct stay as they are',
    wkt('Struct'),
    'Known',
    [block(5, block(1, block(1, 'aB_c'), block(2, int(4, 1))))],
    '{"struct":{"aB_c":true}}',
  ),
])
