import type { JsonValue } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import { envelope } from '../../support/raw.ts'
import { type Case, conform } from './house.ts'
import { block, int } from './proto-bytes.ts'
import { plainProtos as protos } from './protos.ts'
import type { Reply } from './recorder.ts'
import type { WireReply } from './wire-service.ts'

const codes: readonly (readonly [name: string, code: number, http: number, shown: string])[] = [
  ['CANCELLED', 1, 499, 'said so'],
  ['UNKNOWN', 2, 500, 'unknown error'],
  ['INVALID_ARGUMENT', 3, 400, 'said so'],
  ['DEADLINE_EXCEEDED', 4, 504, 'said so'],
  ['NOT_FOUND', 5, 404, 'said so'],
  ['ALREADY_EXISTS', 6, 409, 'said so'],
  ['PERMISSION_DENIED', 7, 403, 'said so'],
  ['RESOURCE_EXHAUSTED', 8, 429, 'said so'],
  ['FAILED_PRECONDITION', 9, 400, 'said so'],
  ['ABORTED', 10, 409, 'said so'],
  ['OUT_OF_RANGE', 11, 400, 'said so'],
  ['UNIMPLEMENTED', 12, 501, 'said so'],
  ['INTERNAL', 13, 500, 'internal error'],
  ['UNAVAILABLE', 14, 503, 'said so'],
  ['DATA_LOSS', 15, 500, 'said so'],
  ['UNAUTHENTICATED', 16, 401, 'said so'],
]

const get = { path: '/v1/notes/a' }
const reaches = { rpc: 'Get', message: { text: 'a' } }
const statusType = { 'content-type': 'application/json', 'cache-control': 'no-store' }
const problemType = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }

/** An error of the service, and the body of the answer. */
function fails(name: string, source: string, reply: Reply, status: number, json: JsonValue, headers: Case['answer']['headers'] = {}): Case {
  return { name, source, send: get, reply, reaches, answer: { status, headers: { ...statusType, ...headers }, json } }
}

/** A detail of NOT_FOUND, and how it is shown. */
function detail(name: string, source: string, given: JsonValue, shown: JsonValue = given): Case {
  const reply = { status: { code: 5, details: 'gone' }, details: [given] }
  return fails(name, source, reply, 404, { code: 5, message: 'gone', details: [shown] })
}

const of = (type: string) => `type.googleapis.com/google.rpc.${type}`
const errorDetails = 'google/rpc/error_details.proto; reference 2.11: details against built-in error_details'

conform('errors of the service', { protos }, [
  ...codes.map(([name, code, status, message]) =>
    fails(
      `${name} is HTTP ${status}`,
      `google/rpc/code.proto, ${name}${code === 1 ? '; reference 2.11: ASP.NET 408' : code === 12 ? '; reference 2.11: Kong 500' : ''}`,
      { status: { code, details: 'said so' } },
      status,
      { code, message, details: [] },
    ),
  ),
  fails(
    'UNAUTHENTICATED brings a challenge that is one, not the message',
    'RFC 9110 section 11.6.1; reference 2.11: GW copies the status message there',
    { status: { code: 16, details: 'no "token", sorry' } },
    401,
    { code: 16, message: 'no "token", sorry', details: [] },
    { 'www-authenticate': /^Bearer(?: [\w-]+="[^"]*"(?:, [\w-]+="[^"]*")*)?$/ },
  ),
  fails(
    'other errors bring no challenge',
    'RFC 9110 section 11.6.1',
    { status: { code: 7, details: 'no' } },
    403,
    { code: 7, message: 'no', details: [] },
    { 'www-authenticate': undefined },
  ),
  fails('an error without a message has an empty one', 'google/rpc/status.proto', { status: { code: 5 } }, 404, { code: 5, message: '', details: [] }),
  fails(
    'a message in all of Unicode arrives',
    'gRPC over HTTP/2, Status-Message; reference 3 row 14: envoy #15193',
    { status: { code: 5, details: 'kein Eintrag „ä“ 100 % 𝄞\n2' } },
    404,
    { code: 5, message: 'kein Eintrag „ä“ 100 % 𝄞\n2', details: [] },
  ),
  fails(
    'INTERNAL keeps message and details to itself',
    'design, Response: INTERNAL messages are not shown',
    { status: { code: 13, details: 'at db-7:5432' }, details: [{ '@type': of('ErrorInfo'), reason: 'DB' }] },
    500,
    { code: 13, message: 'internal error', details: [] },
  ),
  fails(
    'UNKNOWN keeps message and details to itself',
    'docs/translation.md; design, Response',
    { status: { code: 2, details: 'panic: nil' }, details: [{ '@type': of('ErrorInfo'), reason: 'DB' }] },
    500,
    { code: 2, message: 'unknown error', details: [] },
  ),
  {
    name: 'an error after a message of a unary call is the error',
    source: 'gRPC over HTTP/2, Responses; reference 2.11: Kong answers 200',
    send: get,
    reply: { messages: [{ text: 'half' }], status: { code: 5, details: 'gone' } },
    reaches,
    answer: { status: 404, headers: statusType, json: { code: 5, message: 'gone', details: [] } },
  },
  detail('ErrorInfo', errorDetails, { '@type': of('ErrorInfo'), reason: 'STOCKOUT', domain: 'shop.example', metadata: { zone: 'a', _x: '' } }),
  detail('BadRequest', errorDetails, {
    '@type': of('BadRequest'),
    fieldViolations: [{ field: 'a.b', description: 'too long', reason: 'LENGTH', localizedMessage: { locale: 'de', message: 'zu lang' } }],
  }),
  detail('PreconditionFailure', errorDetails, { '@type': of('PreconditionFailure'), violations: [{ type: 'TOS', subject: 's', description: 'd' }] }),
  detail('QuotaFailure', errorDetails, {
    '@type': of('QuotaFailure'),
    violations: [{ subject: 's', description: 'd', quotaMetric: 'm', quotaDimensions: { a: 'b' }, quotaValue: '9007199254740993', futureQuotaValue: '0' }],
  }),
  detail('RequestInfo', errorDetails, { '@type': of('RequestInfo'), requestId: 'r', servingData: 's' }),
  detail('ResourceInfo', errorDetails, { '@type': of('ResourceInfo'), resourceType: 't', resourceName: 'n', owner: 'o', description: 'd' }),
  detail('Help', errorDetails, { '@type': of('Help'), links: [{ description: 'd', url: 'https://a.example' }] }),
  detail('LocalizedMessage', errorDetails, { '@type': of('LocalizedMessage'), locale: 'de', message: 'weg' }),
  detail('a well-known type as detail has a value', 'ProtoJSON, google.protobuf.Any', {
    '@type': 'type.googleapis.com/google.protobuf.Duration',
    value: '1.500s',
  }),
  fails(
    'several details keep their order',
    'google/rpc/status.proto',
    { status: { code: 9, details: 'no' }, details: [{ '@type': of('Help') }, { '@type': of('ErrorInfo'), reason: 'A' }, { '@type': of('Help') }] },
    400,
    { code: 9, message: 'no', details: [{ '@type': of('Help') }, { '@type': of('ErrorInfo'), reason: 'A' }, { '@type': of('Help') }] },
  ),
  fails(
    'DebugInfo is for the service’s own people, the rest is shown',
    'docs/translation.md, "Errors of the service"',
    { status: { code: 5, details: 'no' }, details: [{ '@type': of('DebugInfo'), stackEntries: ['at a'], detail: 'secret' }, { '@type': of('Help') }] },
    404,
    { code: 5, message: 'no', details: [{ '@type': of('Help') }] },
  ),
  fails(
    'RetryInfo becomes Retry-After',
    'google/rpc/error_details.proto, RetryInfo; RFC 9110 section 10.2.3',
    { status: { code: 14, details: 'busy' }, details: [{ '@type': of('RetryInfo'), retryDelay: '7s' }] },
    503,
    { code: 14, message: 'busy', details: [{ '@type': of('RetryInfo'), retryDelay: '7s' }] },
    { 'retry-after': '7' },
  ),
  fails(
    'a fraction of a second rounds Retry-After up',
    'RFC 9110 section 10.2.3: whole seconds',
    { status: { code: 8, details: 'busy' }, details: [{ '@type': of('RetryInfo'), retryDelay: '0.001s' }] },
    429,
    { code: 8, message: 'busy', details: [{ '@type': of('RetryInfo'), retryDelay: '0.001s' }] },
    { 'retry-after': '1' },
  ),
  fails(
    'no RetryInfo, no Retry-After',
    'reference 2.11',
    { status: { code: 14, details: 'busy' } },
    503,
    { code: 14, message: 'busy', details: [] },
    { 'retry-after': undefined },
  ),
])

/** NOT_FOUND with `accept`: a problem document, or a status. */
function accepting(accept: string, isProblem: boolean): Case {
  const problem = ({ body }: { readonly body: Buffer }) => {
    const { instance, ...rest } = JSON.parse(body.toString()) as Record<string, unknown>
    expect(instance).toMatch(/./)
    const title = 'Not found'
    expect(rest).toEqual({
      type: 'urn:sallyport:problem:rpc_not_found',
      title,
      status: 404,
      detail: 'gone',
      code: 'NOT_FOUND',
      details: [{ '@type': of('Help') }],
    })
  }
  const asked = { status: 404, headers: isProblem ? problemType : statusType }
  return {
    name: `Accept: ${accept} gets ${isProblem ? 'a problem document' : 'google.rpc.Status'}`,
    source: 'RFC 9457 section 3; RFC 9110 section 12.5.1; reference 2.11: problem+json by Accept',
    send: { ...get, headers: { accept } },
    reply: { status: { code: 5, details: 'gone' }, details: [{ '@type': of('Help') }] },
    reaches,
    answer: isProblem ? { ...asked, also: problem } : { ...asked, json: { code: 5, message: 'gone', details: [{ '@type': of('Help') }] } },
  }
}

conform('errors of the service, by Accept', { protos }, [
  accepting('application/problem+json', true),
  accepting('Application/Problem+JSON', true),
  accepting('application/problem+json, application/json;q=0.9', true),
  accepting('application/json;q=0.9, application/problem+json', true),
  accepting('application/json, application/problem+json', true),
  accepting('application/json, application/problem+json;q=0.5', false),
  accepting('application/problem+json;q=0, */*', false),
  accepting('application/problem+json;q=0.2, */*;q=0.1', true),
  accepting('application/problem+json;q=0.2, */*', false),
  accepting('application/problem+json;profile="a, b"', true),
  accepting('application/problem+jsonx', false),
  accepting('application/json', false),
  accepting('application/*', false),
  accepting('*/*', false),
  accepting('text/html', false),
])

const ended = (fields: Record<string, string | readonly string[]>): Reply => ({ wire: { trailers: fields } })
const note = envelope(block(1, 'b'))

/** An upstream answer frame by frame. */
function upstream(name: string, source: string, wire: WireReply, status: number, json: JsonValue, headers: Case['answer']['headers'] = {}): Case {
  return { name, source, send: get, reply: { wire }, reaches, answer: { status, headers: { ...statusType, ...headers }, json } }
}

/** An upstream answer that is none. */
function broken(name: string, source: string, wire: WireReply, code = 'upstream_protocol', status = 502): Case {
  const problem = ({ body }: { readonly body: Buffer }) => expect(JSON.parse(body.toString())).toMatchObject({ code, status })
  return { name, source, send: get, reply: { wire }, reaches, answer: { status, headers: problemType, also: problem } }
}

/** An HTTP answer without gRPC status. */
function foreign(http: number, code: number, status: number, message: string | RegExp, type = 'text/html'): Case {
  const body = ({ body: bytes }: { readonly body: Buffer }) => {
    const shown = JSON.parse(bytes.toString()) as { code: number; message: string; details: unknown }
    expect(shown).toEqual({ code, message: expect.stringMatching(message) as unknown, details: [] })
  }
  return {
    name: `an upstream that answers HTTP ${http} as ${type} counts as code ${code}, HTTP ${status}`,
    source: 'grpc doc/http-grpc-status-mapping.md; reference 2.11, Reverse',
    send: get,
    reply: { wire: { headers: { ':status': `${http}`, 'content-type': type }, pieces: [Buffer.from('<p>no</p>')] } },
    reaches,
    answer: { status, headers: statusType, also: body },
  }
}

const richBytes = (...fields: readonly Uint8Array[]) => Buffer.concat(fields).toString('base64').replaceAll('=', '')
const message = 'gRPC over HTTP/2, Status-Message'

conform('errors on the wire of the upstream', { protos, service: 'wire' }, [
  upstream(
    'a trailers-only answer is the error',
    'gRPC over HTTP/2, Trailers-Only; reference 2.11: Kong reads the header only',
    { headers: { 'grpc-status': '5', 'grpc-message': 'gone' } },
    404,
    { code: 5, message: 'gone', details: [] },
  ),
  upstream(
    'an error in the trailers is the error',
    'gRPC over HTTP/2, Trailers; reference 2.11: Kong answers 200',
    { trailers: { 'grpc-status': '5', 'grpc-message': 'gone' } },
    404,
    { code: 5, message: 'gone', details: [] },
  ),
  upstream(
    'a percent-encoded message is decoded',
    `${message}; reference 3 row 14: envoy #15193`,
    { trailers: { 'grpc-status': '5', 'grpc-message': 'a%20b%25c%C3%A4' } },
    404,
    { code: 5, message: 'a b%cä', details: [] },
  ),
  upstream('a message is decoded once', message, { trailers: { 'grpc-status': '5', 'grpc-message': 'a%2525' } }, 404, {
    code: 5,
    message: 'a%25',
    details: [],
  }),
  upstream('escapes of reserved characters are decoded as well', message, { trailers: { 'grpc-status': '5', 'grpc-message': 'a%2Fb%3Fc%23%26' } }, 404, {
    code: 5,
    message: 'a/b?c#&',
    details: [],
  }),
  upstream(
    'an escape of a reserved character that is text stays text',
    message,
    { trailers: { 'grpc-status': '5', 'grpc-message': 'no path: /a%252Fb' } },
    404,
    { code: 5, message: 'no path: /a%2Fb', details: [] },
  ),
  upstream(
    'a broken escape stays as it is',
    `${message}: must not throw the message away; reference 2.10`,
    { trailers: { 'grpc-status': '5', 'grpc-message': '100% sure %zz' } },
    404,
    { code: 5, message: '100% sure %zz', details: [] },
  ),
  upstream(
    'escapes that are no UTF-8 do not lose the error',
    `${message}: must not throw the message away`,
    { trailers: { 'grpc-status': '5', 'grpc-message': '%ff' } },
    404,
    { code: 5, message: '%ff', details: [] },
  ),
  upstream(
    'a number that is no code is 500 and tells nothing',
    'reference 2.11: other 500; Apx 599',
    { trailers: { 'grpc-status': '17', 'grpc-message': 'x' } },
    500,
    { code: 17, message: 'unknown error', details: [] },
  ),
  upstream('a great number that is no code is 500', 'reference 2.11: other 500', { trailers: { 'grpc-status': '2147483647', 'grpc-message': 'x' } }, 500, {
    code: 2147483647,
    message: 'unknown error',
    details: [],
  }),
  upstream('a status that is no number is UNKNOWN', 'gRPC over HTTP/2, Status', { trailers: { 'grpc-status': 'x', 'grpc-message': 'y' } }, 500, {
    code: 2,
    message: 'unknown error',
    details: [],
  }),
  upstream('a negative status is UNKNOWN', 'gRPC over HTTP/2, Status: a decimal integer', { trailers: { 'grpc-status': '-1', 'grpc-message': 'y' } }, 500, {
    code: 2,
    message: 'unknown error',
    details: [],
  }),
  upstream(
    'details of an unknown type stay as base64 and do not destroy the error',
    'design, Response; reference 1, finding 8: Van answers code 13',
    {
      trailers: {
        'grpc-status': '5',
        'grpc-message': 'gone',
        'grpc-status-details-bin': richBytes(int(1, 5), block(2, 'gone'), block(3, block(1, 'type.googleapis.com/nobody.Knows'), block(2, 'xyz'))),
      },
    },
    404,
    { code: 5, message: 'gone', details: [{ '@type': 'type.googleapis.com/nobody.Knows', value: 'eHl6' }] },
  ),
  upstream(
    'a known detail that cannot be read stays as base64',
    'design, Response',
    {
      trailers: {
        'grpc-status': '5',
        'grpc-message': 'gone',
        'grpc-status-details-bin': richBytes(block(3, block(1, of('Help')), block(3)), block(3, block(1, of('Help')), block(2, Buffer.from([0x0a, 0xff])))),
      },
    },
    404,
    { code: 5, message: 'gone', details: [{ '@type': of('Help') }, { '@type': of('Help'), value: 'Cv8=' }] },
  ),
  upstream(
    'details-bin that are no message do not destroy the error',
    'reference 1, finding 8',
    { trailers: { 'grpc-status': '5', 'grpc-message': 'gone', 'grpc-status-details-bin': 'AAAA' } },
    404,
    { code: 5, message: 'gone', details: [] },
  ),
  upstream(
    'details-bin that are no base64 do not destroy the error',
    'reference 1, finding 8',
    { trailers: { 'grpc-status': '5', 'grpc-message': 'gone', 'grpc-status-details-bin': '***' } },
    404,
    { code: 5, message: 'gone', details: [] },
  ),
  upstream(
    'details-bin may be padded',
    'gRPC over HTTP/2, Custom-Metadata',
    {
      trailers: {
        'grpc-status': '5',
        'grpc-message': 'gone',
        'grpc-status-details-bin': Buffer.concat([int(1, 5), block(3, block(1, of('Help')))]).toString('base64'),
      },
    },
    404,
    { code: 5, message: 'gone', details: [{ '@type': of('Help') }] },
  ),
  upstream(
    'where details-bin disagrees about code and message, the trailers stand',
    'reference 2.11: the headers win',
    {
      trailers: {
        'grpc-status': '5',
        'grpc-message': 'gone',
        'grpc-status-details-bin': richBytes(int(1, 7), block(2, 'denied'), block(3, block(1, of('Help')))),
      },
    },
    404,
    { code: 5, message: 'gone', details: [{ '@type': of('Help') }] },
  ),
  {
    name: 'an empty body with OK is no answer to a unary call',
    source: 'connectrpc/conformance, grpc_client_unexpected: OK with no response',
    send: get,
    reply: ended({ 'grpc-status': '0' }),
    reaches,
    answer: { status: 502, headers: problemType, also: ({ body }) => expect(JSON.parse(body.toString())).toMatchObject({ code: 'upstream_protocol' }) },
  },
  broken('a trailers-only OK is no answer to a unary call', 'connectrpc/conformance, grpc_client_unexpected', { headers: { 'grpc-status': '0' } }),
  broken('two messages are no answer to a unary call', 'connectrpc/conformance, grpc_client_unexpected: several responses to unary', {
    pieces: [note, note],
    trailers: { 'grpc-status': '0' },
  }),
  broken('a message without a status is no answer', 'connectrpc/conformance, grpc_client_unexpected: missing status; docs/faults.md, upstream_protocol', {
    pieces: [note],
  }),
  broken('a message that is cut is no answer', 'gRPC over HTTP/2, Length-Prefixed-Message', {
    pieces: [note.subarray(0, -1)],
    trailers: { 'grpc-status': '0' },
  }),
  broken('a compressed message without an encoding is no answer', 'gRPC over HTTP/2, Message-Encoding', {
    pieces: [envelope('x', 1)],
    trailers: { 'grpc-status': '0' },
  }),
  broken(
    'a stream reset with INTERNAL_ERROR is a broken upstream',
    'gRPC over HTTP/2, Errors; docs/faults.md, upstream_reset',
    { pieces: [note], reset: true },
    'upstream_reset',
  ),
  broken(
    'a message over the limit is RESOURCE_EXHAUSTED, never 429',
    'design, Limits: HTTP 502; reference 2.14; reference 3 row 17',
    { pieces: [envelope(block(1, Buffer.alloc(4 * 1024 * 1024, 97)))], trailers: { 'grpc-status': '0' } },
    'upstream_message_too_large',
  ),
  broken(
    'a message that says it is longer than the limit is not waited for',
    'reference 2.14',
    { pieces: [Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1])], hangs: true },
    'upstream_message_too_large',
  ),
  foreign(400, 13, 500, 'internal error'),
  foreign(401, 16, 401, /./),
  foreign(403, 7, 403, /./),
  foreign(404, 12, 501, /./),
  foreign(429, 14, 503, /./),
  foreign(431, 13, 500, 'internal error'),
  foreign(502, 14, 503, /./),
  foreign(503, 14, 503, /./),
  foreign(504, 14, 503, /./),
  foreign(500, 2, 500, 'unknown error'),
  foreign(418, 2, 500, 'unknown error'),
  foreign(302, 2, 500, 'unknown error'),
  foreign(404, 12, 501, /./, 'application/json'),
  foreign(503, 14, 503, /./, 'application/grpc'),
  broken(
    'an upstream that answers 200 with a page is none',
    'grpc doc/http-grpc-status-mapping.md says UNKNOWN; docs/faults.md, upstream_protocol: 502 names the culprit',
    { headers: { 'content-type': 'text/html' }, pieces: [Buffer.from('<p>hello</p>')] },
  ),
])
