import { Code } from '@connectrpc/connect'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { type Ask, type MatrixService, matrixFailure, openMatrix } from '../support/matrix-service.ts'
import { type Caller, type Kind, type OfficialClient, officialClients } from '../support/official-clients.ts'
import { openRelay, type Relay } from '../support/relay.ts'
import { house } from '../support/shop.ts'

const keep = untilTheEnd()
let service: MatrixService
let gateway: Gateway
let relay: Relay

beforeAll(async () => {
  service = await openMatrix(keep)
  const policy = `sallyport: v1
clusters:
  matrix: { sidecar: none, protocol: grpc, address: "127.0.0.1:${service.port}", descriptors: matrix.binpb }
routes:
  matrix:
    match: { grpc: matrix.v1.Matrix }
    access: { rules: [{ id: all, allow: { anonymous: true } }] }
    timeout: 5s
    to: matrix
`
  gateway = await openGateway(keep, { 'house.yaml': house, 'matrix.yaml': policy, 'matrix.binpb': service.descriptors })
  relay = await openRelay(keep, gateway.port('public'))
})

const ask: Ask = { text: 'größe ✓', big: -9007199254740993n, data: Uint8Array.of(0, 255) }
const long = 'long '.repeat(20_000)
/** Headers of the exchange and the frames of a compressed message or two are far below this. */
const little = 10_000

/** What a client can do in one case. */
interface Cell {
  readonly client: OfficialClient
  readonly kind: Kind
  readonly call: Caller
}

interface Case {
  readonly title: string
  readonly kinds: readonly Kind[]
  readonly gzip?: boolean
  readonly run: (cell: Cell) => Promise<void>
}

const every: readonly Kind[] = ['unary', 'download', 'upload', 'talk']

const cases: readonly Case[] = [
  {
    title: 'succeeds, every value intact',
    kinds: every,
    async run({ kind, call }) {
      const asks = kind === 'unary' ? [ask] : kind === 'download' ? [{ ...ask, count: 3 }] : [ask, { ...ask, text: 'b' }, { ...ask, text: 'c' }]
      const { messages, code } = await call(kind, asks)
      expect(code).toBe(0)
      const { text, big, data } = ask
      if (kind === 'upload') expect(messages).toMatchObject([{ text: `${text},b,c`, index: 3 }])
      if (kind === 'unary') expect(messages).toMatchObject([{ text, big, data }])
      if (kind === 'download') expect(messages).toMatchObject([0, 1, 2].map((index) => ({ text, big, data, index })))
      if (kind === 'talk') expect(messages).toMatchObject([text, 'b', 'c'].map((said, index) => ({ text: said, big, data, index })))
    },
  },
  {
    title: 'carries metadata both ways, text and binary, in front and behind',
    kinds: every,
    async run({ kind, call }) {
      const before = service.calls.length
      const bytes = Uint8Array.of(0, 1, 254, 255)
      const { head, tail, code } = await call(kind, [{ ...ask, count: 1 }], { metadata: { 'x-ask': 'red, green', 'x-ask-bin': bytes } })
      expect(code).toBe(0)
      const { metadata } = await service.call(before)
      expect([metadata.get('x-ask'), metadata.get('x-ask-bin')]).toEqual([['red, green'], [Buffer.from(bytes)]])
      expect([head('x-head'), tail('x-tail')]).toEqual(['red, green', 'red, green'])
      expect([head('x-head-bin'), tail('x-tail-bin')].map((value) => Buffer.from(value ?? []))).toEqual([Buffer.from(bytes), Buffer.from(bytes)])
      expect(head('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    },
  },
  {
    title: 'is told an error: code, message, details, trailers',
    kinds: every,
    async run({ kind, call }) {
      const failed = await call(kind, [{ text: 'a', fail: true }], { metadata: { 'x-ask': 'blue' } })
      const { message, reason, domain } = matrixFailure
      expect([failed.code, failed.message, failed.tail('x-tail')]).toEqual([Code.FailedPrecondition, message, 'blue'])
      expect(failed.details).toMatchObject([{ reason, domain }])
      expect(failed.messages).toHaveLength(kind === 'unary' || kind === 'upload' ? 0 : 1)
    },
  },
  {
    title: 'ends at its deadline, which the service knows of',
    kinds: every,
    async run({ kind, call }) {
      const before = service.calls.length
      expect((await call(kind, [{ text: 'a', hang: true }], { timeoutMs: 150 })).code).toBe(Code.DeadlineExceeded)
      const { remainingMs, cancelled } = await service.call(before)
      expect(remainingMs).toBeGreaterThan(0)
      expect(remainingMs).toBeLessThanOrEqual(151)
      await cancelled
    },
  },
  {
    title: 'cancels, and the service hears of it',
    kinds: every,
    async run({ kind, call }) {
      const before = service.calls.length
      const leaving = new AbortController()
      const called = call(kind, [{ text: 'a', hang: true }], { signal: leaving.signal })
      const { cancelled } = await service.call(before)
      leaving.abort()
      expect((await called).code).toBe(Code.Canceled)
      await cancelled
    },
  },
  {
    title: 'is compressed both ways where it can be',
    kinds: every,
    gzip: true,
    async run({ client, kind, call }) {
      const { up, down } = relay.passed
      const asked: Readonly<Record<Kind, readonly Ask[]>> = {
        // Without compression, 100 kB fit into no URL.
        unary: [client.get && !client.sendsGzip ? { text: 'long ', count: 20_000 } : { text: long }],
        download: [{ text: long, count: 2 }],
        upload: [{ text: long }, { text: long }],
        talk: [{ text: long }, { text: long }],
      }
      const { messages, code } = await call(kind, asked[kind])
      expect(code).toBe(0)
      const text = kind === 'upload' ? `${long},${long}` : long
      expect(messages.map((message) => message.text === text)).toEqual(kind === 'unary' || kind === 'upload' ? [true] : [true, true])
      expect(relay.passed.up - up < little).toBe(client.sendsGzip || client.get)
      expect(relay.passed.down - down < little).toBe(kind === 'unary' || client.takesGzipInStreams)
    },
  },
]

describe.each(officialClients)('$title', (client) => {
  let plain: Caller
  let gzip: Caller

  beforeAll(() => {
    plain = client.open(keep, relay.port, service)
    gzip = client.open(keep, relay.port, service, { gzip: true })
  })

  const cells = cases.flatMap(({ kinds, ...one }) =>
    kinds.filter((kind) => client.kinds.includes(kind)).map((kind) => ({ kind, title: one.title, gzip: one.gzip, run: one.run })),
  )
  it.each(cells)('$kind: $title', async ({ kind, gzip: isGzip, run }) => {
    expect.hasAssertions()
    await run({ client, kind, call: isGzip === true ? gzip : plain })
  })
})

describe.each(officialClients.filter(({ get }) => get))('$title', (client) => {
  it('asks with GET', async () => {
    const { head } = await client.open(keep, relay.port, service)('unary', [ask])
    const record = await gateway.entry(({ id }) => id === head('x-request-id'))
    expect(record).toMatchObject({ method: 'GET' })
  })
})
