import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HealthBoard } from '../../src/core/health.ts'
import type { GrpcReply } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import { answerHealth } from '../../src/core/upstream/answer-health.ts'
import { type FakeClock, fakeClock } from '../support/clock.ts'

function ask(
  rpc: string,
  message: Uint8Array,
  { board = new HealthBoard(), clock = fakeClock(), lifeline = new Lifeline(), deadline = Number.POSITIVE_INFINITY } = {},
): Promise<GrpcReply> {
  const call = {
    kind: 'grpc',
    path: `/grpc.health.v1.Health/${rpc}`,
    authority: 'a',
    metadata: new FieldList(),
    messages: message,
    serverStream: rpc === 'Watch',
  } as const
  return answerHealth({ call, lifeline, deadline, idleMs: 60_000 }, board, clock)
}

const nothing = new Uint8Array()

async function check(message: Uint8Array): Promise<number> {
  const reply = await ask('Check', message)
  for await (const _ of reply.messages) return 0
  return reply.status().code
}

/** The next message of a watch, when time must pass for it. */
async function after(clock: FakeClock, ms: number, next: Promise<IteratorResult<Uint8Array>>): Promise<readonly number[] | undefined> {
  while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
  clock.advance(ms)
  const { value } = await next
  return value === undefined ? undefined : [...value]
}

describe('the health service', () => {
  it('reads a request as protobuf: unknown fields are skipped, the last name counts', async () => {
    expect(await check(Uint8Array.of(0x10, 0x96, 0x01, 0x1d, 1, 2, 3, 4, 0x0a, 1, 0x61, 0x0a, 0))).toBe(0)
    expect(await check(Uint8Array.of(0x0a, 1, 0x61))).toBe(5)
  })

  it('answers any bytes: a status, or a refusal that is the fault of who asks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
        const code = await check(bytes).catch((error: unknown) => (error instanceof Fault ? error.code : error))
        expect([0, 5, 'body_invalid']).toContain(code)
      }),
    )
    await expect(check(Uint8Array.of(0x0a, 5, 0x61))).rejects.toMatchObject({ code: 'body_invalid' })
    await expect(check(Uint8Array.of(0x0a, 1, 0xff))).rejects.toMatchObject({ code: 'body_invalid' })
  })

  it('is not serving before the process is ready, and does not know a method that is not its own', async () => {
    for await (const message of (await ask('Check', nothing)).messages) expect([...message]).toEqual([8, 2])
    expect((await ask('Chek', nothing)).status().code).toBe(12)
  })

  it('says the same again in a watch before silence would cut it, and nothing when a change changed nothing', async () => {
    const [board, clock, lifeline] = [new HealthBoard(), fakeClock(), new Lifeline()]
    const reply = await ask('Watch', nothing, { board, clock, lifeline })
    const messages = reply.messages[Symbol.asyncIterator]()
    expect([...((await messages.next()).value as Uint8Array)]).toEqual([8, 2])
    const again = messages.next()
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
    board.setReady(false)
    expect(await after(clock, 29_999, Promise.race([again, Promise.resolve({ done: true as const, value: undefined })]))).toBeUndefined()
    expect(await after(clock, 30_000, again)).toEqual([8, 2])
    const changed = messages.next()
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
    board.setReady(true)
    expect([...((await changed).value as Uint8Array)]).toEqual([8, 1])
    const last = messages.next()
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
    board.end()
    expect([(await last).done, reply.status().code, clock.pending]).toEqual([true, 14, 0])
  })

  it('ends a watch with its deadline or with who asks, and forgets it', async () => {
    const [board, clock, lifeline] = [new HealthBoard(), fakeClock(), new Lifeline()]
    const late = await ask('Watch', nothing, { board, clock, deadline: clock.ticks() + 500 })
    const messages = late.messages[Symbol.asyncIterator]()
    await messages.next()
    expect(await after(clock, 500, messages.next())).toBeUndefined()
    expect(late.status().code).toBe(4)
    const left = (await ask('Watch', nothing, { board, clock, lifeline })).messages[Symbol.asyncIterator]()
    await left.next()
    const waiting = left.next()
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve))
    lifeline.end(new Fault('client_closed', 'gone'))
    await expect(waiting).rejects.toMatchObject({ code: 'client_closed' })
    expect(clock.pending).toBe(0)
  })
})
