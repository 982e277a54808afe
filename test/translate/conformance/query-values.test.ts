import { type Case, conform } from './house.ts'
import { becomes, refused, sent } from './requests.ts'
import { jsonName, values, valuesImports, valuesProto } from './values.ts'

const protos = {
  'conformance/queries/v1/queries.proto': `
syntax = "proto3";
package conformance.queries.v1;
import "google/api/annotations.proto";
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
${valuesImports}
service Queries {
  rpc Take(Values) returns (Empty) { option (google.api.http) = { get: "/values" }; }
  rpc Shape(Shapes) returns (Empty) {
    option (google.api.http) = { get: "/shapes" additional_bindings { delete: "/shapes" } additional_bindings { put: "/shapes" body: "inner" } additional_bindings { post: "/shapes" body: "*" } };
  }
}
message Empty {}
message Shapes {
  string text = 1;
  repeated string texts = 2;
  repeated int32 numbers = 3;
  repeated Color colors = 4;
  repeated bool flags = 5;
  repeated bytes datas = 6;
  repeated Inner inners = 7;
  repeated google.protobuf.Timestamp times = 8;
  map<string, string> labels = 9;
  map<string, Inner> inner_map = 10;
  Inner inner = 11;
  oneof side { string left = 12; int32 right = 13; Inner middle = 14; google.protobuf.StringValue note = 15; }
  string renamed_field = 16 [json_name = "otherName"];
  string snake_case_name = 17;
  google.protobuf.Any any = 18;
  google.protobuf.Struct struct = 19;
  google.protobuf.Value value = 20;
  google.protobuf.ListValue list = 21;
  int32 count = 22;
  string snakeless = 23 [json_name = "with-dash"];
  repeated int64 longs = 24;
  google.protobuf.Timestamp at = 25;
}
message Inner { string name = 1; string display_name = 2; Inner inner = 3; repeated string tags = 4; optional int32 size = 5; string renamed = 6 [json_name = "innerOther"]; oneof kind { string a = 7; string b = 8; } google.protobuf.Duration ttl = 9; }
${valuesProto}`,
}

const names = 'http.proto, "query parameters": field names; reference 2.5: proto or JSON name per step'
const repeated = 'http.proto: repeated primitive, ?param=A&param=B; reference 2.5: order kept, no comma splitting'
const nested = 'http.proto: non-repeated message, ?foo.a=A&foo.b=B; reference 2.5'
const messages = 'http.proto: no repeated messages in the query; reference 2.5: Envoy binds into an element'
const once = 'reference 2.5: singular given twice is 400; Envoy and Vanguard take the last'
const oneof = 'reference 2.5: two members of a oneof are 400; Vanguard keeps a random one'
const empty = 'reference 2.5: k= is the default value, present; numbers 400'
const bare = 'reference 2.5: k without = is as k=; Envoy drops it'
const form = 'reference 2.5: form encoding'
const keys = 'reference 2.5: decode the key, then split on dots; Envoy decodes per segment'
const unknown = 'reference 2.5: unknown parameters; grpc-gateway and ASP.NET ignore them'
const wholeBody = 'http.proto: with body "*" no field is a query parameter; Envoy, Vanguard bind it'
const map = 'reference 2.5: maps 400; design: m[key]=v is optional and not taken'
const unrepresentable = 'reference 2.5: Value and Struct cannot be represented in a query'

const shape = (name: string, source: string, query: string, message: Parameters<typeof becomes>[4]): Case =>
  becomes(name, source, sent(`GET /shapes?${query}`), 'Shape', message)
const no = (name: string, source: string, query: string, ...says: readonly string[]): Case => refused(name, source, sent(`GET /shapes?${query}`), { says })

conform('values of query parameters', { protos }, [
  ...values.map(({ field, text, json, refusal, source }) =>
    refusal === undefined
      ? becomes(`${field} takes ${text}`, source, sent(`GET /values?${field}=${text}`), 'Take', json === undefined ? {} : { [jsonName(field)]: json })
      : refused(`${field} refuses ${text}`, source, sent(`GET /values?${field}=${text}`), { says: [`query parameter "${field}": `, refusal] }),
  ),
  ...['int32', 'uint64', 'double', 'int64_value', 'bool', 'bool_value', 'color', 'timestamp', 'duration', 'maybe_int32'].flatMap((field) => [
    refused(`${field}= is refused`, empty, sent(`GET /values?${field}=`), { says: `query parameter "${field}": ` }),
    refused(`${field} without = is refused`, bare, sent(`GET /values?${field}`), { says: `query parameter "${field}": ` }),
  ]),
  ...['', '='].flatMap((sign) => [
    becomes(`string${sign} is its default`, sign === '' ? bare : empty, sent(`GET /values?string${sign}`), 'Take', {}),
    becomes(`bytes${sign} is its default`, sign === '' ? bare : empty, sent(`GET /values?bytes${sign}`), 'Take', {}),
    becomes(`maybe_string${sign} is present and empty`, sign === '' ? bare : empty, sent(`GET /values?maybe_string${sign}`), 'Take', { maybeString: '' }),
    becomes(`string_value${sign} is set but empty`, 'reference 2.5: StringValue; Vanguard 400', sent(`GET /values?string_value${sign}`), 'Take', {
      stringValue: '',
    }),
    becomes(`bytes_value${sign} is set but empty`, 'reference 2.5: wrappers', sent(`GET /values?bytes_value${sign}`), 'Take', { bytesValue: '' }),
    becomes(`mask${sign} is present and empty`, empty, sent(`GET /values?mask${sign}`), 'Take', { mask: '' }),
  ]),
  refused('bytes refuse a blank that was a plus', form, sent('GET /values?bytes=+/8='), { says: 'expected base64' }),
  refused('bytes refuse a line break', form, sent('GET /values?bytes=AQI%0A'), { says: 'expected base64' }),
  refused('an offset whose plus was not escaped is refused', form, sent('GET /values?timestamp=2024-01-01T01:00:00+01:00'), { says: 'expected a time' }),
  becomes('several fields of one query', names, sent('GET /values?int32=1&bool=true&color=2&string=x'), 'Take', {
    int32: 1,
    bool: true,
    color: 'COLOR_BLUE',
    string: 'x',
  }),
])

conform('query parameters', { protos }, [
  shape('a proto name', names, 'snake_case_name=x', { snakeCaseName: 'x' }),
  shape('a JSON name', names, 'snakeCaseName=x', { snakeCaseName: 'x' }),
  shape('a json_name', names, 'otherName=x', { otherName: 'x' }),
  shape('the proto name beside a json_name', names, 'renamed_field=x', { otherName: 'x' }),
  no('the camelCase name that a json_name replaced', names, 'renamedField=x', '"renamedField"'),
  shape('a json_name that is no identifier', names, 'with-dash=x', { 'with-dash': 'x' }),
  no('names are compared with their case', names, 'Text=x', '"Text"'),
  shape('a nested field', nested, 'inner.name=x', { inner: { name: 'x' } }),
  shape('a nested field by its JSON name', nested, 'inner.displayName=x', { inner: { displayName: 'x' } }),
  shape('a nested field by its proto name', nested, 'inner.display_name=x', { inner: { displayName: 'x' } }),
  shape('a nested field by its json_name', nested, 'inner.innerOther=x&inner.inner.renamed=y', { inner: { innerOther: 'x', inner: { innerOther: 'y' } } }),
  shape('several fields of one message', nested, 'inner.name=x&text=y&inner.display_name=z', { text: 'y', inner: { name: 'x', displayName: 'z' } }),
  shape('many levels down', nested, 'inner.inner.inner.inner.size=0', { inner: { inner: { inner: { inner: { size: 0 } } } } }),
  shape('a nested repeated field', nested, 'inner.tags=b&inner.tags=a', { inner: { tags: ['b', 'a'] } }),
  shape('a nested well-known type', nested, 'inner.ttl=1.5s', { inner: { ttl: '1.500s' } }),
  no('a field of a message that has none of that name', nested, 'inner.nope=x', 'inner.nope'),
  no('a path through a scalar', nested, 'text.more=x', 'text.more'),
  no('a path through a repeated message', messages, 'inners.name=x', 'inners.name'),
  no('a path into an element of a repeated message', messages, 'inners[0].name=x', 'inners[0].name'),
  no('a path into an element by its number', messages, 'inners.0.name=x', 'inners.0.name'),
  no('a repeated message as JSON', messages, 'inners=%7B%7D', 'inners'),
  no('a repeated well-known type', `${messages}; design: never repeated messages`, 'times=2024-01-01T00:00:00Z', 'times'),
  no('a message as JSON', 'http.proto: primitive types; reference 2.5', 'inner=%7B%22name%22:%22x%22%7D', 'inner'),
  no('an empty message', 'http.proto: primitive types; reference 2.5', 'inner=', 'inner'),
  no('a part of a Timestamp', 'reference 2.5: Timestamp is one string', 'at.seconds=5', 'at.seconds'),
  no('a part of a wrapper', 'reference 2.5: wrappers are the bare value', 'note.value=x', 'note.value'),
  shape('a repeated string, in order', repeated, 'texts=b&texts=a&texts=b', { texts: ['b', 'a', 'b'] }),
  shape('a repeated string with others between', repeated, 'texts=b&text=x&texts=a', { text: 'x', texts: ['b', 'a'] }),
  shape('a comma splits nothing', repeated, 'texts=a,b', { texts: ['a,b'] }),
  no('a comma splits no numbers either', repeated, 'numbers=1,2', 'numbers', 'expected an integer'),
  shape('an empty item', repeated, 'texts=&texts=a&texts', { texts: ['', 'a', ''] }),
  shape('repeated numbers', repeated, 'numbers=1&numbers=-2&numbers=0', { numbers: [1, -2, 0] }),
  shape('repeated 64-bit numbers', repeated, 'longs=9223372036854775807&longs=0', { longs: ['9223372036854775807', '0'] }),
  shape('repeated enums by name and number', repeated, 'colors=COLOR_RED&colors=2&colors=77', { colors: ['COLOR_RED', 'COLOR_BLUE', 77] }),
  shape('repeated booleans', repeated, 'flags=true&flags=false', { flags: [true, false] }),
  shape('repeated bytes', repeated, 'datas=AQ&datas=-_8', { datas: ['AQ==', '+/8='] }),
  no('one wrong item of many', repeated, 'numbers=1&numbers=x', 'numbers'),
  shape('one item is a list of one', repeated, 'texts=a', { texts: ['a'] }),
  no('a singular field twice', once, 'text=a&text=b', 'given twice'),
  no('a singular field twice with one value', once, 'text=a&text=a', 'given twice'),
  no('a singular field twice in both spellings', once, 'snake_case_name=a&snakeCaseName=b', 'given twice'),
  no('a nested field twice', once, 'inner.name=a&inner.name=b', 'given twice'),
  no('a nested field twice in both spellings', once, 'inner.display_name=a&inner.displayName=b', 'given twice'),
  no('a field twice, once with its default', once, 'count=0&count=1', 'given twice'),
  no('a field twice, once encoded', once, 'text=a&te%78t=b', 'given twice'),
  shape('one member of a oneof', oneof, 'left=a', { left: 'a' }),
  shape('a message of a oneof', oneof, 'middle.name=a&middle.size=1', { middle: { name: 'a', size: 1 } }),
  shape('a wrapper of a oneof', oneof, 'note=', { note: '' }),
  shape('the default of a oneof member is present', oneof, 'right=0', { right: 0 }),
  no('two members of a oneof', oneof, 'left=a&right=1', 'left'),
  no('two members of a oneof with defaults', oneof, 'left=&right=0', 'left'),
  no('two members of a oneof, one of them a message', oneof, 'middle.name=a&left=b', 'middle'),
  no('two members of a nested oneof', oneof, 'inner.a=x&inner.b=y', 'inner.b'),
  no('a map entry in brackets', map, 'labels[a]=b', 'labels[a]'),
  no('a map entry with a dot', map, 'labels.a=b', 'labels.a'),
  no('a map', map, 'labels=a', 'labels'),
  no('a map of messages', map, 'inner_map.a.name=b', 'inner_map.a.name'),
  no('an Any', 'reference 2.5: messages have no text', 'any=%7B%7D', 'any'),
  no('a part of an Any', 'reference 2.5: messages have no text', 'any.type_url=x', 'any.type_url'),
  no('a Struct', unrepresentable, 'struct=%7B%7D', 'struct'),
  no('a field of a Struct', unrepresentable, 'struct.fields=x', 'struct.fields'),
  no('a Value', unrepresentable, 'value=1', 'value'),
  no('a member of a Value', unrepresentable, 'value.string_value=x', 'value.string_value'),
  no('a ListValue', unrepresentable, 'list=1', 'list'),
  shape('empty pairs do not count', 'reference 2.5: empty pairs are ignored', '&&text=a&&&count=1&', { text: 'a', count: 1 }),
  shape('an empty query', 'RFC 3986 section 3.4', '', {}),
  shape('a semicolon separates nothing', 'reference 2.5: ; is not a separator', 'text=a;count=1', { text: 'a;count=1' }),
  shape('the first = separates', form, 'text=a=b==', { text: 'a=b==' }),
  no('a pair without a name', 'reference 2.5: unknown parameters', '=a', 'query parameter ""'),
  shape('a plus in the value is a blank', 'reference 2.5: + is a space; Envoy keeps it', 'text=a+b', { text: 'a b' }),
  no('a plus in the name is a blank', form, 'te+xt=a', 'te xt'),
  shape('an encoded name', keys, '%74ext=a', { text: 'a' }),
  shape('an encoded dot in a name', keys, 'inner%2Ename=a', { inner: { name: 'a' } }),
  shape('an encoded name of many steps', keys, 'inner%2einner%2E%6eame=a', { inner: { inner: { name: 'a' } } }),
  no('a name is decoded once', keys, 'inner%252Ename=a', 'inner%2Ename'),
  no('a name that ends in a dot', keys, 'inner.=a', 'inner.'),
  no('a name that begins with a dot', keys, '.text=a', '.text'),
  no('a name with two dots', keys, 'inner..name=a', 'inner..name'),
  no('an unknown parameter', unknown, 'nope=1', 'query parameter "nope"'),
  no('an unknown parameter beside known ones', unknown, 'text=a&nope=1', 'query parameter "nope"'),
  no('an unknown parameter without a value', unknown, 'nope', 'query parameter "nope"'),
  no('names of JavaScript are unknown', unknown, '__proto__=1', '__proto__'),
  no('names of JavaScript, nested', unknown, 'constructor.prototype=1', 'constructor.prototype'),
  becomes('DELETE binds its query', 'http.proto, "query parameters": no body', sent('DELETE /shapes?text=a'), 'Shape', { text: 'a' }),
  becomes('a body field leaves the rest to the query', 'http.proto: body "field"', sent('PUT /shapes?text=a&texts=b', '{"name":"x"}'), 'Shape', {
    text: 'a',
    texts: ['b'],
    inner: { name: 'x' },
  }),
  refused('the query does not reach into the body field', 'reference 2.5: precedence path > body > query', sent('PUT /shapes?inner.size=1', '{}'), {
    says: 'read from the body',
  }),
  refused('nor is it the body field', 'reference 2.5: precedence path > body > query', sent('PUT /shapes?inner=1', '{}'), { says: 'read from the body' }),
  refused('nor in its JSON spelling, where the body is empty', 'reference 2.5: precedence path > body > query', sent('PUT /shapes?inner.displayName=1'), {
    says: 'read from the body',
  }),
  refused('a whole body leaves nothing to the query', wholeBody, sent('POST /shapes?text=a', '{}'), { says: 'nothing is read from the query' }),
  refused('nor does an empty whole body', wholeBody, sent('POST /shapes?text=a'), { says: 'nothing is read from the query' }),
])

const reached = (query: string): Case => becomes(`?${query} passes`, unknown, sent(`GET /shapes?text=a&${query}`), 'Shape', { text: 'a' })

conform('unknownQuery: ignore', { protos, route: 'translate: { unknownQuery: ignore }' }, [
  reached('nope=1'),
  reached('inner.nope=1'),
  reached('text.more=1'),
  reached('labels.a=1'),
  reached('nope'),
  reached('nope=1&nope=2'),
  no('a known parameter with a wrong value is refused all the same', unknown, 'count=x&nope=1', 'count'),
  no('a known parameter twice is refused all the same', once, 'count=1&count=1', 'given twice'),
  no('a oneof twice is refused all the same', oneof, 'left=a&right=1', 'left'),
  no('a broken escape in an unknown parameter is refused', 'design: malformed escapes are 400', 'nope=%zz', 'broken percent escape'),
  becomes('a whole body still takes nothing from the query', wholeBody, sent('POST /shapes?text=a', '{"count":1}'), 'Shape', { count: 1 }),
  becomes('a body field still takes nothing from the query', 'reference 2.5: path > body > query', sent('PUT /shapes?inner.size=1', '{"name":"x"}'), 'Shape', {
    inner: { name: 'x' },
  }),
])

conform('unknownQuery: names', { protos, route: 'translate: { unknownQuery: [key, $alt, access_token, "utm_*"] }' }, [
  reached('key=1'),
  reached('$alt=json'),
  reached('%24alt=json'),
  reached('access_token=x&key=y'),
  reached('utm_source=x&utm_=y'),
  no('another name is refused', unknown, 'keys=1', 'query parameter "keys"'),
  no('a name inside a message is another name', unknown, 'inner.key=1', 'inner.key'),
  no('the beginning of a name is another name', unknown, 'utm=1', 'query parameter "utm"'),
  no('names are compared with their case', unknown, 'KEY=1', 'query parameter "KEY"'),
])
