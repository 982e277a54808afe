import { describe, expect, it } from 'vitest'
import { buildLimit } from '../../src/core/ingress/limit.ts'
import type { GrpcReply, HttpReply } from '../../src/core/model/call.ts'
import type { Metered } from '../../src/core/model/exchange.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { createMemoryCounters } from '../../src/node/counters.ts'
import { limitOf, permitted } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'
import { refusal } from '../support/refusal.ts'

const name = 'x-sallyport-cost'
const fields = (...costs: readonly string[]) => new FieldList(costs.map((cost) => [name, cost]))

function setUp(given: Parameters<typeof limitOf>[1] = {}, use: { readonly cost?: number; readonly most?: number } = {}) {
  const plain = fakePorts()
  const ports = { ...plain, counters: createMemoryCounters(plain.clock) }
  const policy = emptyPolicy({
    limits: { a: limitOf('a', { points: 10, ...given }), b: limitOf('b', { points: 100 }) },
    routes: [
      plainRoute('orders', {
        limits: [
          { name: 'a', cost: use.cost ?? 1, response: { most: use.most ?? 50 } },
          { name: 'b', cost: 1 },
        ],
      }),
    ],
  })
  const limit = buildLimit(policy, ports)
  /** A request that passes. */
  const passed = (): Metered => limit(permitted()) as Metered // counters in memory answer at once
  const outcomes = (outcome: string) => ports.meter.total('sallyport_limit_answer_costs_total', { limit: 'a', outcome })
  return { ports, limit, passed, outcomes, left: (x: Metered) => x.readings.find((reading) => reading.limit === 'a')?.remaining }
}

const http = (...costs: readonly string[]): HttpReply => ({ kind: 'http', status: 200, headers: fields(...costs), body: undefined })

describe('what an answer says it cost', () => {
  it('is charged above what was taken, to the limits that say so alone, and told to the caller', () => {
    const { limit, passed, left, outcomes } = setUp()
    const x = passed()
    void limit.charge(x, http('4'))
    expect(x.readings).toMatchObject([
      { limit: 'a', remaining: 6, charged: 3 },
      { limit: 'b', remaining: 99 },
    ])
    expect(left(passed())).toBe(5)
    expect(outcomes('charged')).toBe(1)
  })

  it('counts who came near the limit by it, once', () => {
    const { limit, passed, ports } = setUp()
    const near = () => ports.meter.total('sallyport_limit_near_total', { limit: 'a' })
    void limit.charge(passed(), http('5'))
    expect(near()).toBe(0)
    const x = passed()
    void limit.charge(x, http('3'))
    expect(near()).toBe(1)
    // Near when it was taken, and so counted then.
    void limit.charge(passed(), http('2'))
    expect(near()).toBe(2)
  })

  it('refuses the next requests when it is more than was left, never its own', () => {
    const { limit, passed, left, ports } = setUp()
    const x = passed()
    expect(limit.charge(x, http('30'))).toMatchObject({ status: 200 })
    expect(left(x)).toBe(0)
    const refused = refusal(() => void limit(permitted()))
    expect(refused?.code).toBe('rate_limited')
    expect(Number(new Map(refused?.detail.headers).get('retry-after'))).toBeGreaterThanOrEqual(60)
    ports.clock.advance(60_000)
    expect(left(passed())).toBe(9)
  })

  it('gives nothing back when it is less than was taken', () => {
    const { limit, passed, left } = setUp({}, { cost: 3 })
    const x = passed()
    void limit.charge(x, http('1'))
    expect(left(x)).toBe(7)
    expect(left(passed())).toBe(4)
  })

  it('is charged for no more than the route allows', () => {
    const { limit, passed, left, outcomes } = setUp({}, { most: 5 })
    const x = passed()
    void limit.charge(x, http('999999999999'))
    expect(left(x)).toBe(5)
    expect(outcomes('capped')).toBe(1)
  })

  it.each([['0'], ['-1'], ['1.5'], ['many'], [''], ['5, 5'], ['1e3'], ['5', '5'], ['9999999999999999']])(
    'is left aside when it is %j %j, with a word in the record',
    (...costs) => {
      const { limit, passed, left, outcomes } = setUp()
      const x = passed()
      const given = http(...costs.filter((cost) => cost !== undefined))
      expect(limit.charge(x, given)).toMatchObject({ status: 200 })
      expect(left(x)).toBe(9)
      expect(x).toMatchObject({ remark: 'x-sallyport-cost is not one integer of at least 1' })
      expect(outcomes('invalid')).toBe(1)
    },
  )

  it('is charged where a limit only watches, unless that would have refused the request', () => {
    const { limit, passed, left } = setUp({ mode: 'audit' })
    const x = passed()
    void limit.charge(x, http('10'))
    expect(x.readings.find((one) => one.limit === 'a')).toMatchObject({ remaining: 0, audit: 'within', charged: 9 })
    const y = passed()
    void limit.charge(y, http('10'))
    expect(y.readings.find((one) => one.limit === 'a')).toMatchObject({ audit: 'exceeded' })
    expect(y.readings.find((one) => one.limit === 'a')?.charged).toBeUndefined()
    expect(left(y)).toBe(0)
  })

  it('may stand in the trailers, where it is charged before the end, and only above what the head said', async () => {
    const { limit, passed, left } = setUp()
    const x = passed()
    const pieces = async function* () {
      yield new Uint8Array([1])
      yield new Uint8Array([2])
    }
    const reply = (await limit.charge(x, { kind: 'http', status: 200, headers: fields('3'), body: pieces(), trailers: () => fields('5') })) as HttpReply
    expect(left(x)).toBe(7)
    const seen: number[] = []
    for await (const piece of reply.body as AsyncIterable<Uint8Array>) seen.push(piece[0] ?? 0)
    expect(seen).toEqual([1, 2])
    expect(x.readings[0]).toMatchObject({ remaining: 5, charged: 4 })
  })

  it('may stand in the metadata of a gRPC answer, or in its trailing metadata', async () => {
    const { limit, passed, left } = setUp()
    const reply = (head: FieldList, tail: FieldList): GrpcReply => ({
      kind: 'grpc',
      metadata: head,
      messages: (async function* () {
        yield new Uint8Array([1])
      })(),
      status: () => ({ code: 0, message: '', details: undefined, trailers: tail }),
    })
    const x = passed()
    void limit.charge(x, reply(fields('2'), fields()))
    expect(left(x)).toBe(8)
    const y = passed()
    const answer = (await limit.charge(y, reply(fields(), fields('4')))) as GrpcReply
    expect(left(y)).toBe(7)
    for await (const _ of answer.messages) expect(left(y)).toBe(7)
    expect(left(y)).toBe(4)
  })

  it('closes the upstream when nobody reads on, and charges nothing for an end that never came', async () => {
    const { limit, passed, left } = setUp()
    const x = passed()
    let closed = false
    const messages = (async function* () {
      try {
        while (true) yield new Uint8Array([1])
      } finally {
        closed = true
      }
    })()
    const answer = await limit.charge(x, { kind: 'grpc', metadata: fields(), messages, status: () => expect.unreachable() })
    for await (const _ of (answer as GrpcReply).messages) break
    expect(closed).toBe(true)
    expect(left(x)).toBe(9)
  })

  it('says nothing on a route that does not ask for it', () => {
    const plain = fakePorts()
    const policy = emptyPolicy({ limits: { a: limitOf('a') }, routes: [plainRoute('orders', { limits: [{ name: 'a', cost: 1 }] })] })
    const limit = buildLimit(policy, { ...plain, counters: createMemoryCounters(plain.clock) })
    const x = limit(permitted()) as Metered // as above
    const reply = http('3')
    expect(limit.charge(x, reply)).toBe(reply)
    expect(x.readings).toMatchObject([{ remaining: 2 }])
  })
})
