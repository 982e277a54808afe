import type { JsonValue } from '@bufbuild/protobuf'
import { type Case, conform } from './house.ts'
import { becomes, bodyRefused, refused, sent } from './requests.ts'

const protos = {
  'conformance/two/v1/two.proto': `
syntax = "proto2";
package conformance.two.v1;
import "google/api/annotations.proto";

service Two {
  rpc Take(Message) returns (Empty) { option (google.api.http) = { get: "/two" additional_bindings { get: "/two/{data.group_int32}" } }; }
  rpc Demand(Demanding) returns (Empty) { option (google.api.http) = { get: "/two/demand" additional_bindings { put: "/two/demand/{name}" body: "inner" } }; }
}
message Empty {}
message Message {
  optional int32 number = 1 [default = 42];
  optional string text = 2 [default = "x"];
  optional bytes data_bytes = 3;
  optional Color color = 4 [default = BLUE];
  repeated Color colors = 5;
  optional group Data = 201 { optional int32 group_int32 = 202; optional uint32 group_uint32 = 203; }
  repeated group MultiWordGroupField = 204 { optional int32 group_int32 = 205; }
  oneof side { string left = 6; group Right = 7 { optional int32 a = 8; } }
  map<string, Color> named = 9;
  optional MessageSet unused = 10;
  extensions 120 to 200;
}
message MessageSet { optional string a = 1; }
enum Color { RED = 1; BLUE = 2; GREEN = -1; }
message Demanding { required string name = 1; optional Inner inner = 2; repeated Inner inners = 3; message Inner { required int32 size = 1; optional string note = 2; } }
extend Message { optional int32 extension_int32 = 120; repeated string extension_texts = 121; optional Message extension_message = 122; optional Color extension_color = 123; }
message Scope { extend Message { optional string nested_extension = 124; } }
`,
  'conformance/editions/v1/editions.proto': `
edition = "2023";
package conformance.editions.v1;

service Editions { rpc Take(Message) returns (Empty); rpc Demand(Demanding) returns (Empty); }
message Empty {}
message Message {
  int32 explicit = 1;
  int32 implicit = 2 [features.field_presence = IMPLICIT];
  string with_default = 3 [default = "d"];
  Message delimited = 4 [features.message_encoding = DELIMITED];
  repeated Message delimiteds = 5 [features.message_encoding = DELIMITED];
  Closed closed = 6;
  Open open = 7;
  repeated int32 expanded = 8 [features.repeated_field_encoding = EXPANDED];
  repeated Closed closeds = 9;
  extensions 100 to 199;
}
message Demanding { string name = 1 [features.field_presence = LEGACY_REQUIRED]; }
enum Closed { option features.enum_type = CLOSED; CLOSED_ONE = 1; CLOSED_TWO = 2; }
enum Open { OPEN_ZERO = 0; OPEN_ONE = 1; }
extend Message { string extra = 100; Message more = 101 [features.message_encoding = DELIMITED]; }
`,
}

const two = 'binary_json_conformance_suite.cc with TestAllTypesProto2'
const editions = 'binary_json_conformance_suite.cc with TestAllTypesEdition2023'
const presence = 'protobuf.dev/programming-guides/field_presence: explicit presence keeps a default'
const groups = 'reference 2.7: proto2 groups'
const extensions = 'ProtoJSON: extensions as "[pkg.ext]"; reference 2.7'
const required = 'protobuf.dev/programming-guides/proto2: required fields'

const in2 = (name: string, source: string, json: string, message: JsonValue): Case =>
  becomes(name, source, sent('POST /conformance.two.v1.Two/Take', json), 'conformance.two.v1.Two/Take', message)
const not2 = (name: string, source: string, json: string, says: string): Case =>
  bodyRefused(name, source, sent('POST /conformance.two.v1.Two/Take', json), says)
const inEdition = (name: string, source: string, json: string, message: JsonValue): Case =>
  becomes(name, source, sent('POST /conformance.editions.v1.Editions/Take', json), 'conformance.editions.v1.Editions/Take', message)
const notEdition = (name: string, source: string, json: string, says: string): Case =>
  bodyRefused(name, source, sent('POST /conformance.editions.v1.Editions/Take', json), says)
const demanded = 'conformance.two.v1.Two/Demand'

conform('ProtoJSON input: proto2 and editions', { protos }, [
  in2('nothing is nothing, whatever the defaults', presence, '{}', {}),
  in2('zero is present', presence, '{"number": 0, "text": "", "dataBytes": ""}', { number: 0, text: '', dataBytes: '' }),
  in2('the declared default is present', presence, '{"number": 42, "text": "x", "color": "BLUE"}', { number: 42, text: 'x', color: 'BLUE' }),
  in2('null is nothing', two, '{"number": null, "color": null, "data": null}', {}),
  in2('a closed enum by name', two, '{"color": "RED"}', { color: 'RED' }),
  in2('a closed enum by number', two, '{"color": 2}', { color: 'BLUE' }),
  in2('a closed enum by negative number', two, '{"color": -1}', { color: 'GREEN' }),
  not2('a number that a closed enum has not', 'ProtoJSON: enum; closed enums know their values alone', '{"color": 7}', 'color: 7 is not a value'),
  not2('the zero that a closed enum has not', 'ProtoJSON: enum', '{"color": 0}', 'color: 0 is not a value'),
  not2('an unknown item of a closed enum', 'ProtoJSON: enum', '{"colors": ["RED", 7]}', 'colors[1]'),
  not2('an unknown map value of a closed enum', 'ProtoJSON: enum', '{"named": {"a": 7}}', 'named["a"]'),
  in2('a group', groups, '{"data": {"groupInt32": 1, "group_uint32": 2}}', { data: { groupInt32: 1, groupUint32: 2 } }),
  in2('an empty group', groups, '{"data": {}}', { data: {} }),
  in2('a repeated group of many words', groups, '{"multiwordgroupfield": [{"groupInt32": 1}, {}]}', { multiwordgroupfield: [{ groupInt32: 1 }, {}] }),
  in2('a group of a oneof', groups, '{"right": {"a": 1}}', { right: { a: 1 } }),
  in2('null for a group of a oneof is nothing', groups, '{"right": null, "left": ""}', { left: '' }),
  not2('two members of a oneof, one a group', groups, '{"right": {}, "left": ""}', 'oneof'),
  not2('an unknown member of a group', groups, '{"data": {"nope": 1}}', 'data.nope: not a field'),
  becomes('a field of a group in the query', groups, sent('GET /two?data.group_int32=5&data.groupUint32=6'), 'conformance.two.v1.Two/Take', {
    data: { groupInt32: 5, groupUint32: 6 },
  }),
  becomes('a field of a group in the path', groups, sent('GET /two/-5?data.group_uint32=6'), 'conformance.two.v1.Two/Take', {
    data: { groupInt32: -5, groupUint32: 6 },
  }),
  refused('a field of a group is not overridden', 'reference 1.2', sent('GET /two/-5?data.groupInt32=6'), { says: 'the path sets "data.group_int32"' }),
  in2('an extension', extensions, '{"[conformance.two.v1.extension_int32]": 1}', { '[conformance.two.v1.extension_int32]': 1 }),
  in2('an extension of a default value is present', extensions, '{"[conformance.two.v1.extension_int32]": 0}', { '[conformance.two.v1.extension_int32]': 0 }),
  in2('a repeated extension', extensions, '{"[conformance.two.v1.extension_texts]": ["a", "b"]}', { '[conformance.two.v1.extension_texts]': ['a', 'b'] }),
  in2(
    'an extension that is a message with extensions',
    extensions,
    '{"[conformance.two.v1.extension_message]": {"number": 1, "[conformance.two.v1.extension_int32]": 2}}',
    {
      '[conformance.two.v1.extension_message]': { number: 1, '[conformance.two.v1.extension_int32]': 2 },
    },
  ),
  in2('an extension that is an enum', extensions, '{"[conformance.two.v1.extension_color]": 1}', { '[conformance.two.v1.extension_color]': 'RED' }),
  in2('an extension declared inside a message', extensions, '{"[conformance.two.v1.Scope.nested_extension]": "a"}', {
    '[conformance.two.v1.Scope.nested_extension]': 'a',
  }),
  in2('null for an extension is nothing', extensions, '{"[conformance.two.v1.extension_int32]": null}', {}),
  not2('an extension without brackets', extensions, '{"conformance.two.v1.extension_int32": 1}', 'not a field'),
  not2('an extension that nobody declared', extensions, '{"[conformance.two.v1.nope]": 1}', 'not a field'),
  not2('an extension of another message', extensions, '{"[conformance.editions.v1.extra]": "a"}', 'not a field'),
  not2('an extension of a wrong type', extensions, '{"[conformance.two.v1.extension_int32]": "x"}', 'extension_int32]: expected an integer'),
  refused('an extension is no query parameter', 'http.proto: fields of the request message', sent('GET /two?%5Bconformance.two.v1.extension_int32%5D=1'), {
    says: 'query parameter',
  }),
  becomes('required fields that are there', required, sent(`POST /${demanded}`, '{"name": "", "inner": {"size": 0}}'), demanded, {
    name: '',
    inner: { size: 0 },
  }),
  bodyRefused('a required field that is not there', required, sent(`POST /${demanded}`, '{}'), 'name'),
  bodyRefused('a required field that is null', required, sent(`POST /${demanded}`, '{"name": null}'), 'name'),
  bodyRefused(
    'a required field that is not there, inside',
    required,
    sent(`POST /${demanded}`, '{"name": "a", "inner": {}}'),
    'inner.size: a required field is not set',
  ),
  bodyRefused(
    'a required field that is not there, in a list',
    required,
    sent(`POST /${demanded}`, '{"name": "a", "inners": [{"size": 1}, {}]}'),
    'inners[1].size: a required field is not set',
  ),
  bodyRefused('a required field that the query does not give', required, sent('GET /two/demand?inner.size=1'), 'name: a required field is not set'),
  becomes('a required field that the query gives', required, sent('GET /two/demand?name=a'), demanded, { name: 'a' }),
  becomes('a required field that the path gives', required, sent('PUT /two/demand/a', '{"size": 1}'), demanded, { name: 'a', inner: { size: 1 } }),
  bodyRefused('a required field that neither path nor body gives', required, sent('PUT /two/demand/a', '{"note": "x"}'), 'size'),
  inEdition('explicit zero is present, implicit zero is not', presence, '{"explicit": 0, "implicit": 0}', { explicit: 0 }),
  inEdition('an empty string beside a default is present', presence, '{"withDefault": ""}', { withDefault: '' }),
  inEdition('a delimited message', editions, '{"delimited": {"explicit": 1, "delimited": {}}}', { delimited: { explicit: 1, delimited: {} } }),
  inEdition('delimited messages', editions, '{"delimiteds": [{}, {"implicit": 1}]}', { delimiteds: [{}, { implicit: 1 }] }),
  inEdition('an expanded list', editions, '{"expanded": [1, 0, -1]}', { expanded: [1, 0, -1] }),
  inEdition('an open enum takes any number', editions, '{"open": 9}', { open: 9 }),
  inEdition('an extension', extensions, '{"[conformance.editions.v1.extra]": ""}', { '[conformance.editions.v1.extra]': '' }),
  inEdition('a delimited extension', extensions, '{"[conformance.editions.v1.more]": {"explicit": 1}}', { '[conformance.editions.v1.more]': { explicit: 1 } }),
  notEdition('a closed enum takes its own numbers alone', editions, '{"closed": 9}', 'closed: 9 is not a value'),
  notEdition('items of a closed enum', editions, '{"closeds": ["CLOSED_ONE", "NOPE"]}', 'closeds[1]'),
  becomes(
    'LEGACY_REQUIRED that is there',
    required,
    sent('POST /conformance.editions.v1.Editions/Demand', '{"name": ""}'),
    'conformance.editions.v1.Editions/Demand',
    { name: '' },
  ),
  bodyRefused('LEGACY_REQUIRED that is not there', required, sent('POST /conformance.editions.v1.Editions/Demand', '{}'), 'name'),
])
