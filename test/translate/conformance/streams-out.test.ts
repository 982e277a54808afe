import { expect } from 'vitest'
import { envelope } from '../../support/raw.ts'
import { type Case, conform } from './house.ts'
import { block } from './proto-bytes.ts'
import { plainProtos } from './protos.ts'
import type { Reply } from './recorder.ts'

const protos = {
  ...plainProtos,
  'raw/v1/raw.proto': `
syntax = "proto3";
package raw.v1;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service Raw {
  rpc Download(Ask) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/v1/download" }; }
  rpc Pages(Ask) returns (stream Page) { option (google.api.http) = { get: "/v1/pages" response_body: "file" }; }
}
message Ask {}
message Page { google.api.HttpBody file = 1; }
`,
}

const path = '/v1/notes:watch'
const two: Reply = { messages: [{ text: 'a' }, { text: 'b', count: '2' }] }
const gone: Reply = { ...two, status: { code: 5, details: 'gone' } }
const types = { ndjson: 'application/x-ndjson', jsonl: 'application/jsonl', sse: 'text/event-stream', array: 'application/json' } as const
type Form = keyof typeof types
const bodies: Readonly<Record<Form, string>> = {
  ndjson: '{"text":"a"}\n{"text":"b","count":"2"}\n',
  jsonl: '{"text":"a"}\n{"text":"b","count":"2"}\n',
  sse: 'data: {"text":"a"}\n\ndata: {"text":"b","count":"2"}\n\nevent: end\ndata: {}\n\n',
  array: '[{"text":"a"},{"text":"b","count":"2"}]',
}

/** A stream of two, negotiated. */
function negotiated(accept: string | undefined, form: Form | undefined, source = 'RFC 9110 section 12.5.1; reference 2.8: negotiate on Accept'): Case {
  const name = `Accept ${accept === undefined ? 'absent' : `"${accept}"`} gets ${form === undefined ? '406' : types[form]}`
  const send = { path, ...(accept === undefined ? {} : { headers: { accept } }) }
  if (form === undefined)
    return { name, source, send, reply: two, answer: { status: 406, headers: { 'content-type': 'application/problem+json' }, also: notAcceptable } }
  return {
    name,
    source,
    send,
    reply: two,
    reaches: { rpc: 'Watch', message: {} },
    answer: { status: 200, headers: { 'content-type': types[form], 'content-length': undefined }, text: bodies[form] },
  }
}

const notAcceptable = ({ body }: { readonly body: Buffer }) => expect(JSON.parse(body.toString())).toMatchObject({ code: 'not_acceptable', status: 406 })

conform('server streams: what is negotiated', { protos }, [
  negotiated(undefined, 'ndjson', 'docs/translation.md, Streams; reference 2.8'),
  negotiated('', 'ndjson', 'RFC 9110 section 12.5.1: an empty Accept'),
  negotiated('*/*', 'ndjson'),
  negotiated('application/*', 'ndjson'),
  negotiated('text/*', 'sse'),
  negotiated('application/x-ndjson', 'ndjson'),
  negotiated('application/jsonl', 'jsonl', 'reference 2.8: also application/jsonl'),
  negotiated('text/event-stream', 'sse'),
  negotiated('application/json', 'array'),
  negotiated('Application/JSON', 'array', 'RFC 9110 section 8.3.1: types are case-insensitive'),
  negotiated('application/json;charset=utf-8', 'array'),
  negotiated('application/json, text/event-stream', 'sse', 'docs/translation.md: then the order of the table'),
  negotiated('application/json, */*', 'array', 'docs/translation.md: a type that is named over one that a wildcard covers'),
  negotiated('application/json;q=0.5, text/event-stream;q=0.4', 'array'),
  negotiated('application/json;q=0.5, text/event-stream;q=0.6', 'sse'),
  negotiated('application/json;q=0.5, */*;q=0.8', 'ndjson'),
  negotiated('application/json;q=0.5,*/*;q=0.5', 'array'),
  negotiated('*/*, application/x-ndjson;q=0', 'jsonl', 'RFC 9110 section 12.4.2: q=0 is not acceptable'),
  negotiated('*/*, application/x-ndjson;q=0, application/jsonl;q=0', 'sse', 'RFC 9110 section 12.4.2'),
  negotiated('text/html, application/xhtml+xml, */*;q=0.8', 'ndjson', 'RFC 9110 section 12.5.1: a browser’s'),
  negotiated('application/json;q=1.000', 'array', 'RFC 9110 section 12.4.2: weight'),
  negotiated('application/json;q=0.001', 'array', 'RFC 9110 section 12.4.2: weight'),
  negotiated('application/json;q=0', undefined, 'RFC 9110 section 12.4.2: q=0'),
  negotiated('application/json;q=2', undefined, 'RFC 9110 section 12.4.2: no weight at all'),
  negotiated('text/html', undefined),
  negotiated('application/xml, image/*', undefined),
  negotiated('application/problem+json', undefined),
  negotiated('nonsense', undefined),
])

/** How a stream ends in each form. */
function ends(name: string, source: string, form: Form, reply: Reply, text: string, more: Partial<Case['answer']> = {}): Case {
  return {
    name: `${types[form]}: ${name}`,
    source,
    send: { path, headers: { accept: types[form] } },
    reply,
    reaches: { rpc: 'Watch' },
    answer: { status: 200, headers: { 'content-type': types[form] }, text, ...more },
  }
}

const none: Reply = { messages: [] }
const early: Reply = { messages: [], status: { code: 5, details: 'gone' } }
const mid = 'reference 2.8, error mid-stream; reference 3 rows 7 and 8'
const shown = '{"code":5,"message":"gone","details":[]}'
const hidden: Reply = { ...two, status: { code: 13, details: 'at db-7' }, details: [{ '@type': 'type.googleapis.com/google.rpc.Help' }] }
const detailed: Reply = { ...gone, details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'A' }] }

conform('server streams: how they end', { protos }, [
  ends('no messages are an empty body', 'reference 2.8, empty stream', 'ndjson', none, ''),
  ends('no messages are the end event alone', 'reference 2.8, empty stream', 'sse', none, 'event: end\ndata: {}\n\n'),
  ends('no messages are []', 'reference 2.8, empty stream', 'array', none, '[]'),
  ends('one message', 'reference 2.8', 'array', { messages: [{}] }, '[{}]'),
  ends('messages that are empty are {}', 'reference 2.8', 'ndjson', { messages: [{}, {}] }, '{}\n{}\n'),
  ends(
    'line breaks in text do not break lines',
    'ndjson; RFC 8259 section 7',
    'ndjson',
    { messages: [{ text: 'a\nb\r\u2028' }] },
    '{"text":"a\\nb\\r\u2028"}\n',
  ),
  ends(
    'line breaks in text do not end an event',
    'WHATWG HTML section 9.2',
    'sse',
    { messages: [{ text: 'a\n\nevent: end\n' }] },
    'data: {"text":"a\\n\\nevent: end\\n"}\n\nevent: end\ndata: {}\n\n',
  ),
  ends(
    'a member named error is a message all the same, unwrapped',
    'reference 3 row 7: GW’s result wrapper',
    'ndjson',
    { messages: [{ text: 'error' }] },
    '{"text":"error"}\n',
  ),
  ends('events are not held back by proxies, nor kept', 'reference 2.8: X-Accel-Buffering', 'sse', two, bodies.sse, {
    headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no', 'cache-control': 'no-store' },
  }),
  ends('an error after messages is a last line', mid, 'ndjson', gone, `${bodies.ndjson}{"error":${shown}}\n`),
  ends('an error after messages is a last line', mid, 'jsonl', gone, `${bodies.jsonl}{"error":${shown}}\n`),
  ends('an error after messages is an event', mid, 'sse', gone, `${bodies.sse.replace('event: end\ndata: {}\n\n', '')}event: error\ndata: ${shown}\n\n`),
  ends('an error after messages cuts the array, which never looks whole', mid, 'array', gone, '[{"text":"a"},{"text":"b","count":"2"}', { cut: true }),
  ends(
    'details are in the last line',
    'reference 2.11',
    'ndjson',
    detailed,
    `${bodies.ndjson}{"error":{"code":5,"message":"gone","details":[{"reason":"A","@type":"type.googleapis.com/google.rpc.ErrorInfo"}]}}\n`,
    {
      text: /\n\{"error":\{"code":5,"message":"gone","details":\[\{.*ErrorInfo.*\}\]\}\}\n$/,
    },
  ),
  ends(
    'INTERNAL is kept to itself in mid-stream, too',
    'design, Response',
    'ndjson',
    hidden,
    `${bodies.ndjson}{"error":{"code":13,"message":"internal error","details":[]}}\n`,
  ),
  ...(['ndjson', 'sse', 'array'] as const).map(
    (form): Case => ({
      name: `${types[form]}: an error before the first message has its own status and body`,
      source: 'reference 2.8, error before the first message; reference 3 row 8: envoy #5011, #8158',
      send: { path, headers: { accept: types[form] } },
      reply: early,
      reaches: { rpc: 'Watch' },
      answer: { status: 404, headers: { 'content-type': 'application/json', 'content-length': `${shown.length}` }, text: shown },
    }),
  ),
  {
    name: 'an early error is a problem document where Accept names it beside the stream',
    source: 'RFC 9457; reference 2.11',
    send: { path, headers: { accept: 'application/x-ndjson, application/problem+json' } },
    reply: early,
    reaches: { rpc: 'Watch' },
    answer: { status: 404, headers: { 'content-type': 'application/problem+json' }, text: /"urn:sallyport:problem:rpc_not_found"/ },
  },
  {
    name: 'a unary answer is JSON whatever stream Accept names',
    source: 'docs/translation.md: Accept chooses how a stream is written',
    send: { path: '/v1/notes/a', headers: { accept: 'text/event-stream' } },
    reaches: { rpc: 'Get' },
    answer: { status: 200, headers: { 'content-type': 'application/json' }, text: '{}' },
  },
])

const a = envelope(block(1, 'a'))
const brokenRow = 'design, Response: an error in mid-stream; gRPC over HTTP/2, Errors'
conform('server streams: upstreams that break', { protos, service: 'wire' }, [
  ends(
    'a reset is a last line',
    'gRPC over HTTP/2, Errors: INTERNAL_ERROR is INTERNAL; design, Response',
    'ndjson',
    { wire: { pieces: [a], reset: true } },
    '',
    { text: /^\{"text":"a"\}\n\{"error":\{"code":13,"message":"internal error","details":\[\]\}\}\n$/ },
  ),
  ends('a reset is an event', 'gRPC over HTTP/2, Errors: INTERNAL_ERROR is INTERNAL; design, Response', 'sse', { wire: { pieces: [a], reset: true } }, '', {
    text: /^data: \{"text":"a"\}\n\nevent: error\ndata: \{"code":13,"message":"internal error","details":\[\]\}\n\n$/,
  }),
  ends('a reset cuts the array', brokenRow, 'array', { wire: { pieces: [a], reset: true } }, '[{"text":"a"}', { cut: true }),
  ends('an end without status is no end', brokenRow, 'ndjson', { wire: { pieces: [a] } }, '', {
    text: /^\{"text":"a"\}\n\{"error":\{"code":\d+,"message":"[^"]+","details":\[\]\}\}\n$/,
  }),
  ends('an end without status cuts the array', brokenRow, 'array', { wire: { pieces: [a] } }, '[{"text":"a"}', { cut: true }),
  ends(
    'a message that cannot be read is an error in its place',
    brokenRow,
    'ndjson',
    { wire: { pieces: [a, envelope(Buffer.from([0x0a, 0xff]))], trailers: { 'grpc-status': '0' } } },
    '',
    { text: /^\{"text":"a"\}\n\{"error":\{"code":14,"message":"[^"]+","details":\[\]\}\}\n$/ },
  ),
  ends(
    'a message over the limit is RESOURCE_EXHAUSTED in its place',
    'design, Limits; reference 3 row 17',
    'ndjson',
    { wire: { pieces: [a, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff])], hangs: true } },
    '',
    { text: /^\{"text":"a"\}\n\{"error":\{"code":8,"message":"[^"]+","details":\[\]\}\}\n$/ },
  ),
  {
    name: 'a reset before the first message has a status of its own',
    source: 'reference 2.8, error before the first message',
    send: { path },
    reply: { wire: { reset: true } },
    reaches: { rpc: 'Watch' },
    answer: { status: 502, headers: { 'content-type': 'application/problem+json' } },
  },
])

const file = (type: string, data: string) => Buffer.concat([block(1, type), block(2, data)])
const raw = 'google/api/httpbody.proto; reference 2.6: raw, the first chunk decides the type'
function download(name: string, reply: Reply, answer: Case['answer'], at = '/v1/download', headers: Record<string, string> = {}): Case {
  return { name, source: raw, send: { path: at, headers }, reply, reaches: { rpc: at === '/v1/download' ? 'Download' : 'Pages' }, answer }
}
conform('server streams of HttpBody', { protos }, [
  download(
    'are the bytes one after another, nothing between',
    { messages: [file('image/png', 'ab'), file('', 'cd'), file('text/plain', 'e\n')] },
    { status: 200, headers: { 'content-type': 'image/png' }, text: 'abcde\n' },
  ),
  download('ignore Accept', { messages: [file('image/png', 'ab')] }, { status: 200, headers: { 'content-type': 'image/png' }, text: 'ab' }, '/v1/download', {
    accept: 'text/html',
  }),
  download(
    'without a type are application/octet-stream',
    { messages: [file('', 'ab'), file('image/png', 'c')] },
    { status: 200, headers: { 'content-type': 'application/octet-stream' }, text: 'abc' },
  ),
  download('without messages are an empty body', { messages: [] }, { status: 200, headers: { 'content-type': 'application/octet-stream' }, text: '' }),
  download(
    'have the status of an early error',
    { messages: [], status: { code: 5, details: 'gone' } },
    { status: 404, headers: { 'content-type': 'application/json' }, text: shown },
  ),
  download(
    'break off for a late one',
    { messages: [file('a/b', 'ab')], status: { code: 5, details: 'gone' } },
    { status: 200, headers: { 'content-type': 'a/b' }, text: 'ab', cut: true },
  ),
  download(
    'through response_body are raw as well',
    { messages: [block(1, file('image/gif', 'ab')), block(1, file('', 'c'))] },
    { status: 200, headers: { 'content-type': 'image/gif' }, text: 'abc' },
    '/v1/pages',
  ),
])
