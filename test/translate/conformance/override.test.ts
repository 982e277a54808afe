import { type Case, conform, type HouseOptions } from './house.ts'
import { becomes, refused, sent } from './requests.ts'

const protos = {
  'conformance/override/v1/override.proto': `
syntax = "proto3";
package conformance.override.v1;
import "google/api/annotations.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

service Override {
  rpc Read(Thing) returns (Empty) {
    option (google.api.http) = {
      get: "/r/tenant/{tenant_id}"
      additional_bindings { get: "/r/inner/{inner.display_name}" }
      additional_bindings { get: "/r/deep/{inner.inner.name}" }
      additional_bindings { get: "/r/left/{left}" }
      additional_bindings { get: "/r/middle/{middle.name}" }
      additional_bindings { get: "/r/nested/{inner.first}" }
      additional_bindings { get: "/r/renamed/{renamed}" }
      additional_bindings { get: "/r/wrapper/{wrapper}" }
      additional_bindings { get: "/r/time/{at}" }
      additional_bindings { get: "/r/many/{tenant_id=**}" }
      additional_bindings { get: "/r/two/{tenant_id}/{count}" }
      additional_bindings { get: "/r/maybe/{maybe}" }
    };
  }
  rpc Write(Thing) returns (Empty) {
    option (google.api.http) = {
      post: "/w/tenant/{tenant_id}" body: "*"
      additional_bindings { post: "/w/inner/{inner.display_name}" body: "*" }
      additional_bindings { post: "/w/deep/{inner.inner.name}" body: "*" }
      additional_bindings { post: "/w/left/{left}" body: "*" }
      additional_bindings { post: "/w/middle/{middle.name}" body: "*" }
      additional_bindings { post: "/w/renamed/{renamed}" body: "*" }
      additional_bindings { post: "/w/count/{count}" body: "*" }
      additional_bindings { post: "/w/long/{total}" body: "*" }
      additional_bindings { post: "/w/flag/{flag}" body: "*" }
      additional_bindings { post: "/w/ratio/{ratio}" body: "*" }
      additional_bindings { post: "/w/color/{color}" body: "*" }
      additional_bindings { post: "/w/data/{data}" body: "*" }
      additional_bindings { post: "/w/wrapper/{wrapper}" body: "*" }
      additional_bindings { post: "/w/time/{at}" body: "*" }
      additional_bindings { post: "/w/span/{ttl}" body: "*" }
      additional_bindings { post: "/w/mask/{mask}" body: "*" }
      additional_bindings { post: "/w/maybe/{maybe}" body: "*" }
      additional_bindings { post: "/w/two/{tenant_id}/{inner.display_name}" body: "*" }
      additional_bindings { post: "/w/many/{tenant_id=**}" body: "*" }
    };
  }
  rpc Put(Thing) returns (Empty) {
    option (google.api.http) = {
      put: "/p/inner/{inner.display_name}" body: "inner"
      additional_bindings { put: "/p/deep/{inner.inner.name}" body: "inner" }
      additional_bindings { put: "/p/beside/{tenant_id}" body: "inner" }
      additional_bindings { put: "/p/first/{inner.first}" body: "inner" }
    };
  }
}
message Empty {}
enum Color { COLOR_UNSPECIFIED = 0; COLOR_RED = 1; COLOR_CRIMSON = 2; }
message Inner { string name = 1; string display_name = 2; Inner inner = 3; oneof kind { string first = 4; string second = 5; } }
message Thing {
  string tenant_id = 1;
  Inner inner = 2;
  oneof side { string left = 3; int32 right = 4; Inner middle = 5; }
  string renamed = 6 [json_name = "otherName"];
  int32 count = 7;
  int64 total = 8;
  bool flag = 9;
  double ratio = 10;
  Color color = 11;
  bytes data = 12;
  google.protobuf.Int64Value wrapper = 13;
  google.protobuf.Timestamp at = 14;
  google.protobuf.Duration ttl = 15;
  google.protobuf.FieldMask mask = 16;
  optional string maybe = 17;
}
`,
}

const query = 'reference 1.2 and 3.1: a path variable is not overridden by the query (grpc-gateway #3069, #3946; Envoy, Vanguard camelCase)'
const family = 'reference 1.2: nor through a parent or child of the bound field'
const oneof = 'reference 1.2 and 3.1: nor through a sibling in its oneof (aspnetcore #68639)'
const body = 'reference 2.5: the path value stands and a disagreeing body is refused; Kong: body wins, Envoy: body wins for the proto name'
const agreeing = 'design: a body that repeats the same value is fine'

const byQuery = (name: string, source: string, path: string, says: string): Case => refused(name, source, sent(`GET ${path}`), { says })
const byBody = (name: string, path: string, json: string): Case => refused(name, body, sent(`POST ${path}`, json), { says: 'disagrees with the path' })
const same = (name: string, path: string, json: string, message: Parameters<typeof becomes>[4]): Case =>
  becomes(name, agreeing, sent(`POST ${path}`, json), 'Write', message)

const overridden: readonly Case[] = [
  byQuery('the query names the variable', query, '/r/tenant/a?tenant_id=b', 'the path sets "tenant_id"'),
  byQuery('the query names the variable in camelCase', query, '/r/tenant/a?tenantId=b', 'the path sets "tenant_id"'),
  byQuery('the query names the variable with its own value', query, '/r/tenant/a?tenant_id=a', 'the path sets "tenant_id"'),
  byQuery('the query names the variable with nothing', query, '/r/tenant/a?tenant_id=', 'the path sets "tenant_id"'),
  byQuery('the query names the variable without =', query, '/r/tenant/a?tenantId', 'the path sets "tenant_id"'),
  byQuery('the query names the variable, escaped', query, '/r/tenant/a?tenant%5Fid=b', 'the path sets "tenant_id"'),
  byQuery('the query names the variable, wholly escaped', query, '/r/tenant/a?%74%65nantId=b', 'the path sets "tenant_id"'),
  byQuery('the query names the variable after others', query, '/r/tenant/a?count=1&tenantId=b', 'the path sets "tenant_id"'),
  byQuery('the query names a variable of several segments', query, '/r/many/a/b?tenant_id=c', 'the path sets "tenant_id"'),
  byQuery('the query names a variable that took nothing', query, '/r/many?tenant_id=c', 'the path sets "tenant_id"'),
  byQuery('the query names the second of two variables', query, '/r/two/a/1?count=2', 'the path sets "count"'),
  byQuery('the query names a json_name', query, '/r/renamed/a?otherName=b', 'the path sets "renamed"'),
  byQuery('the query names the proto name beside a json_name', query, '/r/renamed/a?renamed=b', 'the path sets "renamed"'),
  byQuery('the query names an optional variable', query, '/r/maybe/a?maybe=', 'the path sets "maybe"'),
  byQuery('the query names a nested variable', query, '/r/inner/a?inner.display_name=b', 'the path sets "inner.display_name"'),
  byQuery('the query names a nested variable in camelCase', query, '/r/inner/a?inner.displayName=b', 'the path sets "inner.display_name"'),
  byQuery('the query names a nested variable with its dot escaped', query, '/r/inner/a?inner%2EdisplayName=b', 'the path sets "inner.display_name"'),
  byQuery('the query names the parent', family, '/r/inner/a?inner=%7B%7D', 'the path sets "inner.display_name"'),
  byQuery('the query names the parent with nothing', family, '/r/inner/a?inner=', 'the path sets "inner.display_name"'),
  byQuery('the query names the grandparent', family, '/r/deep/a?inner=', 'the path sets "inner.inner.name"'),
  byQuery('the query names the parent, one level down', family, '/r/deep/a?inner.inner=', 'the path sets "inner.inner.name"'),
  byQuery('the query names a part of a wrapper', family, '/r/wrapper/1?wrapper.value=2', 'the path sets "wrapper"'),
  byQuery('the query names a part of a time', family, '/r/time/2024-01-01T00:00:00Z?at.seconds=2', 'the path sets "at"'),
  byQuery('the query names a sibling in the oneof', oneof, '/r/left/a?right=1', 'it would clear "left"'),
  byQuery('the query names a sibling in the oneof with its default', oneof, '/r/left/a?right=0', 'it would clear "left"'),
  byQuery('the query names a field inside a sibling', oneof, '/r/left/a?middle.name=b', 'it would clear "left"'),
  byQuery('the query names a sibling message', oneof, '/r/left/a?middle=', 'it would clear "left"'),
  byQuery('the query names a sibling of the parent', oneof, '/r/middle/a?left=b', 'it would clear "middle.name"'),
  byQuery('the query names a sibling in a nested oneof', oneof, '/r/nested/a?inner.second=b', 'it would clear "inner.first"'),
  refused('with a whole body the query names the variable', query, sent('POST /w/tenant/a?tenant_id=b', '{}'), { says: 'the path sets "tenant_id"' }),
  refused('with a whole body the query names it in camelCase', query, sent('POST /w/tenant/a?tenantId=b', '{}'), { says: 'the path sets "tenant_id"' }),
  refused('with a body field the query names the variable', query, sent('PUT /p/beside/a?tenantId=b', '{}'), { says: 'the path sets "tenant_id"' }),
  refused('with the parent as body the query names the variable', query, sent('PUT /p/inner/a?inner.displayName=b', '{}'), {
    says: 'the path sets "inner.display_name"',
  }),
  byBody('the body disagrees by the proto name', '/w/tenant/a', '{"tenant_id":"b"}'),
  byBody('the body disagrees by the JSON name', '/w/tenant/a', '{"tenantId":"b"}'),
  byBody('the body disagrees by its default', '/w/tenant/a', '{"tenantId":""}'),
  byBody('the body disagrees, its name escaped', '/w/tenant/a', '{"tenant\\u0049d":"b"}'),
  byBody('the body disagrees in case', '/w/tenant/a', '{"tenantId":"A"}'),
  byBody('the body has the variable still encoded', '/w/tenant/a%2Fb', '{"tenantId":"a%2Fb"}'),
  byBody('the body disagrees about a variable that took nothing', '/w/many', '{"tenantId":"b"}'),
  byBody('the body disagrees by a json_name', '/w/renamed/a', '{"otherName":"b"}'),
  byBody('the body disagrees by the proto name beside a json_name', '/w/renamed/a', '{"renamed":"b"}'),
  byBody('the body disagrees about a nested field', '/w/inner/a', '{"inner":{"displayName":"b"}}'),
  byBody('the body disagrees about a nested field by its proto name', '/w/inner/a', '{"inner":{"display_name":"b"}}'),
  byBody('the body disagrees two levels down', '/w/deep/a', '{"inner":{"inner":{"name":"b"}}}'),
  byBody('the body disagrees about the second of two', '/w/two/a/b', '{"tenantId":"a","inner":{"displayName":"c"}}'),
  byBody('the body disagrees inside a member of a oneof', '/w/middle/a', '{"middle":{"name":"b"}}'),
  byBody('the body disagrees about a member of a oneof', '/w/left/a', '{"left":"b"}'),
  byBody('the body disagrees about an integer', '/w/count/1', '{"count":2}'),
  byBody('the body disagrees about a 64-bit integer by one', '/w/long/9007199254740993', '{"total":"9007199254740992"}'),
  byBody('the body disagrees about a 64-bit integer, unquoted', '/w/long/9007199254740993', '{"total":9007199254740992}'),
  byBody('the body disagrees about a boolean', '/w/flag/true', '{"flag":false}'),
  byBody('the body disagrees about a number', '/w/ratio/1.5', '{"ratio":1.6}'),
  byBody('the body disagrees about an enum', '/w/color/COLOR_RED', '{"color":"COLOR_CRIMSON"}'),
  byBody('the body disagrees about an enum by number', '/w/color/1', '{"color":2}'),
  byBody('the body disagrees about bytes', '/w/data/AQI', '{"data":"AQM="}'),
  byBody('the body disagrees about a wrapper', '/w/wrapper/1', '{"wrapper":"2"}'),
  byBody('the body disagrees about a wrapper by zero', '/w/wrapper/1', '{"wrapper":"0"}'),
  byBody('the body disagrees about a time', '/w/time/2024-01-01T00:00:00Z', '{"at":"2024-01-01T00:00:01Z"}'),
  byBody('the body disagrees about a duration', '/w/span/1s', '{"ttl":"2s"}'),
  byBody('the body disagrees about a mask', '/w/mask/a', '{"mask":"a,b"}'),
  byBody('the body disagrees about an optional field', '/w/maybe/a', '{"maybe":""}'),
  refused('the body sets a sibling in the oneof', oneof, sent('POST /w/left/a', '{"right":1}'), { says: 'would clear "left"' }),
  refused('the body sets a sibling in the oneof to its default', oneof, sent('POST /w/left/a', '{"right":0}'), { says: 'would clear "left"' }),
  refused('the body sets a sibling message', oneof, sent('POST /w/left/a', '{"middle":{}}'), { says: 'would clear "left"' }),
  refused('the body sets a sibling of the parent', oneof, sent('POST /w/middle/a', '{"left":"b"}'), { says: 'would clear "middle.name"' }),
  refused('the body field disagrees', body, sent('PUT /p/inner/a', '{"displayName":"b"}'), { says: 'disagrees with the path' }),
  refused('the body field disagrees by the proto name', body, sent('PUT /p/inner/a', '{"display_name":"b"}'), { says: 'disagrees with the path' }),
  refused('the body field disagrees one level down', body, sent('PUT /p/deep/a', '{"inner":{"name":"b"}}'), { says: 'disagrees with the path' }),
  refused('the body field sets a sibling in the oneof', oneof, sent('PUT /p/first/a', '{"second":"b"}'), { says: 'would clear "inner.first"' }),
]

const kept: readonly Case[] = [
  becomes('the query may set a field beside the variable', query, sent('GET /r/inner/a?inner.name=b'), 'Read', { inner: { displayName: 'a', name: 'b' } }),
  becomes('the query may set a member of another oneof', oneof, sent('GET /r/left/a?inner.first=b'), 'Read', { left: 'a', inner: { first: 'b' } }),
  becomes('the query may set a field beside one inside a oneof', oneof, sent('GET /r/middle/a?middle.displayName=b'), 'Read', {
    middle: { name: 'a', displayName: 'b' },
  }),
  becomes('the query may set a field whose name begins alike', query, sent('GET /r/deep/a?inner.name=b'), 'Read', {
    inner: { name: 'b', inner: { name: 'a' } },
  }),
  same('the body repeats the variable', '/w/tenant/a', '{"tenantId":"a","count":1}', { tenantId: 'a', count: 1 }),
  same('the body repeats the variable by its proto name', '/w/tenant/a', '{"tenant_id":"a"}', { tenantId: 'a' }),
  same('the body repeats the decoded variable', '/w/tenant/a%2Fb%20c', '{"tenantId":"a/b c"}', { tenantId: 'a/b c' }),
  same('the body says nothing about the variable', '/w/tenant/a', '{"inner":{"name":"x"}}', { tenantId: 'a', inner: { name: 'x' } }),
  same('null in the body is nothing', '/w/tenant/a', '{"tenantId":null}', { tenantId: 'a' }),
  same('null for the parent in the body is nothing', '/w/inner/a', '{"inner":null}', { inner: { displayName: 'a' } }),
  same('null for a sibling in the oneof is nothing', '/w/left/a', '{"right":null,"middle":null}', { left: 'a' }),
  same('the body repeats a nested field', '/w/inner/a', '{"inner":{"displayName":"a","name":"x"}}', { inner: { displayName: 'a', name: 'x' } }),
  same('the body has the parent without the variable', '/w/inner/a', '{"inner":{"name":"x"}}', { inner: { displayName: 'a', name: 'x' } }),
  same('the body has the parent, empty', '/w/deep/a', '{"inner":{}}', { inner: { inner: { name: 'a' } } }),
  same('the body repeats a member of a oneof', '/w/left/a', '{"left":"a"}', { left: 'a' }),
  same('the body has more of a message in a oneof', '/w/middle/a', '{"middle":{"displayName":"x"}}', { middle: { name: 'a', displayName: 'x' } }),
  same('the body repeats a 64-bit integer', '/w/long/9007199254740993', '{"total":9007199254740993}', { total: '9007199254740993' }),
  same('the body repeats a number in another form', '/w/ratio/1.5', '{"ratio":"15e-1"}', { ratio: 1.5 }),
  same('the body repeats NaN', '/w/ratio/NaN', '{"ratio":"NaN"}', { ratio: 'NaN' }),
  same('the body repeats an enum by number', '/w/color/COLOR_RED', '{"color":1}', { color: 'COLOR_RED' }),
  same('the body repeats bytes in the other alphabet', '/w/data/-_8', '{"data":"+/8="}', { data: '+/8=' }),
  same('the body repeats a wrapper', '/w/wrapper/1', '{"wrapper":1}', { wrapper: '1' }),
  same('the body repeats a time at another offset', '/w/time/2024-01-01T00:00:00Z', '{"at":"2024-01-01T01:00:00+01:00"}', { at: '2024-01-01T00:00:00Z' }),
  same('the body repeats a duration in another form', '/w/span/1s', '{"ttl":"1.000s"}', { ttl: '1s' }),
  same('the body repeats a mask', '/w/mask/a_b', '{"mask":"aB"}', { mask: 'aB' }),
  same('the body repeats both of two variables', '/w/two/a/b', '{"tenantId":"a","inner":{"displayName":"b"}}', { tenantId: 'a', inner: { displayName: 'b' } }),
  becomes('the body field repeats the variable', agreeing, sent('PUT /p/inner/a', '{"displayName":"a","name":"x"}'), 'Put', {
    inner: { displayName: 'a', name: 'x' },
  }),
  becomes('the body field beside the variable', agreeing, sent('PUT /p/beside/a?count=1', '{"name":"x"}'), 'Put', {
    tenantId: 'a',
    count: 1,
    inner: { name: 'x' },
  }),
  becomes('the body field has the parent without the variable', agreeing, sent('PUT /p/deep/a', '{"name":"x","inner":{}}'), 'Put', {
    inner: { name: 'x', inner: { name: 'a' } },
  }),
]

const house = (route?: string): HouseOptions => (route === undefined ? { protos } : { protos, route })

conform('path variables', house(), [...overridden, ...kept])
conform('path variables, though unknown parameters are ignored', house('translate: { unknownQuery: ignore }'), overridden)
conform('path variables, though their names are listed to be ignored', house('translate: { unknownQuery: ["*"], ignoreUnknownFields: true }'), overridden)
