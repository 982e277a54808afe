/** What the request carries as credential; each is minted for the run. */
export type Token =
  | 'none'
  | 'reader'
  | 'writer'
  | 'no-scope'
  | 'expired'
  | 'other-audience'
  | 'foreign-key'
  | 'unsigned'
  | 'garbage'
  | 'too-long-lived'
  | 'wrong-type'

/** One whole walk: what is sent, and what must come of it on every ground. */
export interface Journey {
  readonly name: string
  readonly method?: string
  readonly path: string
  readonly token?: Token
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: string
  /** Sent so often; the last answer counts. */
  readonly times?: number
  readonly status: number
  /** `code` of the problem document. */
  readonly code?: string
  /** `rule` of the problem document, which nonprod shows. */
  readonly rule?: string
  /** Headers of the answer: the value, or what it must look like. */
  readonly answer?: Readonly<Record<string, string | RegExp>>
  /** What the service behind saw; `nothing`: it was never asked. */
  readonly saw?: 'nothing' | Saw
}

export interface Saw {
  readonly method?: string
  readonly path?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string | RegExp>>
  /** Headers that must not reach it. */
  readonly without?: readonly string[]
}

const problem = { 'content-type': 'application/problem+json', 'cache-control': 'no-store', 'x-request-id': /^[\w-]{36}$/ } as const
const invalidToken = { ...problem, 'www-authenticate': /^Bearer realm="sallyport", error="invalid_token"/ } as const

const refused = (status: number, code: string, answer: NonNullable<Journey['answer']> = problem) => ({ status, code, answer, saw: 'nothing' }) as const

export const journeys: readonly Journey[] = [
  {
    name: 'a public route answers without a token',
    path: '/public/books?page=2&q=a%20b',
    status: 200,
    answer: { 'content-type': 'text/plain', 'x-from': 'echo', 'x-request-id': /^[\w-]{36}$/ },
    saw: { method: 'GET', path: '/public/books?page=2&q=a%20b' },
  },
  { name: 'HEAD goes where GET goes', method: 'HEAD', path: '/public/books', status: 200, saw: { method: 'HEAD', path: '/public/books' } },
  {
    name: 'a token on a public route is not read, and not handed on',
    path: '/public/books',
    token: 'garbage',
    status: 200,
    saw: { without: ['authorization'] },
  },
  { name: 'the canonical path goes on, not the one that was sent', path: '/public/%7Ebooks/%e2%82%ac', status: 200, saw: { path: '/public/~books/%E2%82%AC' } },
  { name: 'a header pattern picks the route', path: '/public/books', headers: [['x-kind', 'a12']], status: 200, saw: { path: '/public/books' } },
  {
    name: 'a body goes through as it is',
    method: 'POST',
    path: '/things/red/new',
    token: 'writer',
    body: 'one\r\ntwo',
    status: 200,
    saw: { body: 'one\r\ntwo' },
  },

  { name: 'no token: a challenge', path: '/things/red/1', ...refused(401, 'unauthenticated', { ...problem, 'www-authenticate': 'Bearer realm="sallyport"' }) },
  { name: 'an expired token', path: '/things/red/1', token: 'expired', ...refused(401, 'token_invalid', invalidToken) },
  { name: 'a token for somebody else', path: '/things/red/1', token: 'other-audience', ...refused(401, 'token_invalid', invalidToken) },
  {
    name: 'a token signed with a key that its issuer does not have',
    path: '/things/red/1',
    token: 'foreign-key',
    ...refused(401, 'token_invalid', invalidToken),
  },
  { name: 'a token without signature', path: '/things/red/1', token: 'unsigned', ...refused(401, 'token_invalid', invalidToken) },
  { name: 'a token that lives too long', path: '/things/red/1', token: 'too-long-lived', ...refused(401, 'token_invalid', invalidToken) },
  { name: 'a token of another type', path: '/things/red/1', token: 'wrong-type', ...refused(401, 'token_invalid', invalidToken) },
  { name: 'text that is no token', path: '/things/red/1', token: 'garbage', ...refused(401, 'token_invalid', invalidToken) },
  {
    name: 'two credentials in two lines',
    path: '/things/red/1',
    headers: [
      ['authorization', 'Bearer a'],
      ['authorization', 'Bearer b'],
    ],
    ...refused(400, 'credential_invalid'),
  },

  { name: 'a scope lets pass', path: '/things/red/1', token: 'reader', status: 200, saw: { path: '/things/red/1', without: ['authorization'] } },
  {
    name: 'a scope that is missing',
    method: 'POST',
    path: '/things/red/1',
    token: 'reader',
    body: 'x',
    rule: 'things/write',
    ...refused(403, 'scope_insufficient', { ...problem, 'www-authenticate': /error="insufficient_scope", scope="things:write"/ }),
  },
  { name: 'a token without any scope', path: '/things/red/1', token: 'no-scope', ...refused(403, 'scope_insufficient') },
  { name: 'a deny rule outweighs a scope', path: '/things/blue/1', token: 'reader', rule: 'things/own-tenant', ...refused(403, 'forbidden') },
  { name: 'what no rule allows', method: 'DELETE', path: '/things/red/1', token: 'reader', ...refused(403, 'forbidden') },

  { name: 'no such route', path: '/nowhere', ...refused(404, 'route_not_found') },
  {
    name: 'a method that the route does not take',
    method: 'POST',
    path: '/public/books',
    body: 'x',
    ...refused(405, 'method_not_allowed', { ...problem, allow: 'GET, HEAD' }),
  },
  { name: 'TRACE', method: 'TRACE', path: '/public/books', ...refused(501, 'not_implemented') },
  { name: 'a route of another host', path: '/hosted', headers: [['host', 'other.example.com']], ...refused(404, 'route_not_found') },
  { name: 'a route of this host', path: '/hosted', headers: [['host', 'shop.example.com']], status: 200, saw: { path: '/hosted' } },

  { name: 'an encoded slash', path: '/public/a%2Fb', ...refused(400, 'path_ambiguous') },
  { name: 'an encoded slash where the route takes it', path: '/slashes/a%2fb', status: 200, saw: { path: '/slashes/a%2Fb' } },
  { name: 'an encoded slash beside dots', path: '/slashes/a%2f..%2fthings', ...refused(400, 'path_ambiguous') },
  { name: 'an empty segment', path: '/public//books', ...refused(400, 'path_ambiguous') },
  { name: 'a path parameter', path: '/public/books;v=1', ...refused(400, 'path_ambiguous') },
  { name: 'an encoded backslash', path: '/public/%5c..%5cthings', ...refused(400, 'path_ambiguous') },
  { name: 'an encoded null', path: '/public/%00', ...refused(400, 'path_ambiguous') },
  { name: 'an overlong escape', path: '/public/%c0%ae%c0%ae/things', ...refused(400, 'path_ambiguous') },
  { name: 'a dot segment', path: '/public/../things/red/1', ...refused(400, 'path_ambiguous') },
  { name: 'an encoded dot segment', path: '/public/%2e%2e/things/red/1', ...refused(400, 'path_ambiguous') },

  { name: 'a limit that is reached', path: '/limited', token: 'reader', times: 4, ...refused(429, 'rate_limited', { ...problem, 'retry-after': /^\d+$/ }) },
  { name: 'headers that are too long', path: '/public/books', headers: [['x-long', 'a'.repeat(9000)]], ...refused(431, 'headers_too_large') },
  { name: 'a body that is too long', method: 'POST', path: '/things/red/1', token: 'writer', body: 'x'.repeat(5000), ...refused(413, 'body_too_large') },
  { name: 'a target that is too long', path: `/public/${'a'.repeat(8200)}`, ...refused(414, 'target_too_long') },
  {
    name: 'a method override is not believed',
    path: '/public/books',
    headers: [['x-http-method-override', 'DELETE']],
    status: 200,
    saw: { method: 'GET', without: ['x-http-method-override'] },
  },
  {
    name: 'what only the house may say is not taken from a client',
    path: '/public/books',
    headers: [
      ['x-forwarded-for', '203.0.113.9'],
      ['x-forwarded-host', 'evil.example'],
      ['x-real-ip', '203.0.113.9'],
      ['forwarded', 'for=203.0.113.9'],
      ['x-envoy-retry-on', '5xx'],
      ['l5d-dst-override', 'evil.example:80'],
      ['x-sallyport-edge', 'forged'],
      ['x-egress-env', 'prod'],
      ['x-request-id', 'chosen'],
      ['x-original-url', '/things/red/1'],
    ],
    status: 200,
    answer: { 'x-request-id': /^[\w-]{36}$/ },
    saw: {
      headers: { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', 'x-request-id': /^[\w-]{36}$/, traceparent: /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/ },
      without: ['x-real-ip', 'forwarded', 'x-envoy-retry-on', 'l5d-dst-override', 'x-sallyport-edge', 'x-egress-env', 'x-original-url'],
    },
  },
  {
    name: 'a header name that some upstreams read as another',
    path: '/public/books',
    headers: [['x_sallyport_edge', 'forged']],
    ...refused(400, 'request_invalid'),
  },
  {
    name: 'a trace goes on under the same id',
    path: '/public/books',
    headers: [['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01']],
    status: 200,
    saw: { headers: { traceparent: /^00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$/ } },
  },
  {
    name: 'an upgrade is not offered',
    path: '/public/books',
    headers: [
      ['connection', 'upgrade'],
      ['upgrade', 'websocket'],
    ],
    ...refused(501, 'not_implemented', {}),
  },

  { name: 'JSON becomes gRPC', path: '/v1/orders/7', token: 'reader', status: 200, answer: { 'content-type': /^application\/json/ } },
  { name: 'JSON without a token', path: '/v1/orders/7', ...refused(401, 'unauthenticated') },
  { name: 'a gRPC method that no rule allows', method: 'POST', path: '/v1/orders', token: 'reader', body: '{}', ...refused(403, 'forbidden') },
]
