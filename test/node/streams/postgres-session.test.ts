import { array, assert as check, constantFrom, property, uint8Array } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { postgresConversation } from '../../../src/node/streams/postgres/session.ts'

const packet = (code: number, rest = '') => {
  const all = Buffer.alloc(8 + rest.length)
  all.writeUInt32BE(all.length, 0)
  all.writeUInt32BE(code, 4)
  all.write(rest, 8, 'latin1')
  return all
}
const message = (type: string, body: string | Buffer = '') => {
  const held = Buffer.from(body)
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeUInt32BE(4 + held.length, 1)
  return Buffer.concat([head, held])
}
const ready = (status = 'I') => message('Z', status)
const startup = packet(3 << 16, 'user\0shop\0\0')
const [sslRequest, gssRequest, cancel] = [packet(80_877_103), packet(80_877_104), packet(80_877_102, 'pid-key.')]

/** What both sides say, in order: `>` of the workload, `<` of the target. Answers whether the session rests after it. */
function rests(...said: readonly (readonly ['>' | '<', Buffer])[]): boolean {
  const session = postgresConversation({ answer: undefined })
  for (const [side, bytes] of [['>', startup], ['<', Buffer.concat([message('R', '\0\0\0\0'), ready()])], ...said] as const) {
    if (side === '>') session.fromNear(bytes)
    else session.fromFar(bytes)
  }
  return session.rests(true)
}

describe('a PostgreSQL session', () => {
  it.each([
    ['nothing was asked since start-up', true],
    ['a query is answered', true, ['>', message('Q', 'select 1\0')], ['<', Buffer.concat([message('D', '1'), message('C', 'SELECT 1\0'), ready()])]],
    ['a query is under way', false, ['>', message('Q', 'select 1\0')]],
    ['rows have come, and not their end', false, ['>', message('Q', 'select 1\0')], ['<', message('D', '1')]],
    ['a row ends in the very bytes of the end', false, ['>', message('Q', 'select 1\0')], ['<', message('D', ready())]],
    ['a transaction is open', false, ['>', message('Q', 'begin\0')], ['<', ready('T')]],
    ['a transaction has failed and is open', false, ['>', message('Q', 'oops\0')], ['<', ready('E')]],
    ['the first of two queries is answered', false, ['>', Buffer.concat([message('Q', 'a\0'), message('Q', 'b\0')])], ['<', ready()]],
    ['both of two queries are answered', true, ['>', Buffer.concat([message('Q', 'a\0'), message('Q', 'b\0')])], ['<', Buffer.concat([ready(), ready()])]],
    ['a statement was parsed, and no Sync sent', false, ['>', Buffer.concat([message('P', 's\0'), message('H')])], ['<', message('1')]],
    ['a Sync is answered', true, ['>', Buffer.concat([message('P', 's\0'), message('E'), message('S')])], ['<', Buffer.concat([message('1'), ready()])]],
    ['a notice came meanwhile', true, ['<', message('N', 'SNOTICE\0')]],
    ['half of a message has come', false, ['<', message('N', 'SNOTICE\0').subarray(0, 7)]],
    ['half of a query was sent', false, ['>', message('Q', 'select 1\0').subarray(0, 3)]],
    ['rows are copied in', false, ['>', message('Q', 'copy\0')], ['<', message('G', '\0')], ['>', message('d', 'row')]],
    [
      'rows were copied in by the extended protocol, where one Sync is passed over',
      true,
      ['>', Buffer.concat([message('B'), message('E'), message('S')])],
      ['<', Buffer.concat([message('2'), message('G', '\0')])],
      ['>', Buffer.concat([message('d', 'row'), message('S'), message('c'), message('S')])],
      ['<', Buffer.concat([message('C', 'COPY 1\0'), ready()])],
    ],
    [
      'rows are copied in by the extended protocol, whose Sync was passed over',
      false,
      ['>', Buffer.concat([message('P', 's\0'), message('B'), message('E'), message('S')])],
      ['<', Buffer.concat([message('1'), message('2'), message('G', '\0')])],
      ['>', message('d', 'row')],
    ],
    [
      'rows were copied in by the extended protocol, and no Sync sent since',
      false,
      ['>', Buffer.concat([message('P', 's\0'), message('B'), message('E'), message('S')])],
      ['<', Buffer.concat([message('1'), message('2'), message('G', '\0')])],
      ['>', Buffer.concat([message('d', 'row'), message('c')])],
      ['<', message('C', 'COPY 1\0')],
    ],
    ['something was said that is no message', false, ['<', Buffer.from([0x5a, 0, 0, 0, 1, 0x49])]],
  ] as const)('when %s: rests is %s', (_what, wanted, ...said: readonly (readonly ['>' | '<', Buffer])[]) => {
    expect(rests(...said)).toBe(wanted)
  })

  it('is read alike however its bytes are cut', () => {
    const piece = constantFrom(message('Q', 'select 1\0'), message('S'), message('P', 'x\0'), message('E', Buffer.alloc(300)))
    check(
      property(
        array(piece, { maxLength: 8 }),
        array(constantFrom(ready(), ready('T'), message('D', ready())), { maxLength: 8 }),
        uint8Array({ minLength: 1 }),
        (near, far, cuts) => {
          const whole = postgresConversation({ answer: undefined })
          const cut = postgresConversation({ answer: undefined })
          const [out, back] = [Buffer.concat([startup, ...near]), Buffer.concat(far)]
          whole.fromNear(out)
          if (back.length > 0) whole.fromFar(back)
          const heard: Buffer[] = []
          for (const one of pieces(out, cuts)) heard.push(cut.fromNear(one))
          for (const one of pieces(back, cuts)) cut.fromFar(one)
          expect(Buffer.concat(heard)).toEqual(out)
          expect(cut.rests(false)).toBe(whole.rests(false))
        },
      ),
    )
  })

  it('is told that there is no encryption here, however it asks, and the target hears nothing of it', () => {
    const said: string[] = []
    const session = postgresConversation({ answer: (bytes) => said.push(bytes.toString()) })
    expect(session.fromNear(gssRequest.subarray(0, 5))).toHaveLength(0)
    expect(session.fromNear(Buffer.concat([gssRequest.subarray(5), sslRequest]))).toHaveLength(0)
    expect(said).toEqual(['N', 'N'])
    expect(session.fromNear(startup)).toEqual(startup)
    session.fromFar(ready())
    expect(session.rests(false)).toBe(true)
  })

  it('that the workload encrypts itself cannot be read, and never rests; one that the server will not encrypt goes on', () => {
    const encrypted = postgresConversation({ answer: undefined })
    expect(encrypted.fromNear(sslRequest)).toEqual(sslRequest)
    encrypted.fromFar(Buffer.from('S'))
    encrypted.fromNear(startup)
    encrypted.fromFar(ready())
    expect(encrypted.rests(true)).toBe(false)
    const clear = postgresConversation({ answer: undefined })
    clear.fromNear(sslRequest)
    clear.fromFar(Buffer.from('N'))
    clear.fromNear(startup)
    clear.fromFar(ready())
    expect(clear.rests(true)).toBe(true)
  })

  it('passes a cancel request on, and what it does not know, and what was said before an early end', () => {
    for (const bytes of [cancel, Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
      const session = postgresConversation({ answer: () => {} })
      expect(session.fromNear(bytes)).toEqual(bytes)
      expect(session.rests(true)).toBe(false)
    }
    const early = postgresConversation({ answer: () => {} })
    expect(early.rests(true)).toBe(true)
    expect(early.rests(false)).toBe(false)
    expect(early.fromNear(startup.subarray(0, 3))).toHaveLength(0)
    expect(early.rests(true)).toBe(false)
    expect(early.nearEnded()).toEqual(startup.subarray(0, 3))
  })
})

function pieces(bytes: Buffer, cuts: Uint8Array): readonly Buffer[] {
  const all: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const next = at + 1 + ((cuts[i % cuts.length] ?? 0) % 16)
    all.push(bytes.subarray(at, next))
    at = next
  }
  return all
}
