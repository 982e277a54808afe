import { conform } from './house.ts'
import { becomes, refused, sent } from './requests.ts'

const protos = {
  'conformance/templates/v1/templates.proto': `
syntax = "proto3";
package conformance.templates.v1;
import "google/api/annotations.proto";

service Templates {
  rpc Root(Named) returns (Named) { option (google.api.http) = { get: "/" }; }
  rpc One(Named) returns (Named) {
    option (google.api.http) = {
      get: "/v1/one/{name}"
      additional_bindings { get: "/v1/star/{name=*}" }
      additional_bindings { get: "/v1/unnamed/*/{name}" }
      additional_bindings { get: "/v1/fixed/{name=only}" }
      additional_bindings { get: "/v1/a/{name}/b/{second}/c" }
      additional_bindings { get: "/v1/beside/{name}/{second}" }
    };
  }
  rpc Many(Named) returns (Named) {
    option (google.api.http) = {
      get: "/v1/many/{name=**}"
      additional_bindings { get: "/v1/loose/**" }
      additional_bindings { get: "/v1/{name=shelves/*/books/*}" }
      additional_bindings { get: "/v1/{name=folders/**}" }
      additional_bindings { get: "/v1/{name=projects/*/topics/**}" }
      additional_bindings { get: "/v1/{name=orgs/*}/{second=teams/*}" }
    };
  }
  rpc Nested(Named) returns (Named) {
    option (google.api.http) = {
      get: "/v1/nested/{inner.name}"
      additional_bindings { get: "/v1/deep/{inner.inner.inner.name}" }
      additional_bindings { get: "/v1/both/{inner.name}/{inner.second_name}" }
      additional_bindings { get: "/v1/snake/{second_name}" }
      additional_bindings { get: "/v1/json/{renamed}" }
      additional_bindings { get: "/v1/nest/{inner.name=pages/*}" }
    };
  }
  rpc Literal(Named) returns (Named) {
    option (google.api.http) = {
      get: "/v1/lit%20eral/{name}"
      additional_bindings { get: "/v1/caf%C3%A9/{name}" }
      additional_bindings { get: "/v1/lower%c3%a9/{name}" }
      additional_bindings { get: "/v1/tilde%7Eplain/{name}" }
      additional_bindings { get: "/v1/slash%2Fin/{name}" }
      additional_bindings { get: "/v1/per%25cent/{name}" }
      additional_bindings { get: "/v1/dots.and-dashes_~/{name}" }
      additional_bindings { get: "/v1/(paren's)!$&+,;=@/{name}" }
      additional_bindings { get: "/v1/Case/{name}" }
    };
  }
}

message Named { string name = 1; string second = 2; string second_name = 3; Inner inner = 4; string renamed = 5 [json_name = "other"]; }
message Inner { string name = 1; string second_name = 2; Inner inner = 3; }
`,
}

const grammar = 'http.proto, "Path template syntax"'
const variable = `${grammar}: Variable = "{" FieldPath [ "=" Segments ] "}"`
const zero = 'http.proto, "The syntax ** matches zero or more URL path segments"; reference 2.1: Vanguard 404 on zero'
const literal = 'reference 2.1: percent-encoded literal equals the same bytes however written; grpc-gateway, Vanguard 404'
const unknown = { status: 404, code: 'route_not_found' }

conform('templates', { protos }, [
  {
    name: 'a variable of one segment takes the segment',
    source: variable,
    send: { path: '/v1/one/a' },
    reply: { messages: [{ name: 'b' }] },
    reaches: { rpc: 'One', message: { name: 'a' } },
    answer: { status: 200, headers: { 'content-type': 'application/json' }, json: { name: 'b' } },
  },
  refused('an unknown path reaches nothing', grammar, sent('GET /v1/two/a'), unknown),
  becomes('a template of no segments is the root', grammar, sent('GET /'), 'Root', {}),
  becomes('{name=*} is {name}', 'http.proto, "{var} is equivalent to {var=*}"', sent('GET /v1/star/a'), 'One', { name: 'a' }),
  refused('{name=*} takes one segment, not two', variable, sent('GET /v1/star/a/b'), unknown),
  refused('{name} takes one segment, not none', 'http.proto, "The syntax * matches a single URL path segment"', sent('GET /v1/one'), unknown),
  becomes('a bare * takes any segment and binds nothing', grammar, sent('GET /v1/unnamed/whatever/a'), 'One', { name: 'a' }),
  refused('a bare * takes one segment', grammar, sent('GET /v1/unnamed/x/y/a'), unknown),
  becomes('a variable may stand for a literal', variable, sent('GET /v1/fixed/only'), 'One', { name: 'only' }),
  refused('a variable of a literal takes nothing else', variable, sent('GET /v1/fixed/other'), unknown),
  becomes('several variables bind each its own segment', variable, sent('GET /v1/a/x/b/y/c'), 'One', { name: 'x', second: 'y' }),
  refused('a literal after a variable must be there', grammar, sent('GET /v1/a/x/b/y'), unknown),
  becomes('variables may stand beside each other', variable, sent('GET /v1/beside/x/y'), 'One', { name: 'x', second: 'y' }),
  becomes('** takes one segment', zero, sent('GET /v1/many/a'), 'Many', { name: 'a' }),
  becomes('** takes many segments', zero, sent('GET /v1/many/a/b/c/d/e'), 'Many', { name: 'a/b/c/d/e' }),
  becomes('** takes no segment at all', zero, sent('GET /v1/many'), 'Many', {}),
  becomes('a bare ** takes what follows and binds nothing', zero, sent('GET /v1/loose/a/b'), 'Many', {}),
  becomes('a bare ** takes nothing too', zero, sent('GET /v1/loose'), 'Many', {}),
  becomes('a variable of several segments has its literals in it', variable, sent('GET /v1/shelves/1/books/2'), 'Many', { name: 'shelves/1/books/2' }),
  refused('a variable of several segments needs all of them', variable, sent('GET /v1/shelves/1/books'), unknown),
  refused('a variable of several segments takes no more', variable, sent('GET /v1/shelves/1/books/2/pages'), unknown),
  becomes('a variable that ends in ** takes many', zero, sent('GET /v1/folders/a/b/c'), 'Many', { name: 'folders/a/b/c' }),
  becomes('a variable that ends in ** takes none, and is its literals', zero, sent('GET /v1/folders'), 'Many', { name: 'folders' }),
  becomes('* and ** in one variable', zero, sent('GET /v1/projects/p/topics/a/b'), 'Many', { name: 'projects/p/topics/a/b' }),
  becomes('* and ** in one variable, ** with none', zero, sent('GET /v1/projects/p/topics'), 'Many', { name: 'projects/p/topics' }),
  becomes('two variables of several segments', variable, sent('GET /v1/orgs/o/teams/t'), 'Many', { name: 'orgs/o', second: 'teams/t' }),
  becomes('a field path reaches into a message', `${grammar}: FieldPath = IDENT { "." IDENT }`, sent('GET /v1/nested/a'), 'Nested', { inner: { name: 'a' } }),
  becomes('a field path goes as deep as it says', `${grammar}: FieldPath`, sent('GET /v1/deep/a'), 'Nested', { inner: { inner: { inner: { name: 'a' } } } }),
  becomes('two field paths share their parent', `${grammar}: FieldPath`, sent('GET /v1/both/a/b'), 'Nested', { inner: { name: 'a', secondName: 'b' } }),
  becomes('a field is named as in the .proto file', `${grammar}: FieldPath`, sent('GET /v1/snake/a'), 'Nested', { secondName: 'a' }),
  becomes('json_name changes nothing in a template', `${grammar}: FieldPath`, sent('GET /v1/json/a'), 'Nested', { other: 'a' }),
  becomes('a field path takes a pattern', variable, sent('GET /v1/nest/pages/7'), 'Nested', { inner: { name: 'pages/7' } }),
  becomes('a literal with a space', literal, sent('GET /v1/lit%20eral/a'), 'Literal', { name: 'a' }),
  becomes('a literal beyond ASCII, in upper-case escapes', literal, sent('GET /v1/caf%C3%A9/a'), 'Literal', { name: 'a' }),
  becomes('a literal beyond ASCII, in lower-case escapes', literal, sent('GET /v1/caf%c3%a9/a'), 'Literal', { name: 'a' }),
  becomes('a template that spells its escapes in lower case', literal, sent('GET /v1/lower%C3%A9/a'), 'Literal', { name: 'a' }),
  becomes('an escape of an unreserved character is that character', 'RFC 3986 section 6.2.2.2', sent('GET /v1/tilde~plain/a'), 'Literal', { name: 'a' }),
  becomes('an escape that nobody needed, in the request', 'RFC 3986 section 6.2.2.2', sent('GET /v1/%6fne/a'), 'One', { name: 'a' }),
  becomes('a literal with an encoded slash is one segment', literal, sent('GET /v1/slash%2fin/a'), 'Literal', { name: 'a' }),
  refused('and not two', literal, sent('GET /v1/slash/in/a'), unknown),
  becomes('a literal with an encoded percent sign', literal, sent('GET /v1/per%25cent/a'), 'Literal', { name: 'a' }),
  becomes('unreserved characters in a literal', 'RFC 3986 section 2.3', sent('GET /v1/dots.and-dashes_~/a'), 'Literal', { name: 'a' }),
  becomes('sub-delimiters in a literal', 'RFC 3986 section 3.3', sent("GET /v1/(paren's)!$&+,;=@/a"), 'Literal', { name: 'a' }),
  refused('a reserved character is not its escape', 'RFC 3986 section 2.2', sent("GET /v1/(paren's)!$%26+,;=@/a"), unknown),
  refused('literals are compared with their case', 'RFC 3986 section 6.2.2.1', sent('GET /v1/case/a'), unknown),
  becomes('and match in their own', 'RFC 3986 section 6.2.2.1', sent('GET /v1/Case/a'), 'Literal', { name: 'a' }),
])
