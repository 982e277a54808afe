import { type Case, conform } from './house.ts'
import { becomes, bodyRefused, refused, sent } from './requests.ts'

const protos = {
  'conformance/bodies/v1/bodies.proto': `
syntax = "proto3";
package conformance.bodies.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service Bodies {
  rpc Whole(Thing) returns (google.protobuf.Empty) { option (google.api.http) = { post: "/whole" body: "*" additional_bindings { post: "/whole/{text}" body: "*" } }; }
  rpc None(Thing) returns (google.protobuf.Empty) {
    option (google.api.http) = { get: "/none/{text}" additional_bindings { delete: "/none/{text}" } additional_bindings { post: "/none/{text}" } };
  }
  rpc Field(Thing) returns (google.protobuf.Empty) {
    option (google.api.http) = {
      put: "/f/text" body: "text"
      additional_bindings { put: "/f/count" body: "count" }
      additional_bindings { put: "/f/total" body: "total" }
      additional_bindings { put: "/f/ratio" body: "ratio" }
      additional_bindings { put: "/f/flag" body: "flag" }
      additional_bindings { put: "/f/data" body: "data" }
      additional_bindings { put: "/f/color" body: "color" }
      additional_bindings { put: "/f/inner" body: "inner" }
      additional_bindings { put: "/f/texts" body: "texts" }
      additional_bindings { put: "/f/inners" body: "inners" }
      additional_bindings { put: "/f/labels" body: "labels" }
      additional_bindings { put: "/f/at" body: "at" }
      additional_bindings { put: "/f/ttl" body: "ttl" }
      additional_bindings { put: "/f/mask" body: "mask" }
      additional_bindings { put: "/f/wrapper" body: "wrapper" }
      additional_bindings { put: "/f/struct" body: "struct" }
      additional_bindings { put: "/f/value" body: "value" }
      additional_bindings { put: "/f/list" body: "list" }
      additional_bindings { put: "/f/any" body: "any" }
      additional_bindings { put: "/f/maybe" body: "maybe" }
      additional_bindings { put: "/f/left" body: "left" }
      additional_bindings { put: "/f/renamed" body: "renamed" }
    };
  }
  rpc Upload(google.api.HttpBody) returns (google.protobuf.Empty) { option (google.api.http) = { post: "/upload" body: "*" additional_bindings { put: "/upload/{content_type}" body: "*" } }; }
  rpc Attach(Attachment) returns (google.protobuf.Empty) { option (google.api.http) = { post: "/attach/{id}" body: "file" additional_bindings { patch: "/attach/{id}" body: "file" } }; }
  rpc Patch(Update) returns (google.protobuf.Empty) {
    option (google.api.http) = {
      patch: "/patch/{book.name}" body: "book"
      additional_bindings { put: "/patch/{book.name}" body: "book" }
      additional_bindings { patch: "/patch" body: "*" }
      additional_bindings { patch: "/patch/deep/{book.author.name}" body: "book" }
    };
  }
  rpc TwoMasks(TwoMasked) returns (google.protobuf.Empty) { option (google.api.http) = { patch: "/two-masks" body: "inner" }; }
  rpc NoMask(Thing) returns (google.protobuf.Empty) { option (google.api.http) = { patch: "/no-mask" body: "inner" }; }
}

enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; }
message Inner { string name = 1; string display_name = 2; Inner inner = 3; }
message Thing {
  string text = 1;
  int32 count = 2;
  int64 total = 3;
  double ratio = 4;
  bool flag = 5;
  bytes data = 6;
  Color color = 7;
  Inner inner = 8;
  repeated string texts = 9;
  repeated Inner inners = 10;
  map<string, string> labels = 11;
  google.protobuf.Timestamp at = 12;
  google.protobuf.Duration ttl = 13;
  google.protobuf.FieldMask mask = 14;
  google.protobuf.Int64Value wrapper = 15;
  google.protobuf.Struct struct = 16;
  google.protobuf.Value value = 17;
  google.protobuf.ListValue list = 18;
  google.protobuf.Any any = 19;
  optional string maybe = 20;
  oneof side { string left = 21; string right = 22; }
  string renamed = 23 [json_name = "otherName"];
}
message Attachment { string id = 1; google.api.HttpBody file = 2; string content_type = 3; string data = 4; google.protobuf.FieldMask update_mask = 5; }
message Book {
  string name = 1;
  string display_name = 2;
  optional int32 pages = 3;
  Author author = 4;
  repeated string tags = 5;
  repeated Author editors = 6;
  map<string, Author> by_role = 7;
  google.protobuf.Timestamp published_at = 8;
  google.protobuf.Struct extra = 9;
  google.protobuf.StringValue note = 10;
  oneof cover { string hard = 11; Author soft = 12; }
  string renamed = 13 [json_name = "otherName"];
}
message Author { string name = 1; string home_town = 2; Author mentor = 3; }
message Update { Book book = 1; google.protobuf.FieldMask update_mask = 2; bool validate_only = 3; }
message TwoMasked { Inner inner = 1; google.protobuf.FieldMask update_mask = 2; google.protobuf.FieldMask read_mask = 3; }
`,
}

const httpRule = 'http.proto, HttpRule.body'
const kinds = 'reference 2.6: body a field of any kind; grpc-gateway cannot decode an enum or quoted int64, Envoy partial'
const empty = 'reference 2.6: an empty body is the default message'
const ignored = 'reference 2.6: a body without a place is ignored, never merged; Envoy merges it'
const media = 'reference 2.6: application/json and +json in UTF-8, otherwise 415; grpc-gateway, Envoy, Kong do not look'
const top = 'reference 2.6: null, array or string as the whole body are 400'
const strict = 'reference 1.5: strict JSON (RFC 8259); Envoy and grpc-gateway are lax'
const bytes = 'reference 2.6: BOM, invalid UTF-8, lone surrogates, depth are 400'
const httpBody = 'google/api/httpbody.proto; reference 2.6: HttpBody in, path and query still bound; Vanguard drops the query'
const mask = 'AIP-134: update_mask, "if omitted, the service must treat it as the fields that are populated"; reference 2.6 PATCH'

const field = (name: string, at: string, json: string, message: Parameters<typeof becomes>[4]): Case =>
  becomes(name, kinds, sent(`PUT /f/${at}`, json), 'Field', message)
const notField = (name: string, at: string, json: string, says: string): Case => bodyRefused(name, kinds, sent(`PUT /f/${at}`, json), says)
const whole = (name: string, source: string, json: string, message: Parameters<typeof becomes>[4]): Case =>
  becomes(name, source, sent('POST /whole', json), 'Whole', message)
const not = (name: string, source: string, json: string | Uint8Array, says = 'the body is not acceptable JSON'): Case =>
  bodyRefused(name, source, { method: 'POST', path: '/whole', headers: { 'content-type': 'application/json' }, body: json }, says)
const raw = (
  name: string,
  type: string | undefined,
  body: string | Uint8Array | undefined,
  message: Parameters<typeof becomes>[4],
  path = 'POST /upload',
  rpc = 'Upload',
): Case =>
  becomes(
    name,
    httpBody,
    { ...sent(path), ...(body === undefined ? {} : { body }), ...(type === undefined ? {} : { headers: { 'content-type': type } }) },
    rpc,
    message,
  )
const unsupported = { status: 415, code: 'media_type_unsupported', headers: { accept: 'application/json' } }
const typed = (type: string): Case => becomes(`content type ${type} is taken`, media, sent('POST /whole', '{"count":1}', type), 'Whole', { count: 1 })
const untyped = (type: string): Case =>
  refused(`content type ${type === '' ? '""' : type} is refused`, media, sent('POST /whole', '{"count":1}', type), unsupported)
const patched = (name: string, json: string, message: Parameters<typeof becomes>[4], path = '/patch/a'): Case =>
  becomes(name, mask, sent(`PATCH ${path}`, json), 'Patch', message)

const allBytes = Uint8Array.from({ length: 256 }, (_, i) => i)
const nested = (levels: number): string => `${'{"inner":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`
const nestedMessage = (levels: number): { inner?: object } => (levels === 1 ? {} : { inner: nestedMessage(levels - 1) })

conform('bodies', { protos }, [
  whole('body * is the whole message', httpRule, '{"text":"a","inner":{"name":"b"},"texts":["c"]}', { text: 'a', inner: { name: 'b' }, texts: ['c'] }),
  becomes('body * and path variables beside each other', httpRule, sent('POST /whole/a', '{"count":1}'), 'Whole', { text: 'a', count: 1 }),
  field('a body that is a string', 'text', '"a\\u0062"', { text: 'ab' }),
  field('a body that is an empty string', 'text', '""', {}),
  field('a body that is an integer', 'count', '-7', { count: -7 }),
  field('a body that is a quoted integer', 'count', '"7"', { count: 7 }),
  field('a body that is a 64-bit integer', 'total', '9223372036854775807', { total: '9223372036854775807' }),
  field('a body that is a quoted 64-bit integer', 'total', '"-9223372036854775808"', { total: '-9223372036854775808' }),
  field('a body that is a number', 'ratio', '1.5e3', { ratio: 1500 }),
  field('a body that is "NaN"', 'ratio', '"NaN"', { ratio: 'NaN' }),
  field('a body that is true', 'flag', 'true', { flag: true }),
  field('a body that is bytes', 'data', '"-_8"', { data: '+/8=' }),
  field('a body that is an enum by name', 'color', '"COLOR_RED"', { color: 'COLOR_RED' }),
  field('a body that is an enum by number', 'color', '1', { color: 'COLOR_RED' }),
  field('a body that is a message', 'inner', '{"name":"a"}', { inner: { name: 'a' } }),
  field('a body that is an empty message', 'inner', '{}', { inner: {} }),
  field('a body that is a list', 'texts', '["b","a"]', { texts: ['b', 'a'] }),
  field('a body that is an empty list', 'texts', '[]', {}),
  field('a body that is a list of messages', 'inners', '[{"name":"a"},{}]', { inners: [{ name: 'a' }, {}] }),
  field('a body that is a map', 'labels', '{"a":"b","":"c"}', { labels: { a: 'b', '': 'c' } }),
  field('a body that is a time', 'at', '"2024-01-01T00:00:00Z"', { at: '2024-01-01T00:00:00Z' }),
  field('a body that is a duration', 'ttl', '"1.5s"', { ttl: '1.500s' }),
  field('a body that is a mask', 'mask', '"a,bC"', { mask: 'a,bC' }),
  field('a body that is a wrapper', 'wrapper', '0', { wrapper: '0' }),
  field('a body that is a Struct', 'struct', '{"a":[1,null]}', { struct: { a: [1, null] } }),
  field('a body that is a Value', 'value', '[1,"a"]', { value: [1, 'a'] }),
  field('a body that is the null of a Value', 'value', 'null', { value: null }),
  field('a body that is a ListValue', 'list', '[true,{}]', { list: [true, {}] }),
  field('a body that is an Any', 'any', '{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}', {
    any: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' },
  }),
  field('a body that is an optional field', 'maybe', '""', { maybe: '' }),
  field('a body that is a member of a oneof', 'left', '""', { left: '' }),
  field('a body that is a field with a json_name', 'renamed', '"a"', { otherName: 'a' }),
  field('null as a message leaves it out', 'inner', 'null', {}),
  field('null as a list leaves it empty', 'texts', 'null', {}),
  field('null as a scalar leaves it out', 'count', 'null', {}),
  field('null as a wrapper leaves it out', 'wrapper', 'null', {}),
  field('blanks around the value', 'count', ' \t\r\n7 \t\r\n', { count: 7 }),
  notField('a number where a string is the body', 'text', '7', 'text: expected a string'),
  notField('a string where a message is the body', 'inner', '"a"', 'inner: expected an object'),
  notField('a list where a message is the body', 'inner', '[]', 'inner: expected an object'),
  notField('an object where a list is the body', 'texts', '{}', 'texts: expected a list'),
  notField('a wrong item of a list', 'texts', '["a",1]', 'texts[1]: expected a string'),
  notField('null in a list', 'texts', '[null]', 'texts[0]: null'),
  notField('a number out of range', 'count', '2147483648', 'count: expected an integer'),
  notField('an unknown member of the message', 'inner', '{"nope":1}', 'inner.nope: not a field'),
  notField('the member that holds the field', 'inner', '{"inner":{"inner":"x"}}', 'inner.inner.inner: expected an object'),
  becomes('an empty body is the default message', empty, sent('POST /whole', ''), 'Whole', {}),
  becomes('no body is the default message', empty, sent('POST /whole'), 'Whole', {}),
  becomes('an empty body beside path variables', empty, sent('POST /whole/a', ''), 'Whole', { text: 'a' }),
  becomes('an empty body where it is a message field', empty, sent('PUT /f/inner', ''), 'Field', {}),
  becomes('an empty body where it is a scalar', empty, sent('PUT /f/count', ''), 'Field', {}),
  becomes('an empty body where it is a list', empty, sent('PUT /f/texts'), 'Field', {}),
  not('blanks are no empty body', 'RFC 8259 section 2: a JSON text has a value', '  \n'),
  becomes('a body where GET has no place for one', ignored, sent('GET /none/a', '{"count":1}'), 'None', { text: 'a' }),
  becomes('a body where DELETE has no place for one', ignored, sent('DELETE /none/a', '{"count":1}'), 'None', { text: 'a' }),
  becomes('a body where POST has no place for one', ignored, sent('POST /none/a?flag=true', '{"text":"b","count":1}'), 'None', { text: 'a', flag: true }),
  becomes('a body without a place is not parsed', ignored, sent('POST /none/a', '{{{'), 'None', { text: 'a' }),
  becomes('a body without a place may be of any type', ignored, sent('POST /none/a', 'x', 'image/png'), 'None', { text: 'a' }),
  not('null as the whole body', top, 'null', 'expected an object'),
  not('an array as the whole body', top, '[]', 'expected an object'),
  not('an array of one message as the whole body', top, '[{"count":1}]', 'expected an object'),
  not('a string as the whole body', top, '"a"', 'expected an object'),
  not('a number as the whole body', top, '1', 'expected an object'),
  not('true as the whole body', top, 'true', 'expected an object'),
  ...[
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/json; CHARSET=utf8',
    'application/merge-patch+json',
    'application/vnd.api+json; version=1',
  ].map(typed),
  ...[
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=a',
    'application/json; charset=utf-16',
    'application/json; charset=iso-8859-1',
    'application/xml',
    'application/octet-stream',
    'application/jsonp',
    'application/json+x',
    'application',
    'application/json, text/plain',
    '*/*',
  ].map(untyped),
  refused('a body without a content type is refused', media, { method: 'POST', path: '/whole', body: '{"count":1}' }, unsupported),
  refused(
    'a content type that is not JSON is refused without a body',
    media,
    { method: 'POST', path: '/whole', headers: { 'content-type': 'text/plain' } },
    unsupported,
  ),
  ...[' {"count":1}', '\t{\n"count"\r:\n1\t}\r\n'].map((json) =>
    whole(`blanks of JSON: ${JSON.stringify(json)}`, 'RFC 8259 section 2: ws', json, { count: 1 }),
  ),
  not('a form feed is no blank', strict, '\f{"count":1}'),
  not('a no-break space is no blank', strict, '\u00A0{"count":1}'),
  not('a trailing comma in an object', strict, '{"count":1,}'),
  not('a trailing comma in a list', strict, '{"texts":["a",]}'),
  not('a leading comma', strict, '{,"count":1}'),
  not('two commas', strict, '{"count":1,,"flag":true}'),
  not('no comma', strict, '{"count":1 "flag":true}'),
  not('single quotes', strict, "{'count':1}"),
  not('a single-quoted value', strict, '{"text":\'a\'}'),
  not('an unquoted member', strict, '{count:1}'),
  not('an unquoted value', strict, '{"text":a}'),
  not('a line comment', strict, '{"count":1} // x'),
  not('a block comment', strict, '{/* x */"count":1}'),
  not('a hash comment', strict, '{"count":1} # x'),
  not('a raw line feed in a string', strict, '{"text":"a\nb"}'),
  not('a raw tab in a string', strict, '{"text":"a\tb"}'),
  not('a raw NUL in a string', strict, '{"text":"a\0b"}'),
  not('an unknown escape', strict, '{"text":"\\x41"}'),
  not('an escape of too few digits', strict, '{"text":"\\u41"}'),
  not('an upper-case \\U', strict, '{"text":"\\U0041"}'),
  not('a string without an end', strict, '{"text":"a'),
  not('an object without an end', strict, '{"count":1'),
  not('data after the value', `${strict}; grpc-gateway ignores it`, '{"count":1} x'),
  not('a second value', `${strict}; grpc-gateway ignores it`, '{"count":1}{"count":2}'),
  not('a second value on a line of its own', `${strict}; grpc-gateway ignores it`, '{"count":1}\n{"count":2}\n'),
  not('a closing brace too many', strict, '{"count":1}}'),
  not('NaN as a literal', strict, '{"ratio":NaN}'),
  not('Infinity as a literal', strict, '{"ratio":Infinity}'),
  not('-Infinity as a literal', strict, '{"ratio":-Infinity}'),
  not('undefined', strict, '{"text":undefined}'),
  not('True', strict, '{"flag":True}'),
  not('a hexadecimal number', strict, '{"count":0x10}'),
  not('a leading zero', strict, '{"count":010}'),
  not('a leading plus', strict, '{"count":+1}'),
  not('a number that begins with a point', strict, '{"ratio":.5}'),
  not('a number that ends in a point', strict, '{"ratio":1.}'),
  not('a number without its exponent', strict, '{"ratio":1e}'),
  not('a lone minus', strict, '{"count":-}'),
  not('an integer with underscores', strict, '{"count":1_000}'),
  not('a form', strict, 'count=1'),
  not('a byte order mark', bytes, Buffer.from('\uFEFF{"count":1}'), 'byte order mark'),
  not('UTF-16', bytes, Buffer.from('{"count":1}', 'utf16le')),
  not('UTF-16 with its mark', bytes, Buffer.from('\uFEFF{"count":1}', 'utf16le'), 'not UTF-8'),
  not('ISO 8859-1', bytes, Buffer.from('{"text":"é"}', 'latin1'), 'not UTF-8'),
  not('an overlong form', bytes, Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]), 'not UTF-8'),
  not('a surrogate in UTF-8', bytes, Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]), 'not UTF-8'),
  not('half of a surrogate pair', bytes, '{"text":"\\uD83D"}', 'surrogate'),
  not('the other half of a surrogate pair', bytes, '{"text":"\\uDE00"}', 'surrogate'),
  not('a surrogate pair the wrong way round', bytes, '{"text":"\\uDE00\\uD83D"}', 'surrogate'),
  not('half of a surrogate pair in a name', bytes, '{"labels":{"\\uD83D":"a"}}', 'surrogate'),
  whole('a whole surrogate pair', 'RFC 8259 section 7', '{"text":"\\uD83D\\ude00"}', { text: '😀' }),
  whole('the line separators of JavaScript', 'RFC 8259 section 7', '{"text":"\u2028\u2029"}', { text: '\u2028\u2029' }),
  whole('every short escape', 'RFC 8259 section 7', '{"text":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000"}', { text: '"\\/\b\f\n\r\t\u0000' }),
  whole('an escaped name', 'RFC 8259 section 7', '{"c\\u006funt":1}', { count: 1 }),
  not('a member twice', 'reference 2.7: duplicate members are refused', '{"count":1,"count":2}', 'given twice'),
  not('a member twice with one value', 'reference 2.7: duplicate members are refused', '{"count":1,"count":1}', 'given twice'),
  not('a member twice, once escaped', 'reference 2.7: duplicate members are refused', '{"count":1,"c\\u006funt":2}', 'given twice'),
  not('a member twice, once null', 'reference 2.7: duplicate members are refused', '{"count":1,"count":null}', 'given twice'),
  not('a member twice, deep inside', 'reference 2.7: duplicate members are refused', '{"inners":[{"name":"a","name":"b"}]}', 'given twice'),
  not('a member twice in a Struct', 'reference 2.7: duplicate members are refused', '{"struct":{"a":1,"a":2}}', 'given twice'),
  not('a map key twice', 'reference 2.7: duplicate members are refused', '{"labels":{"a":"b","a":"c"}}', 'given twice'),
  whole('one name in two objects', 'reference 2.7: duplicate members', '{"inner":{"name":"a","inner":{"name":"b"}}}', {
    inner: { name: 'a', inner: { name: 'b' } },
  }),
  bodyRefused(
    'an array a hundred and one levels deep',
    'design: depth 100; reference 2.6: Envoy 200 with an empty body',
    sent('PUT /f/list', `${'['.repeat(101)}${']'.repeat(101)}`),
    'deeper than 100',
  ),
  bodyRefused('a body of brackets', 'design: depth 100', sent('PUT /f/list', '['.repeat(100_000)), 'deeper than 100'),
  bodyRefused('a message a hundred and one levels deep', 'design: depth 100', sent('PUT /f/inner', nested(101)), 'deeper than 100'),
  becomes('a message fifty levels deep', 'design: depth 100', sent('PUT /f/inner', nested(50)), 'Field', { inner: nestedMessage(50) as object } as never),
  whole(
    'names of JavaScript are keys like others',
    'reference 5: __proto__ is safe',
    '{"labels":{"__proto__":"a","constructor":"b"},"struct":{"__proto__":{"x":1}}}',
    {
      labels: JSON.parse('{"__proto__":"a","constructor":"b"}'),
      struct: JSON.parse('{"__proto__":{"x":1}}'),
    },
  ),
  not('a name of JavaScript is no field', 'reference 5: __proto__ is safe', '{"__proto__":{"count":1}}', '__proto__: not a field'),
  raw('HttpBody takes the body as it is', 'image/png', allBytes, { contentType: 'image/png', data: Buffer.from(allBytes).toString('base64') }),
  raw('HttpBody takes JSON as it is', 'application/json', '{"a": 1}', { contentType: 'application/json', data: Buffer.from('{"a": 1}').toString('base64') }),
  raw('HttpBody takes what is not JSON under its type', 'application/json', '{', { contentType: 'application/json', data: 'ew==' }),
  raw('HttpBody takes parameters of the type', 'text/plain; charset=latin1', 'x', { contentType: 'text/plain; charset=latin1', data: 'eA==' }),
  raw('HttpBody takes a body without a type', undefined, 'x', { data: 'eA==' }),
  raw('HttpBody takes an empty body', undefined, undefined, {}),
  raw('HttpBody as a field, with path and query', 'text/csv', 'a,b', { id: '7', file: { contentType: 'text/csv', data: 'YSxi' } }, 'POST /attach/7', 'Attach'),
  raw(
    'the query beside HttpBody may be named like its fields',
    'text/csv',
    'a,b',
    { id: '7', contentType: 'x/y', data: 'z', file: { contentType: 'text/csv', data: 'YSxi' } },
    'POST /attach/7?content_type=x/y&data=z',
    'Attach',
  ),
  raw(
    'PATCH of HttpBody derives no mask',
    'application/json',
    '{"a":1}',
    { id: '7', file: { contentType: 'application/json', data: 'eyJhIjoxfQ==' } },
    'PATCH /attach/7',
    'Attach',
  ),
  refused(
    'the query does not reach into HttpBody',
    'reference 3.24: HttpBody plus a query named like its fields',
    { method: 'POST', path: '/attach/7?file.content_type=x', body: 'a' },
    { says: 'read from the body' },
  ),
  refused(
    'the query is none of HttpBody as the whole',
    'reference 3.24: HttpBody plus a query named like its fields',
    { method: 'POST', path: '/upload?content_type=x', body: 'a' },
    { says: 'nothing is read from the query' },
  ),
  raw('a large HttpBody', 'application/octet-stream', Buffer.alloc(200_000, 7), {
    contentType: 'application/octet-stream',
    data: Buffer.alloc(200_000, 7).toString('base64'),
  }),
  patched('PATCH derives the mask from the members, in proto names', '{"displayName":"x","pages":0}', {
    book: { name: 'a', displayName: 'x', pages: 0 },
    updateMask: 'displayName,pages',
  }),
  patched('members by proto names', '{"display_name":"x"}', { book: { name: 'a', displayName: 'x' }, updateMask: 'displayName' }),
  patched('a json_name is its proto name', '{"otherName":"x"}', { book: { name: 'a', otherName: 'x' }, updateMask: 'renamed' }),
  patched('nested members are paths', '{"author":{"homeTown":"x","mentor":{"name":"y"}}}', {
    book: { name: 'a', author: { homeTown: 'x', mentor: { name: 'y' } } },
    updateMask: 'author.homeTown,author.mentor.name',
  }),
  patched('an empty message is itself in the mask', '{"author":{}}', { book: { name: 'a', author: {} }, updateMask: 'author' }),
  patched('null is in the mask: it clears', '{"displayName":null,"author":null}', { book: { name: 'a' }, updateMask: 'displayName,author' }),
  patched('a default is in the mask', '{"displayName":""}', { book: { name: 'a' }, updateMask: 'displayName' }),
  patched('lists are whole', '{"tags":["x"],"editors":[{"name":"y"}]}', {
    book: { name: 'a', tags: ['x'], editors: [{ name: 'y' }] },
    updateMask: 'tags,editors',
  }),
  patched('empty lists are whole', '{"tags":[]}', { book: { name: 'a' }, updateMask: 'tags' }),
  patched('maps are whole', '{"byRole":{"x":{"name":"y"}}}', { book: { name: 'a', byRole: { x: { name: 'y' } } }, updateMask: 'byRole' }),
  patched('well-known types are whole', '{"publishedAt":"2024-01-01T00:00:00Z","extra":{"a":{"b":1}},"note":"x"}', {
    book: { name: 'a', publishedAt: '2024-01-01T00:00:00Z', extra: { a: { b: 1 } }, note: 'x' },
    updateMask: 'publishedAt,extra,note',
  }),
  patched('members of a oneof are fields', '{"soft":{"name":"x"}}', { book: { name: 'a', soft: { name: 'x' } }, updateMask: 'soft.name' }),
  patched('null of a member of a oneof is in the mask', '{"soft":null,"hard":"x"}', { book: { name: 'a', hard: 'x' }, updateMask: 'soft,hard' }),
  patched('what the path says is not changed', '{"name":"a","displayName":"x"}', { book: { name: 'a', displayName: 'x' }, updateMask: 'displayName' }),
  patched(
    'what the path says deep inside is not changed',
    '{"author":{"name":"a","homeTown":"x"}}',
    { book: { author: { name: 'a', homeTown: 'x' } }, updateMask: 'author.homeTown' },
    '/patch/deep/a',
  ),
  patched('no members are an empty mask', '{}', { book: { name: 'a' }, updateMask: '' }),
  patched('a mask in the query stands', '{"displayName":"x"}', { book: { name: 'a', displayName: 'x' }, updateMask: 'pages' }, '/patch/a?update_mask=pages'),
  patched(
    'a mask in camelCase stands',
    '{"displayName":"x"}',
    { book: { name: 'a', displayName: 'x' }, updateMask: 'displayName' },
    '/patch/a?updateMask=displayName',
  ),
  patched('a mask of everything stands', '{"displayName":"x"}', { book: { name: 'a', displayName: 'x' }, updateMask: '*' }, '/patch/a?updateMask=*'),
  patched('an empty mask stands', '{"displayName":"x"}', { book: { name: 'a', displayName: 'x' }, updateMask: '' }, '/patch/a?updateMask='),
  patched(
    'the rest of the query is bound beside the mask',
    '{"displayName":"x"}',
    { book: { name: 'a', displayName: 'x' }, updateMask: 'displayName', validateOnly: true },
    '/patch/a?validateOnly=true',
  ),
  becomes('an empty body derives nothing', mask, sent('PATCH /patch/a', ''), 'Patch', { book: { name: 'a' } }),
  becomes('PUT derives nothing', mask, sent('PUT /patch/a', '{"displayName":"x"}'), 'Patch', { book: { name: 'a', displayName: 'x' } }),
  becomes('a whole body derives nothing', mask, sent('PATCH /patch', '{"book":{"displayName":"x"}}'), 'Patch', { book: { displayName: 'x' } }),
  becomes('a whole body has its own mask', mask, sent('PATCH /patch', '{"book":{"displayName":"x"},"updateMask":"displayName,pages"}'), 'Patch', {
    book: { displayName: 'x' },
    updateMask: 'displayName,pages',
  }),
  becomes('of two masks none is derived', mask, sent('PATCH /two-masks', '{"name":"x"}'), 'TwoMasks', { inner: { name: 'x' } }),
  becomes('one mask of any name is derived', mask, sent('PATCH /no-mask', '{"name":"x"}'), 'NoMask', { inner: { name: 'x' }, mask: 'name' }),
])

const limit = 'design: limits of body, URL and header fields; reference 2.14: 413, 414, 431'
const many = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`x-${i}`, 'a']))
const long = (bytes: number): string => `{"text":"${'x'.repeat(bytes - 11)}"}`

conform('sizes', { protos, route: 'bodyLimit: 1KiB' }, [
  becomes('a body of just the limit', limit, sent('POST /whole', long(1024)), 'Whole', { text: 'x'.repeat(1013) }),
  refused('a body of one byte more', limit, sent('POST /whole', long(1025)), { status: 413, code: 'body_too_large' }),
  refused('an HttpBody of one byte more', limit, sent('POST /upload', 'x'.repeat(1025), 'text/plain'), { status: 413, code: 'body_too_large' }),
  // Without Content-Length a body that has no place is not read, so that nobody knows its length.
  {
    ...refused('a body too large where the rule has no place for one', limit, sent('POST /none/a', 'x'.repeat(1025)), { status: 413, code: 'body_too_large' }),
    over: ['HTTP/1.1'],
  },
  becomes('a path of eight thousand characters', limit, sent(`GET /none/${'x'.repeat(8000)}`), 'None', { text: 'x'.repeat(8000) }),
  refused('a path that is too long', limit, sent(`GET /none/${'x'.repeat(8200)}`), { status: 414, code: 'target_too_long' }),
  refused('a query that is too long', limit, sent(`GET /none/a?maybe=${'x'.repeat(8200)}`), { status: 414, code: 'target_too_long' }),
  refused('header fields that are too long', limit, { path: '/none/a', headers: { 'x-long': 'x'.repeat(18_000) } }, { status: 431, code: 'headers_too_large' }),
  refused('header fields that are too many', limit, { path: '/none/a', headers: many }, { status: 431, code: 'headers_too_large' }),
])
