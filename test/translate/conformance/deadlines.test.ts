import { expect } from 'vitest'
import { envelope } from '../../support/raw.ts'
import { type Case, conform } from './house.ts'
import { plainProtos as protos } from './protos.ts'
import type { Reached } from './recorder.ts'

const path = '/v1/notes/a'
const grammar = 'gRPC over HTTP/2, Timeout; reference 2.9'
const connect = 'Connect, Timeout: at most 10 digits; reference 2.9'
const server = 'reference 2.9: X-Server-Timeout, float seconds'

/** The service is told a time that is no longer than `most`, and not much shorter. Milliseconds. */
const told =
  (most: number) =>
  ({ remainingMs }: Reached): void => {
    expect(remainingMs).toBeLessThanOrEqual(most)
    expect(remainingMs).toBeGreaterThan(Math.max(0, most - 5_000))
  }

/** A timeout that is taken. */
function taken(name: string, value: string, most: number, source: string): Case {
  return {
    name: `${name}: ${value} leaves at most ${most} ms`,
    source,
    send: { path, headers: { [name]: value } },
    reaches: { rpc: 'Get', also: told(most) },
    answer: { status: 200, json: {} },
  }
}

/** A timeout that is none. */
function malformed(name: string, value: string, source: string, over?: Case['over']): Case {
  const also = ({ body }: { readonly body: Buffer }) =>
    expect(JSON.parse(body.toString())).toMatchObject({ code: 'request_invalid', detail: expect.stringContaining(name) as unknown })
  return {
    name: `${name}: ${JSON.stringify(value)} is refused`,
    source,
    send: { path, headers: { [name]: value } },
    answer: { status: 400, also },
    ...(over && { over }),
  }
}

const long = 'timeout: 1h'
conform('deadlines that callers state', { protos, route: long }, [
  taken('grpc-timeout', '1H', 3_600_000, grammar),
  taken('grpc-timeout', '2M', 120_000, grammar),
  taken('grpc-timeout', '10S', 10_000, grammar),
  taken('grpc-timeout', '9000m', 9_000, grammar),
  taken('grpc-timeout', '8000999u', 8_000, `${grammar}: rounded down`),
  taken('grpc-timeout', '99999999u', 99_999, `${grammar}: rounded down`),
  taken('grpc-timeout', '00000007S', 7_000, `${grammar}: eight digits, zeros in front`),
  taken('grpc-timeout', '99999999H', 3_600_000, 'reference 2.9: min(route, client); 99999999 hours overflow nothing'),
  taken('connect-timeout-ms', '8000', 8_000, connect),
  taken('connect-timeout-ms', '9999999999', 3_600_000, connect),
  taken('x-server-timeout', '7', 7_000, server),
  taken('x-server-timeout', '6.5', 6_500, server),
  taken('x-server-timeout', '6.0009', 6_000, `${server}; rounded down`),
  ...['', '5', 'S', '5s', '5h', '123456789S', '+5S', '-5S', '5 S', '5.5S', '0x5S', '5SS', '5S,6S', '5ms'].map((value) =>
    malformed('grpc-timeout', value, grammar),
  ),
  ...['', '12345678901', '1.5', '-1', '+1', '1e3', '0x10', '1,2', '5S'].map((value) => malformed('connect-timeout-ms', value, connect)),
  ...['', '1e3', '-1', '+1', 'NaN', 'Infinity', '1.', '.5', '1.2.3', '5S', '1,5'].map((value) => malformed('x-server-timeout', value, server)),
  {
    name: 'of several the least counts',
    source: 'reference 2.9: min(route, client, remaining)',
    send: { path, headers: { 'grpc-timeout': '30S', 'connect-timeout-ms': '6000', 'x-server-timeout': '20' } },
    reaches: { rpc: 'Get', also: told(6_000) },
    answer: { status: 200, json: {} },
  },
  {
    name: 'of several one that is malformed is refused',
    source: 'reference 2.9: anything else is malformed',
    send: { path, headers: { 'grpc-timeout': '30S', 'x-server-timeout': 'soon' } },
    answer: { status: 400 },
  },
  {
    name: 'a timeout of nothing has passed',
    source: 'gRPC over HTTP/2, Timeout; reference 2.9: DEADLINE_EXCEEDED is 504',
    send: { path, headers: { 'grpc-timeout': '0S' } },
    answer: { status: 504, also: ({ body }) => expect(JSON.parse(body.toString())).toMatchObject({ code: 'deadline_exhausted' }) },
  },
  {
    name: 'a timeout of some nanoseconds has passed',
    source: 'gRPC over HTTP/2, Timeout; reference 2.9: never exceed it',
    send: { path, headers: { 'grpc-timeout': '99n' } },
    answer: { status: 504 },
  },
  {
    name: 'a native caller’s timeout reaches the service, shortened',
    source: grammar,
    send: { path: '/plain.v1.Plain/Get', headers: { 'content-type': 'application/grpc', te: 'trailers', 'grpc-timeout': '8S' }, body: envelope('') },
    reaches: { rpc: 'Get', also: told(8_000) },
    answer: { status: 200, trailers: { 'grpc-status': '0' } },
    over: ['h2c'],
  },
  {
    name: 'a native caller’s malformed timeout is INVALID_ARGUMENT',
    source: `${grammar}; the gateway answers native callers in gRPC`,
    send: { path: '/plain.v1.Plain/Get', headers: { 'content-type': 'application/grpc', te: 'trailers', 'grpc-timeout': '8 S' }, body: envelope('') },
    answer: { status: 200, headers: { 'grpc-status': '3' } },
    over: ['h2c'],
  },
  {
    name: 'a Connect caller’s malformed timeout is invalid_argument',
    source: connect,
    send: {
      path: '/plain.v1.Plain/Get',
      headers: { 'content-type': 'application/json', 'connect-protocol-version': '1', 'connect-timeout-ms': '1.5' },
      body: '{}',
    },
    answer: { status: 400, json: { code: 'invalid_argument', message: 'connect-timeout-ms is malformed' } },
  },
])

conform('deadlines of the route', { protos, route: 'timeout: 4s' }, [
  {
    name: 'without a word from the caller the route’s counts',
    source: 'reference 2.9: min(route, client)',
    send: { path },
    reaches: { rpc: 'Get', also: told(4_000) },
    answer: { status: 200, json: {} },
  },
  taken('grpc-timeout', '1H', 4_000, 'reference 2.9: min(route, client)'),
  taken('grpc-timeout', '3S', 3_000, 'reference 2.9: min(route, client)'),
  {
    name: 'a service that says DEADLINE_EXCEEDED is 504',
    source: 'reference 2.9: both when the upstream says it',
    send: { path },
    reply: { status: { code: 4, details: 'late' } },
    reaches: { rpc: 'Get' },
    answer: { status: 504, json: { code: 4, message: 'late', details: [] } },
  },
])

const hangs = { wire: { hangs: true, headers: {} } }
conform('deadlines that pass', { protos, route: 'timeout: 150ms', service: 'wire' }, [
  {
    name: 'the route’s own timer is 504',
    source: 'reference 2.9: and when the local timer fires',
    send: { path },
    reply: hangs,
    reaches: { rpc: 'Get' },
    answer: {
      status: 504,
      headers: { 'content-type': 'application/problem+json' },
      also: ({ body }) => expect(JSON.parse(body.toString())).toMatchObject({ code: 'deadline_exceeded' }),
    },
  },
  {
    name: 'the caller’s own is 504 as well',
    source: 'reference 2.9',
    send: { path, headers: { 'x-server-timeout': '0.1' } },
    reply: hangs,
    reaches: { rpc: 'Get' },
    answer: { status: 504 },
  },
  {
    name: 'a stream that does not begin is 504',
    source: 'reference 2.9; docs/translation.md, Streams: the timeout bounds the wait for the first message',
    send: { path: '/v1/notes:watch' },
    reply: hangs,
    reaches: { rpc: 'Watch' },
    answer: { status: 504 },
  },
  {
    name: 'a native caller gets DEADLINE_EXCEEDED',
    source: 'gRPC statuscodes, DEADLINE_EXCEEDED',
    send: { path: '/plain.v1.Plain/Get', headers: { 'content-type': 'application/grpc', te: 'trailers' }, body: envelope('') },
    reply: hangs,
    reaches: { rpc: 'Get' },
    answer: { status: 200, also: ({ headers, trailers }) => expect(headers['grpc-status'] ?? trailers['grpc-status']).toBe('4') },
    over: ['h2c'],
  },
  {
    name: 'a Connect caller gets deadline_exceeded',
    source: 'Connect, Error Codes: deadline_exceeded is 504',
    send: {
      path: '/plain.v1.Plain/Get',
      headers: { 'content-type': 'application/json', 'connect-protocol-version': '1', 'connect-timeout-ms': '100' },
      body: '{}',
    },
    reply: hangs,
    reaches: { rpc: 'Get' },
    answer: { status: 504, json: { code: 'deadline_exceeded', message: 'the deadline has passed' } },
  },
])
