import { conform } from './house.ts'
import { becomes, refused, sent } from './requests.ts'

const protos = {
  'conformance/matching/v1/matching.proto': `
syntax = "proto3";
package conformance.matching.v1;
import "google/api/annotations.proto";

// Wide rules stand before narrow ones here and after them in Backwards.
service Forwards {
  rpc Rest(Named) returns (Named) { option (google.api.http) = { get: "/f/{name=**}" }; }
  rpc Star(Named) returns (Named) { option (google.api.http) = { get: "/f/{name}/x" }; }
  rpc Literal(Named) returns (Named) { option (google.api.http) = { get: "/f/a/x" }; }
  rpc StarTail(Named) returns (Named) { option (google.api.http) = { get: "/f/{name=*/*/z}" }; }
  rpc LiteralHead(Named) returns (Named) { option (google.api.http) = { get: "/f/a/{name}/z" }; }
}
service Backwards {
  rpc LiteralHead(Named) returns (Named) { option (google.api.http) = { get: "/b/a/{name}/z" }; }
  rpc StarTail(Named) returns (Named) { option (google.api.http) = { get: "/b/{name=*/*/z}" }; }
  rpc Literal(Named) returns (Named) { option (google.api.http) = { get: "/b/a/x" }; }
  rpc Star(Named) returns (Named) { option (google.api.http) = { get: "/b/{name}/x" }; }
  rpc Rest(Named) returns (Named) { option (google.api.http) = { get: "/b/{name=**}" }; }
}
service Methods {
  rpc Get(Named) returns (Named) { option (google.api.http) = { get: "/m/{name}" }; }
  rpc Put(Named) returns (Named) { option (google.api.http) = { put: "/m/{name}" body: "*" }; }
  rpc Post(Named) returns (Named) { option (google.api.http) = { post: "/m" body: "*" }; }
  rpc Patch(Named) returns (Named) { option (google.api.http) = { patch: "/m/{name}" body: "*" }; }
  rpc Delete(Named) returns (Named) { option (google.api.http) = { delete: "/m/{name}" }; }
  rpc PostLiteral(Named) returns (Named) { option (google.api.http) = { post: "/m/fixed" body: "*" }; }
  rpc Head(Named) returns (Named) { option (google.api.http) = { custom: { kind: "HEAD" path: "/head/{name}" } }; }
  rpc HeadGet(Named) returns (Named) { option (google.api.http) = { get: "/head/{name}" }; }
  rpc Options(Named) returns (Named) { option (google.api.http) = { custom: { kind: "OPTIONS" path: "/options/{name}" } }; }
  rpc Purge(Named) returns (Named) { option (google.api.http) = { custom: { kind: "PURGE" path: "/m/{name}" } }; }
  rpc Any(Named) returns (Named) { option (google.api.http) = { custom: { kind: "*" path: "/any/{name}" } }; }
  rpc AnyGet(Named) returns (Named) { option (google.api.http) = { get: "/any/{name}" }; }
  rpc AnyBody(Named) returns (Named) { option (google.api.http) = { custom: { kind: "*" path: "/anybody/{name}" } body: "*" }; }
  rpc Bare(Named) returns (Named);
}
service Bindings {
  rpc Several(Named) returns (Named) {
    option (google.api.http) = {
      get: "/s/one/{name}"
      additional_bindings { get: "/s/two/{second}" }
      additional_bindings { post: "/s/three" body: "*" }
      additional_bindings { post: "/s/four/{name}" body: "inner" }
      additional_bindings { delete: "/s/one/{name}" }
    };
  }
}

message Named { string name = 1; string second = 2; Inner inner = 3; }
message Inner { string name = 1; }
`,
}

const precedence = 'reference 2.2: most specific per segment, independent of order; grpc-gateway: the last registered wins'
const sibling = 'reference 2.2: a literal exists for another method, a variable sibling has it; Vanguard 405'
const allow = 'design: a method with no rule is 405 with Allow (RFC 9110 section 15.5.6); grpc-gateway 501, Envoy 404'
const kinds = 'reference 2.2: method-specific beats custom kind *'
const head = 'reference 2.2: HEAD only when bound; http.proto is silent'
const slash = 'reference 2.2: trailing slash is no match; Envoy trims'
const dots = 'reference 2.2: "//" and dot segments are refused before routing, also escaped (RFC 3986 section 5.2.4)'
const override = 'reference 2.2: X-HTTP-Method-Override never; grpc-gateway honours it'
const automatic = 'design: automatic POST /package.Service/Method, whole message as body'
const additional = 'http.proto, "additional_bindings"'
const unknown = { status: 404, code: 'route_not_found' }
const notAllowed = (methods: string) => ({ status: 405, code: 'method_not_allowed', headers: { allow: methods } })
const ambiguous = { code: 'path_ambiguous' }

const order = (['f', 'b'] as const).flatMap((at) => {
  const said = at === 'f' ? 'wide rules first' : 'narrow rules first'
  return [
    becomes(`${said}: a literal goes before a variable`, precedence, sent(`GET /${at}/a/x`), 'Literal', {}),
    becomes(`${said}: a variable goes before **`, precedence, sent(`GET /${at}/c/x`), 'Star', { name: 'c' }),
    becomes(`${said}: ** takes what nothing else does`, precedence, sent(`GET /${at}/c/y`), 'Rest', { name: 'c/y' }),
    becomes(`${said}: an earlier literal goes before a later one`, precedence, sent(`GET /${at}/a/q/z`), 'LiteralHead', { name: 'q' }),
    becomes(`${said}: the walk goes back from a literal to a variable`, precedence, sent(`GET /${at}/c/q/z`), 'StarTail', { name: 'c/q/z' }),
    becomes(`${said}: the walk goes back from a literal to **`, precedence, sent(`GET /${at}/a/q/w`), 'Rest', { name: 'a/q/w' }),
    becomes(`${said}: a path that ends on the way falls back to **`, precedence, sent(`GET /${at}/a`), 'Rest', { name: 'a' }),
  ]
})

const overrides = ['x-http-method-override', 'x-http-method', 'x-method-override'].map((name) =>
  becomes(
    `${name} changes no method`,
    override,
    { ...sent('POST /m', '{"name":"a"}'), headers: { 'content-type': 'application/json', [name]: 'DELETE' } },
    'Post',
    {
      name: 'a',
    },
  ),
)

conform('matching', { protos }, [
  ...order,
  becomes('a method of its own at one path', 'http.proto, HttpRule.pattern', sent('GET /m/a'), 'Get', { name: 'a' }),
  becomes('PUT beside GET', 'http.proto, HttpRule.pattern', sent('PUT /m/a', '{"second":"b"}'), 'Put', { name: 'a', second: 'b' }),
  becomes('PATCH beside GET', 'http.proto, HttpRule.pattern', sent('PATCH /m/a', '{"second":"b"}'), 'Patch', { name: 'a', second: 'b' }),
  becomes('DELETE beside GET', 'http.proto, HttpRule.pattern', sent('DELETE /m/a'), 'Delete', { name: 'a' }),
  becomes('a custom kind is a method', 'http.proto, CustomHttpPattern.kind', sent('PURGE /m/a'), 'Purge', { name: 'a' }),
  becomes('a literal for another method leaves the request to the variable', sibling, sent('GET /m/fixed'), 'Get', { name: 'fixed' }),
  becomes('and takes its own method', sibling, sent('POST /m/fixed', '{"name":"a"}'), 'PostLiteral', { name: 'a' }),
  refused('a method without a rule, at a path that others take', allow, sent('POST /m/a', '{}'), notAllowed('DELETE, GET, PATCH, PURGE, PUT')),
  refused(
    'where literal and variable both miss, Allow has the methods of both',
    allow,
    sent('LOCK /m/fixed'),
    notAllowed('DELETE, GET, PATCH, POST, PURGE, PUT'),
  ),
  refused('the method of a collection is not that of its items', allow, sent('GET /m'), notAllowed('POST')),
  refused('a custom kind that no rule has', allow, sent('LOCK /m'), notAllowed('POST')),
  // Node's HTTP/1 client writes every method in upper case.
  { ...refused('methods are compared with their case', 'RFC 9110 section 9.1', sent('Purge /m/a'), { status: 501, code: 'not_implemented' }), over: ['h2c'] },
  refused('a path that no method takes is 404, not 405', allow, sent('GET /nowhere'), unknown),
  becomes('the kind * takes any method', 'http.proto, CustomHttpPattern.kind "*"', sent('POST /any/a'), 'Any', { name: 'a' }),
  becomes('the kind * takes methods of one’s own', 'http.proto, CustomHttpPattern.kind "*"', sent('PURGE /any/a'), 'Any', { name: 'a' }),
  becomes('the kind * takes a body where it has one', 'http.proto, CustomHttpPattern.kind "*"', sent('PUT /anybody/a', '{"second":"b"}'), 'AnyBody', {
    name: 'a',
    second: 'b',
  }),
  becomes('a rule of the method goes before the kind *', kinds, sent('GET /any/a'), 'AnyGet', { name: 'a' }),
  {
    name: 'HEAD is taken where a rule binds it',
    source: head,
    send: sent('HEAD /head/a'),
    reaches: { rpc: 'Head', message: { name: 'a' } },
    answer: { status: 200, headers: { 'content-type': 'application/json' }, text: '' },
  },
  becomes('GET beside HEAD is the GET rule', head, sent('GET /head/a'), 'HeadGet', { name: 'a' }),
  {
    name: 'HEAD is not GET',
    source: head,
    send: sent('HEAD /m/a'),
    answer: { status: 405, headers: { allow: 'DELETE, GET, PATCH, PURGE, PUT' }, text: '' },
  },
  becomes('OPTIONS is taken where a rule binds it', 'http.proto, CustomHttpPattern.kind', sent('OPTIONS /options/a'), 'Options', { name: 'a' }),
  refused(
    'OPTIONS reaches no rule of another method',
    'reference 2.2: OPTIONS is outside the translator',
    sent('OPTIONS /m/a'),
    notAllowed('DELETE, GET, PATCH, PURGE, PUT'),
  ),
  refused('a trailing slash is another path', slash, sent('GET /m/a/'), unknown),
  refused('a trailing slash is no empty variable', slash, sent('GET /m/'), unknown),
  refused('a trailing slash after a literal', slash, sent('GET /f/a/x/'), unknown),
  refused('** of a rule takes no empty segment', slash, sent('GET /f/a/b/'), unknown),
  refused('an empty segment is refused', dots, sent('GET /m//a'), ambiguous),
  refused('an empty segment at the start is refused', dots, sent('GET //m/a'), ambiguous),
  refused('a dot segment is refused', dots, sent('GET /m/./a'), ambiguous),
  refused('a parent segment is refused', dots, sent('GET /m/x/../a'), ambiguous),
  refused('an escaped dot segment is refused', dots, sent('GET /m/%2e'), ambiguous),
  refused('an escaped parent segment is refused', dots, sent('GET /f/%2E%2e/m'), ambiguous),
  refused('a parent segment behind an encoded slash is refused', dots, sent('GET /m/x%2F..%2Fa'), ambiguous),
  refused('a backslash is refused', dots, sent('GET /m/x%5Ca'), ambiguous),
  becomes('dots inside a segment are data', dots, sent('GET /m/a..b'), 'Get', { name: 'a..b' }),
  ...overrides,
  refused(
    'a method override reaches no rule of that method',
    override,
    { method: 'POST', path: '/m/a', headers: { 'x-http-method-override': 'DELETE' } },
    notAllowed('DELETE, GET, PATCH, PURGE, PUT'),
  ),
  refused(
    'a form-encoded POST is no GET',
    'reference 2.2: grpc-gateway falls back from a form-urlencoded POST to the GET rule',
    sent('POST /m/a', 'second=b', 'application/x-www-form-urlencoded'),
    notAllowed('DELETE, GET, PATCH, PURGE, PUT'),
  ),
  becomes('an RPC without an annotation has its own path', automatic, sent('POST /conformance.matching.v1.Methods/Bare', '{"name":"a"}'), 'Bare', {
    name: 'a',
  }),
  becomes('an RPC with an annotation has it too', automatic, sent('POST /conformance.matching.v1.Methods/Get', '{"name":"a"}'), 'Get', { name: 'a' }),
  becomes('without a body it is the empty message', automatic, sent('POST /conformance.matching.v1.Methods/Bare'), 'Bare', {}),
  refused('its own path is POST alone', automatic, sent('GET /conformance.matching.v1.Methods/Bare'), notAllowed('POST')),
  refused('its own path is compared with its case', automatic, sent('POST /conformance.matching.v1.methods/bare', '{}'), unknown),
  refused('an RPC that is not there', automatic, sent('POST /conformance.matching.v1.Methods/Nope', '{}'), unknown),
  becomes('the first rule of several', additional, sent('GET /s/one/a'), 'Several', { name: 'a' }),
  becomes('an additional binding binds other fields', additional, sent('GET /s/two/b?name=a'), 'Several', { name: 'a', second: 'b' }),
  becomes('an additional binding has a method and a body of its own', additional, sent('POST /s/three', '{"inner":{"name":"x"}}'), 'Several', {
    inner: { name: 'x' },
  }),
  becomes('an additional binding names its own body field', additional, sent('POST /s/four/a?second=b', '{"name":"x"}'), 'Several', {
    name: 'a',
    second: 'b',
    inner: { name: 'x' },
  }),
  becomes('an additional binding of the same path and another method', additional, sent('DELETE /s/one/a'), 'Several', { name: 'a' }),
])
