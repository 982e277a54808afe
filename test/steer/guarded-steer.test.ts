import { describe, expect, it } from 'vitest'
import { buildGuardedSteer, guardStatus, rearmGuard } from '../../src/core/ingress/steer.ts'
import type { Reply } from '../../src/core/model/call.ts'
import type { WeightedDestination } from '../../src/core/model/destination.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Route } from '../../src/core/model/route.ts'
import { plainGuard } from '../support/guarded.ts'
import { metered, subject } from '../support/metering.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'
import { grpcReply, httpReply } from '../support/sendable.ts'

const guard = { ...plainGuard, minSamples: 100 }
const to = (subset: string, weight: number, more: Partial<WeightedDestination> = {}): WeightedDestination => ({
  cluster: 'orders',
  subset,
  weight,
  pin: undefined,
  ...more,
})
const pin = { headers: [{ name: 'x-version', exact: 'v2' }], claims: [] }
const canarySplit = [to('v1', 60), to('v2', 20, { guard, pin }), to('v3', 20)]

function gateway(split = canarySplit, given: Partial<Route> = {}, ports = fakePorts()) {
  const room = buildGuardedSteer(emptyPolicy({ routes: [plainRoute('orders', { split, sticky: { kind: 'claim', path: 'sub' }, ...given })] }), ports)
  const where = (name: string) => room.steer(metered({ principal: subject(name, { sub: name }) })).destination.subset
  /** Everybody asks once; every version answers as it does. */
  const ask = async (count: number, answer: (version: string | undefined) => Promise<Reply>, headers: readonly (readonly [string, string])[] = []) => {
    for (let i = 0; i < count; i++) {
      const x = room.steer(metered({ principal: subject(`u${i}`, { sub: `u${i}` }), headers }))
      const reply = await room.watch(x, () => answer(x.destination.subset)).catch(() => undefined)
      if (reply?.kind === 'grpc') for await (const _ of reply.messages);
    }
  }
  return { ...room, ports, where, ask }
}

const everybody = Array.from({ length: 1_000 }, (_, i) => `u${i}`)
const badV2 = (bad: () => Promise<Reply>) => (version: string | undefined) => (version === 'v2' ? bad() : Promise.resolve(httpReply(200)))

describe('a guarded split', () => {
  it('loses the weight of a bad version: its sticky subjects go to the others, and nobody else moves', async () => {
    const { where, ask } = gateway()
    const before = everybody.map(where)
    await ask(
      1_000,
      badV2(async () => httpReply(500)),
    )
    const after = everybody.map(where)
    expect(after.filter((at) => at === 'v2')).toEqual([])
    expect(after.filter((at, i) => before[i] !== 'v2' && at !== before[i])).toEqual([])
  })

  it('still takes who is pinned there, and does not count them', async () => {
    const { ask, steer, ports } = gateway()
    const pinned = () => steer(metered({ headers: [['x-version', 'v2']] })).destination.subset
    await ask(
      2_000,
      badV2(async () => httpReply(500)),
      [['x-version', 'v2']],
    )
    expect(guardStatus(ports.lasting)[0]?.canary).toEqual({ answers: 0, errors: 0 })
    await ask(
      2_000,
      badV2(async () => httpReply(500)),
    )
    expect(guardStatus(ports.lasting)[0]?.aborted).toBeDefined()
    expect(pinned()).toBe('v2')
  })

  it.each([
    ['a status from 500 on', async () => httpReply(503), true],
    ['a status that blames the caller', async () => httpReply(404), false],
    ['a broken connection', async () => Promise.reject(new Fault('upstream_reset', 'gone')), true],
    ['a caller who left', async () => Promise.reject(new Fault('client_closed', 'left')), false],
    ['gRPC UNIMPLEMENTED', async () => grpcReply([], { code: 12 }), true],
    ['gRPC UNAVAILABLE', async () => grpcReply([], { code: 14 }), true],
    ['gRPC NOT_FOUND', async () => grpcReply([], { code: 5 }), false],
    ['gRPC RESOURCE_EXHAUSTED', async () => grpcReply([], { code: 8 }), false],
  ] as const)('judges %s', async (_, bad, isError) => {
    const { ask, ports } = gateway()
    await ask(2_000, badV2(bad))
    expect(guardStatus(ports.lasting)[0]?.aborted !== undefined).toBe(isError)
  })

  it.each([
    ['a deadline of 150 ms', 150, async () => Promise.reject(new Fault('deadline_exceeded', 'late')), true],
    ['a deadline that nobody can keep', 5, async () => Promise.reject(new Fault('deadline_exceeded', 'late')), false],
    ['gRPC DEADLINE_EXCEEDED after 150 ms', 150, async () => grpcReply([], { code: 4 }), true],
    ['gRPC DEADLINE_EXCEEDED at once', 5, async () => grpcReply([], { code: 4 }), false],
  ] as const)('judges %s by how long the version had', async (_, hadMs, late, isError) => {
    const { ask, ports } = gateway()
    await ask(
      2_000,
      badV2(async () => {
        ports.clock.advance(hadMs)
        return late()
      }),
    )
    expect(guardStatus(ports.lasting)[0]?.aborted !== undefined).toBe(isError)
  })

  it('counts a body that breaks off as an error, and gives every byte of one that does not', async () => {
    const { steer, watch, ports } = gateway()
    const v2 = everybody.map((name) => steer(metered({ principal: subject(name, { sub: name }) }))).find((x) => x.destination.subset === 'v2')
    const body = async function* (broken: boolean) {
      yield Buffer.from('one')
      if (broken) throw new Fault('upstream_reset', 'gone')
      yield Buffer.from('two')
    }
    const read = async (broken: boolean) => {
      const reply = await watch(v2 as never, async () => httpReply(200, { body: body(broken) }))
      let text = ''
      if (reply.kind === 'http') for await (const chunk of reply.body as AsyncIterable<Uint8Array>) text += Buffer.from(chunk).toString()
      return text
    }
    expect(await read(false)).toBe('onetwo')
    await expect(read(true)).rejects.toThrow('gone')
    expect(guardStatus(ports.lasting)[0]?.canary).toEqual({ answers: 2, errors: 1 })
  })

  it('keeps its abort over a reload of the same split, and begins anew with another one', async () => {
    const first = gateway()
    await first.ask(
      1_000,
      badV2(async () => httpReply(500)),
    )
    const again = gateway(canarySplit, { timeoutMs: 1 }, first.ports)
    expect(everybody.map(again.where)).not.toContain('v2')
    const other = gateway([to('v1', 50), to('v2', 30, { guard, pin }), to('v3', 20)], {}, first.ports)
    expect(everybody.map(other.where)).toContain('v2')
    for (const old of [first, again]) old.close()
    expect(guardStatus(first.ports.lasting)).toHaveLength(1)
    other.close()
    expect(guardStatus(first.ports.lasting)).toEqual([])
  })

  it('loses nothing to policies that were made ready and never came into force', async () => {
    const { ask, where, ports } = gateway()
    await ask(
      1_000,
      badV2(async () => httpReply(500)),
    )
    gateway([to('v1', 50), to('v2', 30, { guard, pin }), to('v3', 20)], {}, ports).close()
    expect(everybody.map(where)).not.toContain('v2')
    expect(guardStatus(ports.lasting).map(({ aborted }) => aborted !== undefined)).toEqual([true])
  })

  it('gets its weight back from an operator', async () => {
    const { ask, where, ports } = gateway()
    await ask(
      1_000,
      badV2(async () => httpReply(500)),
    )
    expect(await rearmGuard(ports.lasting, 'orders', 'orders/v1')).toBe(false)
    expect(await rearmGuard(ports.lasting, 'orders', 'orders/v2')).toBe(true)
    expect(everybody.map(where)).toContain('v2')
  })

  it('never aborts where nobody could take over', async () => {
    const { ask, where, ports } = gateway([to('v1', 0), to('v2', 100, { guard })])
    await ask(
      1_000,
      badV2(async () => httpReply(500)),
    )
    expect(where('u1')).toBe('v2')
    expect(guardStatus(ports.lasting)).toEqual([])
  })

  it('is drawn by weight among the others when nothing is sticky', async () => {
    const { ask, steer } = gateway(canarySplit, { sticky: undefined })
    await ask(
      3_000,
      badV2(async () => httpReply(500)),
    )
    const seen = Array.from({ length: 4_000 }, () => steer(metered()).destination.subset)
    expect(seen).not.toContain('v2')
    expect(seen.filter((at) => at === 'v1').length / seen.length).toBeCloseTo(0.75, 1)
  })
})
