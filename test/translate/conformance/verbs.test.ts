import { conform } from './house.ts'
import { becomes, refused, sent } from './requests.ts'

const protos = {
  'conformance/verbs/v1/verbs.proto': `
syntax = "proto3";
package conformance.verbs.v1;
import "google/api/annotations.proto";

service Verbs {
  rpc Get(Named) returns (Named) { option (google.api.http) = { get: "/v1/{name=items/*}" }; }
  rpc Undelete(Named) returns (Named) { option (google.api.http) = { post: "/v1/{name=items/*}:undelete" body: "*" }; }
  rpc Peek(Named) returns (Named) { option (google.api.http) = { get: "/v1/{name=items/*}:peek" }; }
  rpc BatchGet(Named) returns (Named) { option (google.api.http) = { get: "/v1/items:batchGet" }; }
  rpc List(Named) returns (Named) { option (google.api.http) = { get: "/v1/items" }; }
  rpc Plain(Named) returns (Named) { option (google.api.http) = { get: "/v1/plain/{name}" }; }
  rpc Rest(Named) returns (Named) { option (google.api.http) = { get: "/v1/files/{name=**}" }; }
  rpc RestVerb(Named) returns (Named) { option (google.api.http) = { get: "/v1/files/{name=**}:read" }; }
  rpc LooseVerb(Named) returns (Named) { option (google.api.http) = { get: "/v1/loose/**:count" }; }
  rpc Two(Named) returns (Named) { option (google.api.http) = { get: "/v1/pairs/{name}/{second}:join" }; }
  rpc Dashed(Named) returns (Named) { option (google.api.http) = { get: "/v1/dashed/{name}:get-all.v2" additional_bindings { get: "/v1/dashed:get-all.v2" } }; }
  rpc StarVerb(Named) returns (Named) { option (google.api.http) = { get: "/v1/stars/*:go" }; }
  rpc Fixed(Named) returns (Named) { option (google.api.http) = { get: "/v1/plain/known:go" }; }
  rpc AnyGo(Named) returns (Named) { option (google.api.http) = { get: "/v1/plain/{name}:go" }; }
}

message Named { string name = 1; string second = 2; }
`,
}

const last = 'reference 2.3: the last colon; Vanguard the first'
const registered = 'reference 2.3: only verbs registered at that node, otherwise the colon is data; Vanguard 404'
const escaped = 'reference 2.3: %3A is always data; Vanguard takes it for a verb'
const grammar = 'http.proto, Template = "/" Segments [ Verb ]; Verb = ":" LITERAL'
const unknown = { status: 404, code: 'route_not_found' }
const notAllowed = (methods: string) => ({ status: 405, code: 'method_not_allowed', headers: { allow: methods } })

conform('custom verbs', { protos }, [
  becomes('a verb after a variable', grammar, sent('POST /v1/items/7:undelete', '{}'), 'Undelete', { name: 'items/7' }),
  becomes('another verb of the same path', grammar, sent('GET /v1/items/7:peek'), 'Peek', { name: 'items/7' }),
  becomes('no verb of the same path', grammar, sent('GET /v1/items/7'), 'Get', { name: 'items/7' }),
  becomes('a verb after a literal', grammar, sent('GET /v1/items:batchGet'), 'BatchGet', {}),
  becomes('the literal without the verb', grammar, sent('GET /v1/items'), 'List', {}),
  becomes('a verb with a dash and a dot', grammar, sent('GET /v1/dashed/a:get-all.v2'), 'Dashed', { name: 'a' }),
  becomes('the same after a literal', grammar, sent('GET /v1/dashed:get-all.v2'), 'Dashed', {}),
  becomes('a verb after a bare *', grammar, sent('GET /v1/stars/a:go'), 'StarVerb', {}),
  refused('a bare * with its verb is not without', grammar, sent('GET /v1/stars/a'), unknown),
  becomes('the last colon starts the verb', last, sent('GET /v1/items/a:b:peek'), 'Peek', { name: 'items/a:b' }),
  becomes('many colons before the verb are data', last, sent('GET /v1/items/urn:isbn:0:1:peek'), 'Peek', { name: 'items/urn:isbn:0:1' }),
  becomes('a verb that comes first and not last is data', last, sent('GET /v1/items/a:peek:b'), 'Get', { name: 'items/a:peek:b' }),
  becomes('a verb that is there twice is taken off once', last, sent('GET /v1/items/a:peek:peek'), 'Peek', { name: 'items/a:peek' }),
  becomes('a verb that nobody registered is data', registered, sent('GET /v1/items/7:nope'), 'Get', { name: 'items/7:nope' }),
  becomes('a verb that is registered elsewhere is data', registered, sent('GET /v1/items/7:read'), 'Get', { name: 'items/7:read' }),
  refused('a verb that nobody registered, after a literal', registered, sent('GET /v1/items:nope'), unknown),
  becomes('verbs are compared with their case', registered, sent('GET /v1/items/7:Peek'), 'Get', { name: 'items/7:Peek' }),
  becomes('a verb of another method is data for this one', registered, sent('GET /v1/items/7:undelete'), 'Get', { name: 'items/7:undelete' }),
  refused('a method that neither the verb nor the data takes', 'design: 405 with Allow', sent('DELETE /v1/items/7:undelete'), notAllowed('GET, POST')),
  becomes('a colon with nothing behind it is data', registered, sent('GET /v1/plain/a:'), 'Plain', { name: 'a:' }),
  becomes('a colon with nothing before it is data', registered, sent('GET /v1/plain/:a'), 'Plain', { name: ':a' }),
  becomes('a segment that is all verb is data', registered, sent('GET /v1/plain/:go'), 'Plain', { name: ':go' }),
  becomes('an encoded colon is data', escaped, sent('GET /v1/items/7%3Apeek'), 'Get', { name: 'items/7:peek' }),
  becomes('an encoded colon in lower case is data', escaped, sent('GET /v1/items/7%3apeek'), 'Get', { name: 'items/7:peek' }),
  becomes('an encoded colon before a verb is data', escaped, sent('GET /v1/items/a%3Ab:peek'), 'Peek', { name: 'items/a:b' }),
  refused('an encoded colon is no verb of a literal', escaped, sent('GET /v1/items%3AbatchGet'), unknown),
  becomes('a verb with an escaped letter is that verb', 'RFC 3986 section 6.2.2.2', sent('GET /v1/items/7:p%65ek'), 'Peek', { name: 'items/7' }),
  becomes('colons in ids: a time', registered, sent('GET /v1/plain/12:30:59'), 'Plain', { name: '12:30:59' }),
  becomes('colons in ids: an IPv6 address', registered, sent('GET /v1/plain/2001:db8::1'), 'Plain', { name: '2001:db8::1' }),
  becomes('colons in ids: a URN', registered, sent('GET /v1/plain/urn:ex:a'), 'Plain', { name: 'urn:ex:a' }),
  becomes('a verb after **', 'reference 2.3: a verb after ** is allowed', sent('GET /v1/files/a/b:read'), 'RestVerb', { name: 'a/b' }),
  becomes('a verb after ** that took nothing', 'reference 2.3: a verb after ** is allowed', sent('GET /v1/files:read'), 'RestVerb', {}),
  becomes('a verb in the middle of ** is data', last, sent('GET /v1/files/a:read/b'), 'Rest', { name: 'a:read/b' }),
  becomes('** without the verb', grammar, sent('GET /v1/files/a/b'), 'Rest', { name: 'a/b' }),
  becomes('** and a verb of nobody', registered, sent('GET /v1/files/a/b:nope'), 'Rest', { name: 'a/b:nope' }),
  becomes('a verb after a bare **', 'reference 2.3: a verb after ** is allowed', sent('GET /v1/loose/a/b/c:count'), 'LooseVerb', {}),
  becomes('a verb belongs to the last variable', grammar, sent('GET /v1/pairs/a:join/b:join'), 'Two', { name: 'a:join', second: 'b' }),
  becomes('a literal with a verb goes before a variable with it', 'reference 2.2: literal before *', sent('GET /v1/plain/known:go'), 'Fixed', {}),
  becomes('and the variable takes the rest', 'reference 2.2: literal before *', sent('GET /v1/plain/other:go'), 'AnyGo', { name: 'other' }),
  becomes('the query does not hide the verb', grammar, sent('GET /v1/items/7:peek?second=a:b'), 'Peek', { name: 'items/7', second: 'a:b' }),
])
