import { conform } from './house.ts'
import { becomes, refused, sent } from './requests.ts'

const protos = {
  'conformance/decoding/v1/decoding.proto': `
syntax = "proto3";
package conformance.decoding.v1;
import "google/api/annotations.proto";

service Decoding {
  rpc One(Named) returns (Named) { option (google.api.http) = { get: "/one/{name}" additional_bindings { get: "/bytes/{data}" } }; }
  rpc Rest(Named) returns (Named) { option (google.api.http) = { get: "/rest/{name=**}" }; }
  rpc Two(Named) returns (Named) { option (google.api.http) = { get: "/{name=two/*/*}" }; }
  rpc Ends(Named) returns (Named) { option (google.api.http) = { get: "/ends/{name=*/**}" }; }
  rpc Fixed(Named) returns (Named) { option (google.api.http) = { get: "/fixed/{name}/tail" }; }
  rpc Query(Named) returns (Named) { option (google.api.http) = { get: "/query" }; }
}

message Named { string name = 1; bytes data = 2; }
`,
}

const one = 'http.proto: {var} of one segment, "the server side does the reverse decoding"; reference 2.4'
const many = 'http.proto: {var=**}, "the reverse decoding, except %2F and %2f are left unchanged"; reference 2.4'
const malformed = 'reference 2.4: malformed escape; Envoy leaves it, grpc-gateway 400'
const utf8 = 'reference 2.4: invalid UTF-8 into a string; Envoy sends it on, grpc-gateway and Vanguard 500'
const twice = 'reference 2.4: decoded once; grpc-gateway and Vanguard decode twice'
const slash = 'reference 2.4: a%2Fb in {v} is one segment; Vanguard splits it, Envoy leaves it encoded'
const plus = 'reference 2.4: + in the path is a plus'
const control = 'design: receive refuses what two parsers could read differently (RFC 3986 section 7.3)'
const ambiguous = { code: 'path_ambiguous' }
const queryUtf8 = { says: 'broken percent escape, or bytes that are not UTF-8' }

/** RFC 3986 section 2.2, but for "/" and what has cases of its own; "%" with them. */
const reserved = ":?#[]@!$&'()*+,;=%".split('')
/** What may also stand plain in a path segment: RFC 3986 section 3.3. */
const plain = ":@!$&'()*+,;=".split('')
/** Neither reserved nor unreserved: a path must have them escaped. */
const others = '"<>^`{|} '.split('')
const hex = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`

conform('percent-decoding', { protos }, [
  ...[...reserved, ...others].flatMap((char) => [
    becomes(`${hex(char)} is ${JSON.stringify(char)} in one segment`, one, sent(`GET /one/a${hex(char)}b`), 'One', { name: `a${char}b` }),
    becomes(`${hex(char)} is ${JSON.stringify(char)} in several segments`, many, sent(`GET /rest/x/a${hex(char)}b`), 'Rest', { name: `x/a${char}b` }),
  ]),
  ...plain.map((char) => becomes(`${char} stands for itself`, 'RFC 3986 section 3.3: pchar', sent(`GET /one/a${char}b`), 'One', { name: `a${char}b` })),
  ...'-._~aZ09'
    .split('')
    .map((char) =>
      becomes(`${hex(char)} is ${char}, as if it were plain`, 'RFC 3986 section 2.3', sent(`GET /one/a${hex(char)}b`), 'One', { name: `a${char}b` }),
    ),
  becomes('%2F is a slash in one segment', slash, sent('GET /one/a%2Fb'), 'One', { name: 'a/b' }),
  becomes('%2f is a slash in one segment', slash, sent('GET /one/a%2fb'), 'One', { name: 'a/b' }),
  becomes('%2F alone is a segment', slash, sent('GET /one/%2F'), 'One', { name: '/' }),
  becomes('a segment with %2F has its literals around it', slash, sent('GET /fixed/a%2Fb/tail'), 'Fixed', { name: 'a/b' }),
  becomes('%2F stays in **', many, sent('GET /rest/a%2Fb/c'), 'Rest', { name: 'a%2Fb/c' }),
  becomes('%2f stays in ** (in canonical upper case)', `${many}; the canonical path has escapes in upper case`, sent('GET /rest/a%2fb/c'), 'Rest', {
    name: 'a%2Fb/c',
  }),
  becomes('%2F stays in ** that took one segment', many, sent('GET /rest/a%2Fb'), 'Rest', { name: 'a%2Fb' }),
  becomes('%2F stays in a variable of literals and *', 'reference 2.4: grpc-gateway decodes it in {v=d/*/c/*}', sent('GET /two/a%2Fb/c'), 'Two', {
    name: 'two/a%2Fb/c',
  }),
  becomes('everything else beside %2F is decoded in **', many, sent('GET /rest/a%2Fb%20c%3Ad/%C3%A9'), 'Rest', { name: 'a%2Fb c:d/é' }),
  becomes('%2F in * of a variable that ends in **', many, sent('GET /ends/a%2Fb/c/d'), 'Ends', { name: 'a%2Fb/c/d' }),
  becomes('%252F is %2F in one segment', twice, sent('GET /one/a%252Fb'), 'One', { name: 'a%2Fb' }),
  becomes('%252F is %2F in several', twice, sent('GET /rest/a%252Fb/c'), 'Rest', { name: 'a%2Fb/c' }),
  becomes('%252f keeps its case', twice, sent('GET /one/a%252fb'), 'One', { name: 'a%2fb' }),
  becomes('%25252F is %252F', twice, sent('GET /one/%25252F'), 'One', { name: '%252F' }),
  becomes('%25 alone is a percent sign', 'reference 2.4: %25 alone; grpc-gateway 400, Vanguard 404', sent('GET /one/%25'), 'One', { name: '%' }),
  becomes('%2541 is %41, not A', twice, sent('GET /one/%2541'), 'One', { name: '%41' }),
  becomes('%253A is %3A, not a colon', twice, sent('GET /one/a%253Ab'), 'One', { name: 'a%3Ab' }),
  becomes('%252e%252e is no parent segment', twice, sent('GET /one/%252e%252e'), 'One', { name: '%2e%2e' }),
  becomes('+ is a plus in one segment', plus, sent('GET /one/a+b'), 'One', { name: 'a+b' }),
  becomes('+ is a plus in several', plus, sent('GET /rest/a+b/c+d'), 'Rest', { name: 'a+b/c+d' }),
  becomes('%20 is a blank', one, sent('GET /one/a%20b'), 'One', { name: 'a b' }),
  refused('one digit is no escape', malformed, sent('GET /one/a%2'), ambiguous),
  refused('a percent sign at the end', malformed, sent('GET /one/a%'), ambiguous),
  refused('digits that are not hexadecimal', malformed, sent('GET /one/a%zz'), ambiguous),
  refused('half an escape before a letter', malformed, sent('GET /one/a%2gb'), ambiguous),
  refused('a percent sign before an escape', malformed, sent('GET /one/%%41'), ambiguous),
  refused('%u escapes are none', malformed, sent('GET /one/%u00e9'), ambiguous),
  refused('a broken escape in **', malformed, sent('GET /rest/a/%4/b'), ambiguous),
  refused('a broken escape in a literal', malformed, sent('GET /on%6/a'), ambiguous),
  becomes('two bytes of UTF-8', one, sent('GET /one/%C3%A9'), 'One', { name: 'é' }),
  becomes('three bytes of UTF-8', one, sent('GET /one/%E6%97%A5%E6%9C%AC'), 'One', { name: '日本' }),
  becomes('four bytes of UTF-8', one, sent('GET /one/%F0%9F%98%80'), 'One', { name: '😀' }),
  becomes('UTF-8 in several segments', many, sent('GET /rest/%C3%A9/%F0%9F%98%80'), 'Rest', { name: 'é/😀' }),
  becomes('escapes of mixed case', 'RFC 3986 section 2.1', sent('GET /one/%c3%A9%C3%a9%f0%9F%98%80'), 'One', { name: 'éé😀' }),
  becomes('the last code point', one, sent('GET /one/%F4%8F%BF%BF'), 'One', { name: '\u{10FFFF}' }),
  becomes('decomposed characters are not composed', 'RFC 3986 section 2.5: no normalisation', sent('GET /one/e%CC%81'), 'One', { name: 'e\u0301' }),
  becomes('a byte order mark is data', one, sent('GET /one/%EF%BB%BFa'), 'One', { name: '\uFEFFa' }),
  refused('a byte that is not UTF-8', utf8, sent('GET /one/%FF'), ambiguous),
  refused('a character that is cut off', utf8, sent('GET /one/%C3'), ambiguous),
  refused('a character that is cut off by another', utf8, sent('GET /one/%C3a'), ambiguous),
  refused('a continuation alone', utf8, sent('GET /one/%A9'), ambiguous),
  refused('ISO 8859-1', utf8, sent('GET /one/caf%E9'), ambiguous),
  refused('broken UTF-8 in **', utf8, sent('GET /rest/a/%FF/b'), ambiguous),
  refused('broken UTF-8 across segments', utf8, sent('GET /rest/%C3/%A9'), ambiguous),
  refused('broken UTF-8 into bytes too', `${utf8}; design: the path is refused before it is matched`, sent('GET /bytes/%FF'), ambiguous),
  refused('an overlong slash', 'RFC 3629 section 3: overlong forms are invalid', sent('GET /one/a%C0%AFb'), ambiguous),
  refused('an overlong slash in three bytes', 'RFC 3629 section 3', sent('GET /one/a%E0%80%AFb'), ambiguous),
  refused('an overlong NUL', 'RFC 3629 section 3', sent('GET /one/%C0%80'), ambiguous),
  refused('a surrogate', 'RFC 3629 section 3: no surrogates', sent('GET /one/%ED%A0%80'), ambiguous),
  refused('a surrogate pair (CESU-8)', 'RFC 3629 section 3: no surrogates', sent('GET /one/%ED%A0%BD%ED%B8%80'), ambiguous),
  refused('beyond the last code point', 'RFC 3629 section 3', sent('GET /one/%F4%90%80%80'), ambiguous),
  refused('NUL', control, sent('GET /one/a%00b'), ambiguous),
  refused('a line feed', control, sent('GET /one/a%0Ab'), ambiguous),
  refused('a carriage return and a line feed', control, sent('GET /one/a%0D%0Ab'), ambiguous),
  refused('DEL', control, sent('GET /one/a%7Fb'), ambiguous),
  refused('a backslash', control, sent('GET /one/a%5Cb'), ambiguous),
  becomes('a semicolon cuts nothing off', 'RFC 3986 section 3.3: parameters of a segment are its data', sent('GET /one/a;v=1'), 'One', { name: 'a;v=1' }),
  becomes('%3F starts no query', one, sent('GET /one/a%3Fname=b'), 'One', { name: 'a?name=b' }),
  becomes('in the query + is a blank', 'reference 2.5: + is a space; Envoy keeps it', sent('GET /query?name=a+b'), 'Query', { name: 'a b' }),
  becomes('in the query %2B is a plus', 'reference 2.5: form encoding', sent('GET /query?name=a%2Bb'), 'Query', { name: 'a+b' }),
  becomes('in the query %2F is a slash', 'reference 2.5: form encoding', sent('GET /query?name=a%2Fb/c'), 'Query', { name: 'a/b/c' }),
  becomes('in the query %252F is %2F', twice, sent('GET /query?name=a%252Fb'), 'Query', { name: 'a%2Fb' }),
  becomes('in the query %26 and %3D are data', 'reference 2.5: form encoding', sent('GET /query?name=a%26name%3Db'), 'Query', { name: 'a&name=b' }),
  becomes('in the query %00 is NUL', 'RFC 3629: U+0000 is a character, and a proto string may hold it', sent('GET /query?name=a%00b'), 'Query', {
    name: 'a\u0000b',
  }),
  becomes('in the query a line feed is data', 'reference 2.5: form encoding', sent('GET /query?name=a%0D%0Ab'), 'Query', { name: 'a\r\nb' }),
  becomes('in the query characters beyond ASCII', 'reference 2.5: form encoding', sent('GET /query?name=%c3%A9%F0%9F%98%80'), 'Query', { name: 'é😀' }),
  becomes('in the query a question mark is data', 'RFC 3986 section 3.4', sent('GET /query?name=a?b'), 'Query', { name: 'a?b' }),
  refused('in the query a broken escape', malformed, sent('GET /query?name=a%2'), queryUtf8),
  refused('in the query a percent sign', malformed, sent('GET /query?name=100%'), queryUtf8),
  refused('in the query a byte that is not UTF-8', utf8, sent('GET /query?name=%FF'), queryUtf8),
  refused('in the query an overlong form', 'RFC 3629 section 3', sent('GET /query?name=%C0%AF'), queryUtf8),
  refused('in the query a surrogate', 'RFC 3629 section 3', sent('GET /query?name=%ED%A0%80'), queryUtf8),
  refused('in the query a broken name', malformed, sent('GET /query?na%6=a'), queryUtf8),
])
