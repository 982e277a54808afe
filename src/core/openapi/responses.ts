import type { Json, JsonObject } from './json.ts'

/** What can go wrong with an operation before or beside its service. */
export interface Failing {
  /** It reads parameters or a body that may not fit. */
  readonly reads: boolean
  readonly authenticates: boolean
  readonly refuses: boolean
  /** A body is taken. */
  readonly body: boolean
  /** Only in certain media types. */
  readonly typed: boolean
  readonly streams: boolean
  readonly limited: boolean
  readonly grpc: boolean
}

const ref = (kind: string, name: string): JsonObject => ({ $ref: `#/components/${kind}/${name}` })

/** Headers of every answer. */
export function answerHeaders(limited: boolean): JsonObject {
  return {
    'X-Request-Id': ref('headers', 'RequestId'),
    ...(limited ? { RateLimit: ref('headers', 'RateLimit'), 'RateLimit-Policy': ref('headers', 'RateLimitPolicy') } : {}),
  }
}

/** Answers that are no success, by status. 405 cannot meet an operation: its method is taken. */
export function failures(failing: Failing): JsonObject {
  const found: [string, string, boolean][] = [
    ['400', 'BadRequest', failing.reads],
    ['401', 'Unauthenticated', failing.authenticates || failing.refuses],
    ['403', 'Forbidden', failing.refuses],
    ['404', 'NotFound', failing.grpc],
    ['406', 'NotAcceptable', failing.streams],
    ['413', 'TooLarge', failing.body],
    ['415', 'UnsupportedMediaType', failing.typed],
    ['429', 'TooManyRequests', failing.limited],
    ['default', 'Failure', true],
  ]
  return Object.fromEntries(found.filter(([, , possible]) => possible).map(([status, name]) => [status, ref('responses', name)]))
}

const problem: JsonObject = {
  type: 'object',
  description: 'A problem document (RFC 9457).',
  properties: {
    type: { type: 'string', format: 'uri', description: 'urn:sallyport:problem: and the code.' },
    title: { type: 'string' },
    status: { type: 'integer', format: 'int32' },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'The id of the request.' },
    code: { type: 'string', description: 'What was refused or lost; stable.' },
    reason: { type: 'string' },
  },
  required: ['type', 'title', 'status', 'code'],
  additionalProperties: true,
}

const status: JsonObject = {
  type: 'object',
  description: 'google.rpc.Status: an error of the service.',
  properties: {
    code: { type: 'integer', format: 'int32', description: 'google.rpc.Code.' },
    message: { type: 'string' },
    details: { type: 'array', items: { type: 'object', properties: { '@type': { type: 'string' } }, additionalProperties: true } },
  },
  required: ['code', 'message'],
}

/** `Problem` and `Status`: no type of a package has a name without a dot, but one without a package may. */
export const errorSchemas: JsonObject = { 'sallyport.Problem': problem, 'sallyport.Status': status }

const problemOnly: JsonObject = { 'application/problem+json': { schema: ref('schemas', 'sallyport.Problem') } }
const either: JsonObject = { 'application/json': { schema: ref('schemas', 'sallyport.Status') }, ...problemOnly }

const all: Readonly<Record<string, JsonObject>> = {
  BadRequest: { description: 'A parameter or the body does not fit; the message names it.', content: either },
  Unauthenticated: { description: 'No credential, or none that holds.', headers: { 'WWW-Authenticate': ref('headers', 'Challenge') }, content: either },
  Forbidden: { description: 'The caller may not do this.', content: either },
  NotFound: { description: 'The service does not have it.', content: either },
  NotAcceptable: { description: 'The stream cannot be written in any type that Accept names.', content: problemOnly },
  PreconditionFailed: { description: 'The resource has another entity tag by now.', content: either },
  TooLarge: { description: 'The body is too large.', content: problemOnly },
  UnsupportedMediaType: { description: 'The body is of a type that is not taken.', content: problemOnly },
  TooManyRequests: { description: 'A limit is reached.', headers: { 'Retry-After': ref('headers', 'RetryAfter'), ...answerHeaders(true) }, content: either },
  Failure: { description: 'Anything else that fails, of the gateway (problem document) or the service (status).', content: either },
}

const headers: Readonly<Record<string, JsonObject>> = {
  RequestId: { description: 'The id of the request, as in the records of the gateway.', schema: { type: 'string' } },
  RateLimit: {
    description: 'What is left of each limit (r) and the seconds until it is restored (t).',
    schema: { type: 'string' },
    example: '"per-client";r=29;t=10',
  },
  RateLimitPolicy: { description: 'The quota (q) and window in seconds (w) of each limit.', schema: { type: 'string' }, example: '"per-client";q=30;w=10' },
  RetryAfter: { description: 'Seconds to wait.', schema: { type: 'integer', minimum: 0 } },
  Challenge: { description: 'How to authenticate (RFC 6750).', schema: { type: 'string' } },
}

/** The shared answers and headers of all documents. */
export const sharedResponses: Readonly<Record<string, Json>> = all
export const sharedHeaders: Readonly<Record<string, Json>> = headers
