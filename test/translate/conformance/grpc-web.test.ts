import { expect } from 'vitest'
import { envelope, envelopes, unpadded } from '../../support/raw.ts'
import { type Case, conform, type House } from './house.ts'
import { plainProtos as protos } from './protos.ts'

const path = (rpc: string) => `/plain.v1.Plain/${rpc}`
const binary = { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1' }
const text = { 'content-type': 'application/grpc-web-text+proto', 'x-grpc-web': '1' }
const note =
  (value: string) =>
  ({ wire }: House): Buffer =>
    envelope(wire('plain.v1.Note', { text: value }))
const base64 =
  (...makes: readonly ((house: House) => Buffer)[]) =>
  (house: House): Buffer =>
    Buffer.from(makes.map((make) => make(house).toString('base64')).join(''))
const spec = 'PROTOCOL-WEB'

type Answered = Parameters<NonNullable<Case['answer']['also']>>

/** The frames of an answer: messages, then one of trailers, with exactly these lines and maybe the listed ones of metadata. */
function framesAre(messages: readonly string[], trailers: readonly string[], isText = false) {
  return ({ body }: Answered[0], house: House): void => {
    const frames = envelopes(isText ? unpadded(body.toString()) : body)
    expect(frames.slice(0, -1).map(({ flags, payload }) => [flags, payload.toString('hex')])).toEqual(
      messages.map((value) => [0, house.wire('plain.v1.Note', value === '' ? {} : { text: value }).toString('hex')]),
    )
    const last = frames.at(-1)
    expect(last?.flags).toBe(0x80)
    const block = last?.payload.toString() ?? ''
    expect(block).toMatch(/^(?:[a-z0-9_.-]+: [^\r\n]*\r\n)+$/)
    // grpc-js says OK in words, too.
    const lines = block.split('\r\n').filter((line) => line !== '' && line !== 'grpc-message: OK')
    expect(lines.toSorted()).toEqual([...trailers].toSorted())
  }
}

/** A call that the service answers with `b`. */
function called(name: string, source: string, headers: Record<string, string>, isText = false, answersText = isText): Case {
  return {
    name,
    source,
    send: { path: path('Get'), headers, body: isText ? base64(note('a')) : note('a') },
    reply: { messages: [{ text: 'b' }] },
    reaches: { rpc: 'Get', message: { text: 'a' } },
    answer: {
      status: 200,
      headers: { 'content-type': answersText ? /^application\/grpc-web-text(?:\+proto)?$/ : /^application\/grpc-web(?:\+proto)?$/, 'grpc-status': undefined },
      also: framesAre(['b'], ['grpc-status: 0'], answersText),
    },
  }
}

/** A call that the gateway refuses: trailers only, in the header. */
function refused(name: string, source: string, status: number, send: Partial<Case['send']>, more: Partial<Case> = {}): Case {
  const request = { path: path('Get'), headers: binary, body: note('a'), ...send }
  return {
    name,
    source,
    send: request,
    answer: { status: 200, headers: { 'content-type': /^application\/grpc-web/, 'grpc-status': `${status}`, 'grpc-message': /./ }, text: '' },
    ...more,
  }
}

const types = `${spec}, Content-Type`
const textual = `${spec}, Text-encoded (response) streams`

conform('gRPC-Web', { protos }, [
  called('application/grpc-web is protobuf', types, { ...binary, 'content-type': 'application/grpc-web' }),
  called('application/grpc-web+proto is as well', types, binary),
  called('x-grpc-web is not demanded', `${spec}: for cross-origin requests`, { 'content-type': 'application/grpc-web+proto' }),
  called('application/grpc-web-text is base64 both ways', textual, { ...text, 'content-type': 'application/grpc-web-text' }, true),
  called('application/grpc-web-text+proto is as well', textual, text, true),
  called('Accept may ask for base64', textual, { ...binary, accept: 'application/grpc-web-text' }, false, true),
  called('Accept may ask for bytes', textual, { ...text, accept: 'application/grpc-web+proto' }, true, false),
  refused('application/grpc-web+json is no protobuf', `${types}; docs/translation.md`, 3, { headers: { 'content-type': 'application/grpc-web+json' } }),
  refused('application/grpc-web+thrift is no protobuf', types, 3, { headers: { 'content-type': 'application/grpc-web+thrift' } }),
  refused('an RPC that there is not is UNIMPLEMENTED', 'gRPC statuscodes', 12, { path: path('Nope') }),
  refused('no message at all is INVALID_ARGUMENT', 'gRPC over HTTP/2, Length-Prefixed-Message', 3, { body: '' }),
  refused('two messages to a unary RPC are INVALID_ARGUMENT', 'gRPC, "Unary RPC"', 3, { body: (house) => Buffer.concat([note('a')(house), note('b')(house)]) }),
  refused('a body that ends in a message is INVALID_ARGUMENT', 'gRPC over HTTP/2, Length-Prefixed-Message', 3, {
    body: (house) => note('abc')(house).subarray(0, -1),
  }),
  refused('trailers in a request are INVALID_ARGUMENT', `${spec}: trailers are the server’s`, 3, {
    body: (house) => Buffer.concat([note('a')(house), envelope('x: y\r\n', 0x80)]),
  }),
  refused('text that is no base64 is INVALID_ARGUMENT', textual, 3, { headers: text, body: '*' }),
  refused('base64 that ends inside a group is INVALID_ARGUMENT', textual, 3, { headers: text, body: 'AAAAAA' }),
  refused('a message over the limit is RESOURCE_EXHAUSTED', 'reference 2.14', 8, { body: Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]) }),
  {
    name: 'base64 may come in segments that are padded each',
    source: textual,
    send: { path: path('Send'), headers: text, body: base64(note('a'), note('bc')) },
    reaches: { rpc: 'Send', messages: [{ text: 'a' }, { text: 'bc' }] },
    answer: { status: 200, also: framesAre([''], ['grpc-status: 0'], true) },
  },
  {
    name: 'base64 may be cut without regard to frames',
    source: textual,
    send: {
      path: path('Send'),
      headers: text,
      body: (house) => {
        const bytes = Buffer.concat([note('a')(house), note('bc')(house)])
        return Buffer.from([bytes.subarray(0, 2), bytes.subarray(2, 9), bytes.subarray(9)].map((part) => part.toString('base64')).join(''))
      },
    },
    reaches: { rpc: 'Send', messages: [{ text: 'a' }, { text: 'bc' }] },
    answer: { status: 200, also: framesAre([''], ['grpc-status: 0'], true) },
  },
  {
    name: 'a server stream is message after message, then trailers',
    source: `${spec}, Message framing`,
    send: { path: path('Watch'), headers: binary, body: note('a') },
    reply: { messages: [{ text: 'b' }, { text: 'c' }], trailers: [['x-late', '1']] },
    reaches: { rpc: 'Watch' },
    answer: { status: 200, also: framesAre(['b', 'c'], ['grpc-status: 0', 'x-late: 1']) },
  },
  {
    name: 'a server stream in base64',
    source: textual,
    send: { path: path('Watch'), headers: text, body: base64(note('a')) },
    reply: { messages: [{ text: 'b' }, { text: 'cd' }] },
    reaches: { rpc: 'Watch' },
    answer: { status: 200, also: framesAre(['b', 'cd'], ['grpc-status: 0'], true) },
  },
  {
    name: 'a server stream may be empty',
    source: `${spec}, Message framing`,
    send: { path: path('Watch'), headers: binary, body: note('a') },
    reply: { messages: [] },
    reaches: { rpc: 'Watch' },
    answer: { status: 200, also: framesAre([], ['grpc-status: 0']) },
  },
  {
    name: 'names of trailers are lower case, whatever the service wrote',
    source: `${spec}: lower-case header names; reference 2.12`,
    send: { path: path('Get'), headers: binary, body: note('a') },
    reply: { trailers: [['X-Late', 'A']] },
    reaches: { rpc: 'Get' },
    answer: { status: 200, also: framesAre([''], ['grpc-status: 0', 'x-late: A']) },
  },
  {
    name: 'an error of the service is in the last frame, with its details, as it is',
    source: 'docs/translation.md: gRPC-Web callers get the status as it is',
    send: { path: path('Get'), headers: binary, body: note('a') },
    reply: { status: { code: 13, details: 'at ä' }, details: [{ '@type': 'type.googleapis.com/google.rpc.Help' }] },
    reaches: { rpc: 'Get' },
    answer: {
      status: 200,
      also: ({ body }) => {
        const [frame, ...more] = envelopes(body)
        expect([frame?.flags, more]).toEqual([0x80, []])
        expect(frame?.payload.toString()).toMatch(
          /^(?=.*grpc-status: 13\r\n)(?=.*grpc-message: at %C3%A4\r\n)(?=.*grpc-status-details-bin: [A-Za-z0-9+/]+\r\n)/s,
        )
      },
    },
  },
  {
    name: 'an error after messages comes after them',
    source: `${spec}, Message framing`,
    send: { path: path('Watch'), headers: binary, body: note('a') },
    reply: { messages: [{ text: 'b' }], status: { code: 10, details: 'again' } },
    reaches: { rpc: 'Watch' },
    answer: { status: 200, also: framesAre(['b'], ['grpc-status: 10', 'grpc-message: again']) },
  },
])

conform('gRPC-Web, upstreams that break', { protos, service: 'wire' }, [
  {
    name: 'a trailers-only answer of the upstream has its status in the last frame',
    source: `${spec}, Message framing; gRPC over HTTP/2, Trailers-Only`,
    send: { path: path('Get'), headers: binary, body: note('a') },
    reply: { wire: { headers: { 'grpc-status': '5', 'grpc-message': 'gone' } } },
    reaches: { rpc: 'Get' },
    answer: { status: 200, also: ({ body }) => expect(envelopes(body).at(-1)?.payload.toString()).toMatch(/grpc-status: 5\r\n/) },
  },
  {
    name: 'an upstream that breaks off is UNAVAILABLE in the last frame',
    source: 'docs/faults.md, upstream_protocol',
    send: { path: path('Watch'), headers: binary, body: note('a') },
    reply: { wire: { pieces: [envelope('')] } },
    reaches: { rpc: 'Watch' },
    answer: { status: 200, also: ({ body }) => expect(envelopes(body).at(-1)?.payload.toString()).toMatch(/^grpc-status: (?:13|14)\r\n/) },
  },
])
