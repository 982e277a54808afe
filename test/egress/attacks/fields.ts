import type { Case, Seen } from './attack.ts'
import { mesh, own, secret } from './canaries.ts'
import { openCatalogue } from './catalogue.ts'
import { guarded, hostOf } from './house.ts'
import { message } from './talk.ts'

/** What is said in header fields, of one hop or of the house, and must not reach a vendor; and what must. */
export const fielded = openCatalogue('field')

const home = '93.184.216.34'
const bearer = fielded.leading([home])
const keyed = fielded.leading([home], { inject: { header: 'x-vendor-key', format: '{secret}', secret: 'env:VENDOR_KEY' } })
const queried = fielded.leading([home], { inject: { query: 'api_key', secret: 'env:VENDOR_KEY' } })
const bare = fielded.leading([home], { inject: undefined })
fielded.zone('basic.vendor.example', [home])
const basic = fielded.add({
  environments: { dev: guarded('https://basic.vendor.example', { inject: undefined, basic: { username: 'shop', password: 'env:VENDOR_KEY' } }) },
})

const vendorOf = (to: string) => (to === basic ? 'basic.vendor.example' : `${to}.vendor.example`)
const injected: Readonly<Record<string, string>> = {
  [bearer]: `authorization: Bearer ${secret}`,
  [keyed]: `x-vendor-key: ${secret}`,
  [basic]: `authorization: Basic ${Buffer.from(`shop:${secret}`).toString('base64')}`,
}

/** The fields of the one request that the vendor got are these, what was injected and nothing else. */
const exactly =
  (to: string, lines: readonly string[]) =>
  ({ heard }: Seen): readonly string[] => {
    const sent = (heard[0]?.fields ?? []).map(([name, value]) => `${name}: ${value}`).filter((line) => line !== 'connection: keep-alive')
    const wanted = [`host: ${vendorOf(to)}`, ...(injected[to] === undefined ? [] : [injected[to]]), ...lines]
    const [found, expected] = [sent.toSorted().join(' | '), wanted.toSorted().join(' | ')]
    return found === expected ? [] : [`fields: ${found}; not ${expected}`]
  }

interface More extends Partial<Case> {
  readonly line?: string
  readonly body?: string
}

/** A request with these fields; of them the vendor gets `kept`. */
function sends(name: string, to: string, fields: readonly string[], kept: readonly string[] = [], { line = 'GET /v1/x', body = '', ...more }: More = {}): Case {
  const closes = fields.some((field) => /^connection:/i.test(field)) ? [] : ['connection: close']
  return {
    name,
    to,
    send: message([`${line} HTTP/1.1`, `host: ${hostOf(to)}`, ...fields, ...closes], body),
    ends: '200',
    dialled: [`${home}:443`],
    asked: [line],
    flaws: exactly(to, kept),
    ...more,
  }
}

const refused = (name: string, fields: readonly string[], ends = '400 request_invalid'): Case => ({
  name,
  send: message(['GET /v1/x HTTP/1.1', `host: ${hostOf(bearer)}`, ...fields]),
  ends,
})

export const hopControls: readonly Case[] = [
  sends(
    'what is end to end arrives as it is',
    bearer,
    ['accept: a/b', 'user-agent: x/1', 'x-order: 7', 'x-order: 8'],
    ['accept: a/b', 'user-agent: x/1', 'x-order: 7', 'x-order: 8'],
  ),
  sends('a key of the caller for its own call', bearer, ['idempotency-key: k-1'], ['idempotency-key: k-1']),
  sends('a close, and nothing that is named', bearer, ['connection: close', 'x-order: 7'], ['x-order: 7']),
]

const hop = ['keep-alive: timeout=5', 'te: trailers', 'proxy-connection: keep-alive', 'proxy-authenticate: Basic', 'http2-settings: AAMAAABkAAQAAP__']

export const hopAttacks: readonly Case[] = [
  ...hop.map((line) => sends(`${line} stays on its hop`, bearer, [line, 'x-order: 7'], ['x-order: 7'])),
  sends('a field that Connection names stays on its hop', bearer, ['connection: close, x-hop', 'x-hop: 1', 'x-order: 7'], ['x-order: 7']),
  sends('in other case', bearer, ['Connection: CLOSE, X-Hop', 'x-HOP: 1']),
  sends('in a second Connection', bearer, ['connection: close', 'connection: x-hop', 'x-hop: 1']),
  sends('a field of no name among the options', bearer, ['connection: close, , ,x-hop', 'x-hop: 1']),
  ...[
    'authorization',
    'host',
    'cookie',
    'x-egress-env',
    'x-egress-retry',
    'content-length',
    'content-type',
    'idempotency-key',
    'x-forwarded-for',
    'transfer-encoding',
  ].map((name) => refused(`Connection names ${name}`, [`connection: close, ${name}`])),
  refused('an announced trailer', ['trailer: x-end', 'transfer-encoding: chunked', 'connection: close']),
  sends('a trailer that nobody announced goes no further', bearer, ['transfer-encoding: chunked'], ['transfer-encoding: chunked'], {
    line: 'POST /v1/x',
    body: `2\r\nhi\r\n0\r\nauthorization: Bearer ${own}\r\nx-egress-env: prod\r\n\r\n`,
    asked: ['POST /v1/x hi'],
  }),
  ...['proxy: http://evil.example', 'max-forwards: 0'].map((line) => sends(line, bearer, [line], line.startsWith('max') ? [line] : [])),
]

/** Names under which a workload may bring what is its own, or the mesh's. */
const withheld = [
  ['authorization', `Bearer ${own}`],
  ['Authorization', `Basic ${Buffer.from(`x:${own}`).toString('base64')}`],
  ['cookie', `session=${own}`],
  ['cookie2', `$Version=1; ${own}`],
  ['x-api-key', own],
  ['X.Api.Key', own],
  ['api-key', own],
  ['apikey', own],
  ['x-auth-token', own],
  ['x-access-token', own],
  ['proxy-authorization', `Bearer ${own}`],
  ['x-forwarded-for', `10.0.0.7, ${mesh}`],
  ['x-forwarded-host', mesh],
  ['x-forwarded-client-cert', `Subject="${mesh}"`],
  ['forwarded', `for=10.0.0.7;by="${mesh}"`],
  ['via', `1.1 ${mesh}`],
  ['x-real-ip', '10.0.0.7'],
  ['x-client-ip', '10.0.0.7'],
  ['x-request-id', mesh],
  ['x-correlation-id', mesh],
  ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
  ['tracestate', 'mesh=1'],
  ['baggage', `mesh=${mesh}`],
  ['b3', '80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1'],
  ['x-b3-traceid', '80f198ee56343ba8'],
  ['uber-trace-id', mesh],
  ['x-amzn-trace-id', mesh],
  ['x-datadog-trace-id', '7'],
  ['x-envoy-peer-metadata', mesh],
  ['l5d-client-id', mesh],
  ['x-sallyport-token', mesh],
  ['x-spiffe-id', `spiffe://corp/${mesh}`],
  ['x-caller', mesh],
  ['x-egress-token', mesh],
  ['x-egress-retry', 'off'],
  ['x-egress-timeout-ms', '4000'],
  ['x-http-method-override', 'DELETE'],
  ['x-original-url', '/admin'],
  ['x-rewrite-url', '/admin'],
] as const

export const ownControls: readonly Case[] = [
  sends('a field of the vendor’s own', bearer, ['x-vendor-version: 7'], ['x-vendor-version: 7']),
  sends('no credential is made up where none is configured', bare, ['x-order: 7'], ['x-order: 7']),
  sends('a credential in a header of the vendor', keyed, []),
  sends('HTTP Basic', basic, []),
  sends('a query that has other parameters', queried, [], [], { line: 'GET /v1/x?a=1', asked: [`GET /v1/x?a=1&api_key=${encodeURIComponent(secret)}`] }),
]

const parameter = (name: string, query: string, kept: string) =>
  sends(`the parameter as ${name}`, queried, [], [], { line: `GET /v1/x?${query}`, asked: [`GET /v1/x?${kept}api_key=${encodeURIComponent(secret)}`] })

export const ownAttacks: readonly Case[] = [
  ...withheld.map(([name, value]) => sends(`${name} of the caller`, bare, [`${name}: ${value}`])),
  sends('a credential of the caller beside the one that is injected', bearer, [`authorization: Bearer ${own}`]),
  sends('twice', bearer, [`authorization: Bearer ${own}`, `Authorization: ${own}`], [], {
    ends: '400 credential_invalid',
    dialled: [],
    asked: [],
    flaws: () => [],
  }),
  sends('where HTTP Basic is injected', basic, [`authorization: Basic ${Buffer.from(`us:${own}`).toString('base64')}`]),
  ...['x-vendor-key', 'X-Vendor-Key', 'x.vendor.key', 'x-vendor.key', 'x--vendor-key', 'x-vendor--key'].map((name) =>
    sends(`the vendor's header as ${name}`, keyed, [`${name}: ${own}`]),
  ),
  parameter('it is', `api_key=${encodeURIComponent(own)}&a=1`, 'a=1&'),
  parameter('in capitals', 'API_KEY=mine&a=1', 'a=1&'),
  parameter('an escape', 'api%5Fkey=mine&a=1', 'a=1&'),
  parameter('a list', 'api_key[]=mine&a=1', 'a=1&'),
  parameter('a member', 'api_key%5b0%5d=mine&a=1', 'a=1&'),
  parameter('behind a semicolon', 'a=1;api_key=mine', 'a=1&'),
  parameter('with a blank', '+api_key=mine&a=1', 'a=1&'),
  parameter('cut at NUL', 'api_key%00x=mine&a=1', 'a=1&'),
  parameter('twice', 'api_key=mine&a=1&api_key=mine', 'a=1&'),
  parameter('without a value', 'api_key&a=1', 'a=1&'),
]
