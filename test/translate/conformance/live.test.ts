import { request as requestHttp1 } from 'node:http'
import { connect } from 'node:http2'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { untilTheEnd } from '../../support/keep.ts'
import { envelope } from '../../support/raw.ts'
import { type House, openHouse } from './house.ts'
import { block } from './proto-bytes.ts'
import { plainProtos as protos } from './protos.ts'

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

/** A reader of an answer that does not end: the bytes so far, and how to go away. */
interface Reader {
  readonly heard: () => Buffer
  leave(): void
}

type Read = (port: number, asked: Asked) => Reader

const readers: Readonly<Record<'HTTP/1.1' | 'h2c', Read>> = {
  'HTTP/1.1'(port, { method, path, headers, body }) {
    const parts: Buffer[] = []
    const request = requestHttp1({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', () => {})
    })
    request.on('error', () => {})
    request.end(body)
    return { heard: () => Buffer.concat(parts), leave: () => void request.destroy() }
  },
  h2c(port, { method, path, headers, body }) {
    const parts: Buffer[] = []
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', () => {})
    const stream = session.request({ ':method': method, ':path': path, ...headers })
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('error', () => {})
    stream.end(body)
    const leave = () => {
      stream.close(8)
      session.close()
    }
    return { heard: () => Buffer.concat(parts), leave }
  },
}

const json = (accept: string): Asked => ({ method: 'GET', path: '/v1/notes:watch', headers: { accept } })
const framed = (type: string): Asked => ({ method: 'POST', path: '/plain.v1.Plain/Watch', headers: { 'content-type': type }, body: envelope('') })
const note = envelope(block(1, 'a'))
const shown = '{"text":"a"}'

const forms: readonly (readonly [name: string, asked: Asked, first: string | Buffer])[] = [
  ['application/x-ndjson', json('application/x-ndjson'), `${shown}\n`],
  ['text/event-stream', json('text/event-stream'), `data: ${shown}\n\n`],
  ['application/json', json('application/json'), `[${shown}`],
  ['gRPC-Web', framed('application/grpc-web+proto'), note],
  ['gRPC-Web in base64', { ...framed('application/grpc-web-text'), body: Buffer.from(envelope('').toString('base64')) }, note.toString('base64')],
  ['Connect in protobuf', framed('application/connect+proto'), note],
  ['Connect in JSON', { ...framed('application/connect+json'), body: envelope('{}') }, envelope(shown)],
]

describe.each(['HTTP/1.1', 'h2c'] as const)('streams that go on, over %s', (version) => {
  const keep = untilTheEnd()
  let house: House
  beforeAll(async () => {
    house = await openHouse(keep, { protos, service: 'wire' })
  })

  it.each(forms)(
    '%s: a message is there before the next one is, and the service hears within 500 ms that its reader is gone [reference 2.8, flush per message; 2.9; 3 row 23]',
    async (_name, asked, first) => {
      const { recorder, gateway } = house
      recorder.answerWith({ wire: { pieces: [note], hangs: true } })
      const reader = readers[version](gateway.port('public'), asked)
      keep(() => reader.leave())
      await vi.waitFor(() => expect(reader.heard().toString('hex')).toBe(Buffer.from(first).toString('hex')), { timeout: 5_000, interval: 5 })
      expect(recorder.reached.map(({ rpc, cancelled }) => [rpc, cancelled])).toEqual([['plain.v1.Plain/Watch', false]])
      reader.leave()
      await vi.waitFor(() => expect(recorder.reached[0]?.cancelled).toBe(true), { timeout: 500, interval: 5 })
    },
  )
})

describe('a stream both ways over HTTP/2', () => {
  const keep = untilTheEnd()
  let house: House
  beforeAll(async () => {
    house = await openHouse(keep, { protos, service: 'wire' })
  })

  it('answers while the request is still open: a line out before the last line is in [reference 2.8, bidi: NDJSON over h2]', async () => {
    house.recorder.answerWith({ wire: { pieces: [note], hangs: true, early: true } })
    const session = connect(`http://127.0.0.1:${house.gateway.port('public')}`)
    keep(() => session.destroy())
    const stream = session.request({ ':method': 'POST', ':path': '/v1/notes:chat', 'content-type': 'application/x-ndjson' })
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('error', () => {})
    stream.write('{"text":"x"}\n')
    await vi.waitFor(() => expect(Buffer.concat(parts).toString()).toBe(`${shown}\n`), { timeout: 5_000, interval: 5 })
    expect(stream.writableEnded).toBe(false)
  })
})
