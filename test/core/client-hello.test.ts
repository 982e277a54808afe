import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { HelloReader, type HelloReading, helloProblem } from '../../src/core/client-hello.ts'
import { makeCertificates } from '../support/certificates.ts'
import { type HelloParts, helloMessage, namingServer, realHello, records, serverReads } from '../support/client-hello.ts'

/** Feeds the pieces one by one, up to the first verdict. */
function read(...pieces: readonly Uint8Array[]): HelloReading {
  const reader = new HelloReader()
  let reading: HelloReading = { kind: 'more' }
  for (const piece of pieces) {
    if (reading.kind !== 'more') break
    reading = reader.take(piece)
  }
  return reading
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const points = [0, ...at.map((point) => point % bytes.length).toSorted((a, b) => a - b), bytes.length]
  return points.slice(1).map((end, i) => bytes.subarray(points[i], end))
}

const hello = (parts: HelloParts = {}, most?: number) => records(helloMessage(parts), most)
const named = { kind: 'hello', serverName: 'a.example' }

let real: Buffer
let nameless: Buffer
let old: Buffer
beforeAll(async () => {
  real = await realHello({ servername: 'a.example', ALPNProtocols: ['h2', 'http/1.1'] })
  nameless = await realHello({ host: '192.0.2.1' })
  old = await realHello({ servername: 'a.example', maxVersion: 'TLSv1.2' })
})

describe('the first message of a TLS client', () => {
  it('is read as node:tls writes it, of both versions', () => {
    expect(read(real)).toEqual(named)
    expect(read(old)).toEqual(named)
    expect(read(nameless)).toEqual({ kind: 'hello', serverName: undefined })
  })

  it('is not there before its last byte, wherever it is cut', () => {
    for (let end = 0; end < real.length; end++) expect(read(real.subarray(0, end)), `${end} bytes`).toEqual({ kind: 'more' })
  })

  it('is the same in any pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 20 }), (at) => {
        expect(read(...cut(real, at))).toEqual(named)
      }),
      { numRuns: 300 },
    )
    expect(read(...Array.from(real, (byte) => Uint8Array.of(byte)))).toEqual(named)
  })

  it('is the same in records of any size', () => {
    const message = Array.from(real.subarray(5))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: message.length }), fc.array(fc.nat(), { maxLength: 5 }), (most, at) => {
        expect(read(...cut(records(message, most), at))).toEqual(named)
      }),
      { numRuns: 200 },
    )
  })

  it.each<[string, HelloParts, string | undefined]>([
    ['between GREASE', { before: [[0x0a0a, [0]]], after: [[0x1a1a, []]] }, 'a.example'],
    ['beside an encrypted hello, by its outer name', { names: [[0, 'public.example']], after: [[0xfe0d, [0, 0, 1, 0, 1, 9, 0, 0, 0, 0]]] }, 'public.example'],
    ['in capitals', { names: [[0, 'A.Example']] }, 'a.example'],
    ['of one label', { names: [[0, 'localhost']] }, 'localhost'],
    ['nowhere', { names: [] }, undefined],
    ['without extensions', { bare: true }, undefined],
  ])('has its name %s', (_, parts, serverName) => {
    expect(read(hello(parts))).toEqual({ kind: 'hello', serverName })
  })

  it.each<[string, HelloParts]>([
    [
      'a second name',
      {
        names: [
          [0, 'a.example'],
          [0, 'b.example'],
        ],
      },
    ],
    ['a second list of names', { after: [[0, [0, 12, 0, 0, 9, ...Buffer.from('b.example')]]] }],
    ['a repeated extension', { before: [[16, []]], after: [[16, []]] }],
    ['a name of another type', { names: [[1, 'a.example']] }],
    ['an empty name', { names: [[0, '']] }],
    ['a name with a NUL', { names: [[0, 'a.example\0.evil.example']] }],
    ['a name with a dot at its end', { names: [[0, 'a.example.']] }],
    ['a name beyond ASCII', { names: [[0, 'ä.example']] }],
    ['a name too long', { names: [[0, `${'a.'.repeat(127)}example`]] }],
    ['a list that does not fill its extension', { names: [], after: [[0, [0, 12, 0, 0, 9, ...Buffer.from('a.example'), 0]]] }],
    ['an empty list of names', { names: [], after: [[0, [0, 0]]] }],
    ['an empty extension of names, as servers send it', { names: [], after: [[0, []]] }],
    ['bytes behind its extensions', { trailing: [0] }],
  ])('is refused with %s', (_, parts) => {
    expect(read(hello(parts))).toMatchObject({ kind: 'refused' })
  })

  it.each<[string, Uint8Array]>([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['SSH', Buffer.from('SSH-2.0-x\r\n')],
    ['a hello of SSL 2', Uint8Array.of(0x80, 0x2e, 1, 3, 1)],
    ['an alert', Uint8Array.of(21, 3, 1, 0, 2, 2, 0)],
    ['application data', Uint8Array.of(23, 3, 3, 0, 1, 0)],
    ['another version of the record', Uint8Array.of(22, 2)],
    ['an empty record', Uint8Array.of(22, 3, 1, 0, 0)],
    ['a record too long', Uint8Array.of(22, 3, 1, 0x40, 1)],
    ['another message', Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0)],
    ['a hello too long', Uint8Array.of(22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff)],
  ])('is not %s', (_, bytes) => {
    expect(read(bytes)).toMatchObject({ kind: 'refused' })
  })

  it('is refused when another message stands in its record, and what follows in records of their own is not looked at', () => {
    const message = helloMessage({})
    expect(read(records([...message, 1, 0, 0, 0]))).toMatchObject({ kind: 'refused' })
    // The same cut so that the second message has begun, and is not there yet.
    expect(read(records([...message, 1, 0, 0, 0]).subarray(0, message.length + 5))).toMatchObject({ kind: 'refused' })
    expect(read(Buffer.concat([records(message), Uint8Array.of(23, 3, 3, 0, 1, 7)]))).toEqual(named)
  })

  it('never passes for another name when a byte of it is changed: a server that takes it chooses by the same name', { timeout: 30_000 }, async () => {
    const { server: pair } = await makeCertificates()
    const server = namingServer(pair)
    const taken = new Set<string>()
    const place = real.indexOf('a.example')
    const change = fc.record({ at: fc.oneof(fc.nat(), fc.integer({ min: place - 9, max: place + 9 })), to: fc.integer({ min: 0, max: 255 }) })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('new', 'old'), fc.array(change, { minLength: 1, maxLength: 3 }), async (which, changes) => {
        const bytes = Buffer.from(which === 'new' ? real : old)
        for (const { at, to } of changes) bytes[at % bytes.length] = to
        const reading = read(bytes)
        const judged = await serverReads(server, bytes)
        // What a server understands and we do not is refused; what both understand has one name.
        if (reading.kind !== 'hello' || !('name' in judged)) return
        expect(judged.name?.toLowerCase()).toBe(reading.serverName)
        taken.add(`${reading.serverName}`)
      }),
      { numRuns: 300 },
    )
    expect(taken.size).toBeGreaterThan(5)
    server.close()
  })

  it('never makes the reader throw, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (pieces) => {
        expect(['more', 'refused', 'hello']).toContain(read(Uint8Array.of(22, 3, 1), ...pieces).kind)
      }),
    )
  })
})

describe('the name in a hello', () => {
  it.each([
    ['a.example', 'a.example', undefined],
    ['b.example', 'a.example', 'the ClientHello names b.example, and the tunnel leads to a.example'],
    [undefined, 'a.example', 'the ClientHello names no server'],
    [undefined, '203.0.113.7', undefined],
    [undefined, '2001:db8::1', undefined],
    ['a.example', '203.0.113.7', 'the ClientHello names a.example, and the tunnel leads to an address'],
  ])('%s fits %s, or does not', (name, host, problem) => {
    expect(helloProblem(name, host)).toBe(problem)
  })
})
