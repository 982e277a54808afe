import { expect } from 'vitest'
import { envelope, envelopes } from '../../support/raw.ts'
import { type Case, conform } from './house.ts'
import { plainProtos as protos } from './protos.ts'

const path = '/plain.v1.Plain/Get'
const native = { 'content-type': 'application/grpc', te: 'trailers' }
const web = { 'content-type': 'application/grpc-web+proto' }
const connect = { 'content-type': 'application/json', 'connect-protocol-version': '1' }
const stream = { 'content-type': 'application/connect+proto' }
const source =
  'gRPC statuscodes; PROTOCOL-WEB, Trailers-only; Connect, Error Codes and EndStreamResponse; docs/translation.md: refusals come in the same dialect'

interface Refusal {
  readonly what: string
  readonly http: number
  readonly grpc: number
  readonly connect: string
  readonly headers?: Case['answer']['headers']
}

/** One refusal of the gateway, told to each kind of caller. */
function told({ what, http, grpc, connect: code, headers = {} }: Refusal): readonly Case[] {
  const error = { code, message: expect.stringMatching(/./) as unknown }
  const trailersOnly = { status: 200, headers: { 'grpc-status': `${grpc}`, 'grpc-message': /./, ...headers }, text: '' }
  return [
    {
      name: `JSON: ${what} is HTTP ${http}`,
      source: 'RFC 9457; docs/faults.md',
      send: { path: '/v1/notes/a' },
      answer: { status: http, headers: { 'content-type': 'application/problem+json', ...headers } },
    },
    { name: `native: ${what} is ${grpc}`, source, send: { path, headers: native, body: envelope('') }, answer: trailersOnly, over: ['h2c'] },
    { name: `gRPC-Web: ${what} is ${grpc}`, source, send: { path, headers: web, body: envelope('') }, answer: trailersOnly },
    {
      name: `Connect: ${what} is ${code}, HTTP ${http}`,
      source,
      send: { path, headers: connect, body: '{}' },
      answer: {
        status: http,
        headers: { 'content-type': 'application/json', ...headers },
        also: ({ body }) => expect(JSON.parse(body.toString())).toEqual(error),
      },
    },
    {
      name: `Connect stream: ${what} is ${code} in the end, HTTP 200`,
      source,
      send: { path: '/plain.v1.Plain/Watch', headers: stream, body: envelope('') },
      answer: {
        status: 200,
        headers: { 'content-type': 'application/connect+proto', ...headers },
        also({ body }) {
          const [end, ...more] = envelopes(body)
          expect([end?.flags, more, JSON.parse(end?.payload.toString() ?? '')]).toEqual([2, [], { error }])
        },
      },
    },
  ]
}

const issuers = `issuers:
  main: { issuer: "https://idp.example", audiences: [a], algorithms: [ES256] }
`
conform(
  'a caller without a credential',
  { protos, more: issuers, rules: '[{ id: members, allow: { issuers: [main] } }]' },
  told({ what: 'no credential', http: 401, grpc: 16, connect: 'unauthenticated', headers: { 'www-authenticate': /^Bearer/ } }),
)

conform(
  'a caller who may not',
  { protos, rules: '[{ id: all, allow: { anonymous: true } }, { id: none, deny: {} }]' },
  told({ what: 'a denial', http: 403, grpc: 7, connect: 'permission_denied' }),
)

conform(
  'a caller over the limit',
  { protos, route: 'limits: [{ name: little, cost: 2 }]', more: 'limits:\n  little: { rate: 3/1h, key: [client.network] }\n' },
  [
    {
      name: 'the first call takes what there is',
      source: 'docs/policies.md, limits',
      send: { path: '/v1/notes/a' },
      reaches: { rpc: 'Get' },
      answer: { status: 200 },
      over: ['h2c'],
    },
    ...told({ what: 'a limit', http: 429, grpc: 8, connect: 'resource_exhausted', headers: { 'retry-after': /^\d+$/ } }),
  ],
)
