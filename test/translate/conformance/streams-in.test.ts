import type { JsonValue } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import { type Case, conform } from './house.ts'

const protos = {
  'in/v1/in.proto': `
syntax = "proto3";
package in.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";

service In {
  rpc Send(stream Note) returns (Note) {
    option (google.api.http) = {
      post: "/v1/send" body: "*"
      additional_bindings { post: "/v1/send/{text}" body: "*" }
      additional_bindings { post: "/v1/inner/{text}" body: "inner" }
      additional_bindings { post: "/v1/shelf/{inner.text}" body: "*" }
      additional_bindings { get: "/v1/send/{text}" }
    };
  }
  rpc Chat(stream Note) returns (stream Note) { option (google.api.http) = { post: "/v1/chat" body: "*" }; }
  rpc Upload(stream google.api.HttpBody) returns (Note) { option (google.api.http) = { post: "/v1/upload" body: "*" }; }
}

message Note { string text = 1; int64 count = 2; Note inner = 3; repeated string tags = 4; }
`,
}

const lines = 'reference 2.8, client stream: NDJSON, parsed incrementally'
const array = 'reference 2.8, client stream: array, parsed incrementally'
const ndjson = { 'content-type': 'application/x-ndjson' }
const json = { 'content-type': 'application/json' }

/** A stream that is taken whole. */
function taken(name: string, source: string, body: string, messages: readonly JsonValue[], headers: Record<string, string> = ndjson, path = '/v1/send'): Case {
  return {
    name,
    source,
    send: { path, headers, body },
    reply: { messages: [{ text: 'ok' }] },
    reaches: { rpc: 'Send', messages },
    answer: { status: 200, headers: { 'content-type': 'application/json' }, json: { text: 'ok' } },
  }
}

/** A stream that is refused once it is read, with words that must be in the detail. */
function refused(
  name: string,
  source: string,
  body: string,
  detail: string,
  headers: Record<string, string> = ndjson,
  path = '/v1/send',
  code = 'body_invalid',
): Case {
  const also = ({ body: bytes }: { readonly body: Buffer }) =>
    expect(JSON.parse(bytes.toString())).toMatchObject({ code, detail: expect.stringContaining(detail) as unknown })
  return {
    name,
    source,
    send: { path, headers, body },
    reaches: { rpc: 'Send', maybe: true },
    answer: { status: 400, headers: { 'content-type': 'application/problem+json' }, also },
  }
}

const ab = [{ text: 'a' }, { text: 'b' }]
conform('client streams of lines', { protos }, [
  taken('a message per line', lines, '{"text":"a"}\n{"text":"b"}\n', ab),
  taken('the last line needs no end', lines, '{"text":"a"}\n{"text":"b"}', ab),
  taken('lines may end with CR LF', 'ndjson: \\r is white space of JSON', '{"text":"a"}\r\n{"text":"b"}\r\n', ab),
  taken('blank lines do not count', 'docs/translation.md, Streams; ndjson', '\n{"text":"a"}\n\n \t\n{"text":"b"}\n\n', ab),
  taken('application/jsonl is the same', 'reference 2.8: also application/jsonl', '{"text":"a"}\n', [{ text: 'a' }], { 'content-type': 'application/jsonl' }),
  taken('a charset of UTF-8 is fine', 'RFC 8259 section 8.1', '{"text":"ä"}\n', [{ text: 'ä' }], { 'content-type': 'application/x-ndjson; charset=utf-8' }),
  taken('no body is a stream without messages', 'docs/translation.md, Streams', '', []),
  taken('no body and no type is a stream without messages', 'docs/translation.md, Streams', '', [], {}),
  taken('blank lines alone are a stream without messages', 'docs/translation.md, Streams', '\n\n', []),
  taken('an empty object is a message', lines, '{}\n{}\n', [{}, {}]),
  taken('names and types of ProtoJSON hold', 'ProtoJSON', '{"count":"9007199254740993"}\n{"count":5,"tags":["x"]}', [
    { count: '9007199254740993' },
    { count: '5', tags: ['x'] },
  ]),
  refused('a broken line is named by its number', 'docs/translation.md, Streams', '{"text":"a"}\n{"text":\n', 'message 2'),
  refused(
    'a member that nobody knows is named with its message',
    'reference 3 row 12; docs/translation.md',
    '{"text":"a"}\n{"text":"b"}\n{"nope":1}\n',
    'message 3',
  ),
  refused('two messages in a line are none', 'ndjson; reference 1, finding 5: trailing data', '{"text":"a"} {"text":"b"}\n', 'message 1'),
  refused('a line of null is no message', 'ProtoJSON: null is no message', 'null\n', 'message 1'),
  refused('a line of a number is no message', 'ProtoJSON', '{}\n5\n', 'message 2'),
  refused('a member twice is refused', 'reference 2.7: duplicate members', '{"text":"a","text":"b"}\n', 'message 1'),
  refused('a trailing comma is refused', 'reference 1, finding 5', '{"text":"a",}\n', 'message 1'),
  refused('a number out of range is named with its field', 'reference 2.5', '{"count":"9223372036854775808"}\n', 'count'),
  refused('an array in place of lines is refused', lines, '[{"text":"a"}]\n', 'message 1'),
])

conform('client streams of an array', { protos }, [
  taken('an item per message', array, '[{"text":"a"},{"text":"b"}]', ab, json),
  taken('blanks between items do not matter', 'RFC 8259 section 2', ' [ \n{"text":"a"}\t,\r\n{"text":"b"} ] ', ab, json),
  taken('[] is a stream without messages', array, '[]', [], json),
  taken('no bytes are a stream without messages', 'docs/translation.md, Streams', '', [], json),
  taken('brackets and commas in text are text', array, '[{"text":"],[{\\"}"},{"tags":["a","]"]}]', [{ text: '],[{"}' }, { tags: ['a', ']'] }], json),
  taken('a type with +json is an array as well', 'RFC 6839 section 3.1', '[{"text":"a"}]', [{ text: 'a' }], { 'content-type': 'application/vnd.a+json' }),
  refused('an object in place of an array is refused', array, '{"text":"a"}', '', json),
  refused('an array that does not end is refused', 'RFC 8259 section 5', '[{"text":"a"}', '', json),
  refused('a trailing comma is refused', 'reference 1, finding 5', '[{"text":"a"},]', '', json),
  refused('a comma at the beginning is refused', 'RFC 8259 section 5', '[,{"text":"a"}]', '', json),
  refused('a missing comma is refused', 'RFC 8259 section 5', '[{"text":"a"} {"text":"b"}]', '', json),
  refused('something after the array is refused', 'reference 1, finding 5: GW ignores it', '[{"text":"a"}] x', '', json),
  refused('a second array is refused', 'reference 1, finding 5', '[{"text":"a"}][]', '', json),
  refused('an item that is null is refused with its number', 'reference 2.7: null in lists', '[{},null]', 'message 2', json),
  refused('a broken item is named by its number', 'docs/translation.md, Streams', '[{},{"count":"x"}]', 'message 2', json),
])

conform('client streams with path and query', { protos }, [
  taken(
    'the path goes into the first message',
    'reference 2.8: path bindings into the first message only',
    '{"count":1}\n{"count":2}\n',
    [{ text: 'x', count: '1' }, { count: '2' }],
    ndjson,
    '/v1/send/x',
  ),
  taken(
    'later messages may repeat what the path says',
    'docs/translation.md, Streams',
    '{}\n{"text":"x"}\n',
    [{ text: 'x' }, { text: 'x' }],
    ndjson,
    '/v1/send/x',
  ),
  taken(
    'a nested variable goes into the first message',
    'reference 2.8',
    '{"count":1}\n{}\n',
    [{ count: '1', inner: { text: 'x' } }, {}],
    ndjson,
    '/v1/shelf/x',
  ),
  taken(
    'a body of one field takes each message there, the query goes into the first',
    'http.proto, body; reference 2.8',
    '{"text":"a"}\n{"text":"b"}\n',
    [{ text: 'x', count: '5', inner: { text: 'a' } }, { inner: { text: 'b' } }],
    ndjson,
    '/v1/inner/x?count=5',
  ),
  taken('a variable is decoded once', 'reference 2.4', '{}\n', [{ text: 'a/b%2F' }], ndjson, '/v1/send/a%2Fb%252F'),
  refused('a first message that contradicts the path is refused', 'reference 1, finding 2', '{"text":"y"}\n', 'text', ndjson, '/v1/send/x', 'request_invalid'),
  refused(
    'a later message that contradicts the path is refused with its number',
    'docs/translation.md, Streams',
    '{}\n{"text":"y"}\n',
    'message 2',
    ndjson,
    '/v1/send/x',
    'request_invalid',
  ),
  {
    name: 'a query that names a path variable reaches nothing',
    source: 'reference 1, finding 2; reference 3 row 1',
    send: { path: '/v1/inner/x?text=y', headers: ndjson, body: '{}\n' },
    answer: { status: 400 },
  },
  {
    name: 'with body * nothing binds from the query',
    source: 'http.proto, body: "*"; reference 2.5',
    send: { path: '/v1/send?count=5', headers: ndjson, body: '{}\n' },
    answer: { status: 400 },
  },
  {
    name: 'a rule without body sends one message',
    source: 'docs/translation.md, Streams',
    send: { path: '/v1/send/x?count=5' },
    reaches: { rpc: 'Send', messages: [{ text: 'x', count: '5' }] },
    answer: { status: 200, json: {} },
  },
  {
    name: 'a type that is no JSON is 415, with what is taken',
    source: 'RFC 9110 section 15.5.16; reference 2.6: content type',
    send: { path: '/v1/send', headers: { 'content-type': 'text/plain' }, body: '{}' },
    answer: { status: 415, headers: { accept: 'application/x-ndjson, application/jsonl, application/json' } },
  },
  {
    name: 'another charset than UTF-8 is 415',
    source: 'RFC 8259 section 8.1; reference 2.6',
    send: { path: '/v1/send', headers: { 'content-type': 'application/x-ndjson; charset=iso-8859-1' }, body: '{}' },
    answer: { status: 415 },
  },
  {
    name: 'an error of the service has its status',
    source: 'reference 2.11',
    send: { path: '/v1/send', headers: ndjson, body: '{}\n' },
    reply: { status: { code: 5, details: 'gone' } },
    reaches: { rpc: 'Send', messages: [{}] },
    answer: { status: 404, json: { code: 5, message: 'gone', details: [] } },
  },
  {
    name: 'HttpBody takes the bytes as they are, under their type',
    source: 'google/api/httpbody.proto; reference 2.6, HttpBody in',
    send: { path: '/v1/upload', headers: { 'content-type': 'image/png' }, body: Buffer.from([0, 255, 10]) },
    reaches: { rpc: 'Upload', messages: [{ contentType: 'image/png', data: 'AP8K' }] },
    answer: { status: 200, json: {} },
  },
  {
    name: 'HttpBody without bytes is a stream without messages',
    source: 'docs/translation.md, Streams',
    send: { path: '/v1/upload', headers: { 'content-type': 'image/png' }, body: Buffer.alloc(0) },
    reaches: { rpc: 'Upload', messages: [] },
    answer: { status: 200, json: {} },
  },
  {
    name: 'a stream both ways is answered in the form that Accept names',
    source: 'reference 2.8, bidi; docs/translation.md, Streams',
    send: { path: '/v1/chat', headers: { ...ndjson, accept: 'application/json' }, body: '{"text":"a"}\n{"text":"b"}\n' },
    reply: { messages: [{ text: 'c' }, { text: 'd' }] },
    reaches: { rpc: 'Chat', messages: ab },
    answer: { status: 200, headers: { 'content-type': 'application/json' }, text: '[{"text":"c"},{"text":"d"}]' },
  },
])
