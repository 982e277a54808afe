import { expect, test } from 'vitest'
import type { BreakerRule } from '../../../src/core/model/breaker.ts'
import { Fault } from '../../../src/core/model/fault.ts'
import { buildUpstream, endpointsOf, shieldsOf } from '../../../src/core/upstream.ts'
import { chunkedBody, grpcCall } from '../../support/calls.ts'
import { emptyPolicy } from '../../support/policy.ts'
import { byHand, settle } from '../../support/protected.ts'
import { at, cluster, grpcReply, httpReply, retry, sendable } from '../../support/sendable.ts'

const breaker: BreakerRule = { consecutive: 3, failures: 1, minRequests: 1_000, windowMs: 10_000, openMs: 30_000, probes: 1 }

test('a cluster that fails is left alone: refused at once with the time until it may be asked, without dialling', async () => {
  const { send, round, waiting, clock, meter, ports } = byHand({ breaker, outlier: undefined })
  for (let i = 0; i < 3; i += 1) expect(await round(1, 500)).toBe(500)
  clock.advance(10_000)
  const refused = await send()
  expect(refused.fault).toMatchObject({ code: 'circuit_open', status: 503, detail: { headers: [['retry-after', '20']] } })
  expect(waiting.length).toBe(3)
  expect(shieldsOf(ports)).toMatchObject([{ place: 'c', breaker: 'open', backInMs: 20_000, limit: undefined }])
  expect(meter.level('sallyport_upstream_breaker_open', { place: 'c' })).toBe(1)
  expect(meter.total('sallyport_upstream_breaker_openings_total', { place: 'c' })).toBe(1)
  expect(meter.total('sallyport_upstream_held_back_total', { cluster: 'c', reason: 'breaker' })).toBe(1)
  clock.advance(20_000)
  const probe = await send()
  expect((await send()).result).toBe('circuit_open')
  waiting.at(-1)?.answer(httpReply(200))
  await settle()
  expect(probe.result).toBe(200)
  expect(await round(1)).toBe(200)
  expect(shieldsOf(ports)).toMatchObject([{ breaker: 'closed' }])
})

test('the metrics of a cluster that policies no longer name do not say that its breaker is open', async () => {
  const { round, meter, upstream } = byHand({ breaker, outlier: undefined })
  for (let i = 0; i < 3; i += 1) await round(1, 500)
  const level = () => meter.level('sallyport_upstream_breaker_open', { place: 'c' })
  expect(level()).toBe(1)
  await upstream.close()
  expect(level()).toBe(0)
})

test('what counts as a failure: no answer, half an answer, 5xx, UNAVAILABLE; not what callers do wrong, nor that they leave', async () => {
  const fails = async (run: (world: ReturnType<typeof byHand>) => Promise<unknown>) => {
    const world = byHand({ breaker: { ...breaker, consecutive: 1 }, outlier: undefined })
    await run(world)
    await settle()
    return shieldsOf(world.ports)[0]?.breaker === 'open'
  }
  expect(await fails(({ round }) => round(1, 500))).toBe(true)
  expect(await fails(({ round }) => round(1, 503))).toBe(true)
  expect(await fails(({ round }) => round(1, 404))).toBe(false)
  expect(await fails(({ round }) => round(1, 429))).toBe(false)
  for (const [code, counts] of [
    ['upstream_unavailable', true],
    ['upstream_reset', true],
    ['upstream_protocol', true],
    ['body_too_large', false],
  ] as const) {
    const run = async ({ send, waiting }: ReturnType<typeof byHand>) => {
      await send()
      waiting[0]?.fail(new Fault(code, ''))
    }
    expect(await fails(run)).toBe(counts)
  }
  const left = async ({ send }: ReturnType<typeof byHand>) => (await send()).lifeline.end(new Fault('client_closed', ''))
  expect(await fails(left)).toBe(false)
  for (const [code, counts] of [
    [14, true],
    [13, true],
    [5, false],
    [3, false],
  ] as const) {
    const run = async ({ send, waiting }: ReturnType<typeof byHand>) => {
      const sent = await send({ call: grpcCall() })
      waiting[0]?.answer(grpcReply([], { code }))
      await settle()
      if (sent.reply?.kind !== 'grpc') throw new Error('not gRPC')
      for await (const _ of sent.reply.messages) throw new Error('no message was sent')
    }
    expect(await fails(run)).toBe(counts)
  }
})

test('a broken version does not take the others with it, and a reload keeps what is known', async () => {
  const subsets = { v2: { authority: undefined, endpoints: at('10.0.9.1:80') } }
  const world = byHand({ breaker, outlier: undefined, subsets })
  for (let i = 0; i < 3; i += 1) await world.round(1, 500, { subset: 'v2' })
  expect((await world.send({ subset: 'v2' })).result).toBe('circuit_open')
  expect(await world.round(1)).toBe(200)
  const next = buildUpstream(emptyPolicy({ clusters: { c: cluster('c', { breaker, subsets }) } }), world.ports)
  await world.upstream.close()
  await expect(next.forward(sendable({ subset: 'v2', receivedAt: world.clock.ticks() }))).rejects.toMatchObject({ code: 'circuit_open' })
  const without = buildUpstream(emptyPolicy({ clusters: { c: cluster('c', { subsets }) } }), world.ports)
  expect(shieldsOf(world.ports)).toEqual([])
  await Promise.all([next.close(), without.close()])
})

test('a retry counts as a try of its own, and a breaker that opens in between leaves the answer that is there', async () => {
  const { send, waiting, clock } = byHand({ breaker: { ...breaker, consecutive: 2 }, outlier: undefined })
  const sent = await send({ route: { retry: retry({ attempts: 5, on: [503] }), timeoutMs: 30_000 } })
  waiting[0]?.answer(httpReply(503))
  await settle()
  clock.advance(1_000)
  await settle()
  waiting[1]?.answer(httpReply(503))
  await settle()
  // At once: nobody waits for a try that cannot begin.
  expect([waiting.length, sent.result]).toEqual([2, 503])
})

test('a breaker that others open while a retry pauses leaves the answer that is there', async () => {
  const { send, waiting, clock, ports } = byHand({ breaker: { ...breaker, consecutive: 2 }, outlier: undefined })
  const body = chunkedBody([Buffer.from('try later')])
  const sent = await send({ route: { retry: retry({ attempts: 5, on: [503] }), timeoutMs: 30_000 } })
  waiting[0]?.answer(httpReply(503, { body: body.chunks() }))
  await settle()
  await send()
  waiting[1]?.fail(new Fault('upstream_reset', ''))
  await settle()
  expect(shieldsOf(ports)).toMatchObject([{ breaker: 'open' }])
  clock.advance(1_000)
  await settle()
  expect([waiting.length, sent.result]).toEqual([2, 503])
  // Nothing of it is lost.
  const chunks: Uint8Array[] = []
  if (sent.reply?.kind === 'http' && sent.reply.body !== undefined && !(sent.reply.body instanceof Uint8Array))
    for await (const chunk of sent.reply.body) chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toBe('try later')
  expect(ports.meter.total('sallyport_upstream_retries_total', { cluster: 'c' })).toBe(0)
})

test('as many as pending says wait for a place, first come first served, until their deadline; more are refused at once', async () => {
  const { send, waiting, clock, meter } = byHand({ caps: { requests: 1, pending: 2 } })
  const first = await send()
  const second = await send()
  const third = await send({ deadline: clock.ticks() + 100 })
  const fourth = await send()
  expect([waiting.length, fourth.result]).toEqual([1, 'overloaded'])
  expect(fourth.fault?.detail.headers).toEqual([['retry-after', '1']])
  expect(meter.total('sallyport_upstream_held_back_total', { cluster: 'c', reason: 'pending' })).toBe(1)
  expect(meter.level('sallyport_upstream_pending_requests', { cluster: 'c' })).toBe(2)
  clock.advance(100)
  await settle()
  expect(third.result).toBe('deadline_exceeded')
  waiting[0]?.answer(httpReply(200))
  await settle()
  expect([first.result, waiting.length]).toEqual([200, 2])
  waiting[1]?.answer(httpReply(201))
  await settle()
  expect(second.result).toBe(201)
  expect(meter.level('sallyport_upstream_pending_requests', { cluster: 'c' })).toBe(0)
})

test('over HTTP/1.1 no more are under way than there may be connections; over HTTP/2 many share one', async () => {
  const caps = { requests: 10, pending: 0, connections: 1 }
  const { send, waiting, meter } = byHand({ caps })
  await send()
  const second = await send()
  expect([second.result, second.fault?.detail.internal, waiting.length]).toEqual(['overloaded', 'cap of c reached: connections', 1])
  expect(meter.total('sallyport_upstream_held_back_total', { cluster: 'c', reason: 'connections' })).toBe(1)
  waiting[0]?.answer(httpReply(200))
  await settle()
  expect((await send()).result).toBeUndefined()
  const shared = byHand({ caps, protocol: 'h2' })
  for (let i = 0; i < 3; i += 1) await shared.send()
  expect(shared.waiting.length).toBe(3)
  expect(shared.channels.calls[0]?.endpoint.connections).toEqual({ of: 'cluster c', most: 1 })
})

test('a try for which there is no connection is refused, counted and held against nobody', async () => {
  const { send, waiting, meter, ports } = byHand({ caps: { requests: 10, connections: 1 }, protocol: 'h2', breaker: { ...breaker, consecutive: 1 } })
  const sent = await send()
  waiting[0]?.fail(new Fault('overloaded', 'too many connections are in use'))
  await settle()
  expect(sent.result).toBe('overloaded')
  expect(meter.total('sallyport_upstream_held_back_total', { cluster: 'c', reason: 'connections' })).toBe(1)
  expect(shieldsOf(ports)).toMatchObject([{ breaker: 'closed' }])
  expect(endpointsOf(ports).map(({ answerMs }) => answerMs)).toEqual([undefined, undefined])
})

test('who goes away while waiting leaves the line', async () => {
  const { send, waiting } = byHand({ caps: { requests: 1, pending: 1 } })
  await send()
  const gone = await send()
  gone.lifeline.end(new Fault('client_closed', 'gone'))
  await settle()
  expect(gone.result).toBe('client_closed')
  await send()
  waiting[0]?.answer(httpReply(200))
  await settle()
  expect(waiting.length).toBe(2)
})

test('adaptive concurrency refuses what the upstream does not take, and counts', async () => {
  const { send, ports, meter } = byHand({ concurrency: 'adaptive' })
  const results = await Promise.all(Array.from({ length: 25 }, () => send()))
  expect(results.filter(({ result }) => result === 'overloaded').length).toBe(5)
  expect(shieldsOf(ports)).toMatchObject([{ place: 'c', limit: 20, active: 20, breaker: undefined }])
  expect(meter.total('sallyport_upstream_held_back_total', { cluster: 'c', reason: 'concurrency' })).toBe(5)
  expect(meter.level('sallyport_upstream_concurrency_limit', { place: 'c' })).toBe(20)
})

test('a request with less time than almost any answer takes is refused at once, but now and then one finds out whether that still holds', async () => {
  const { send, round, waiting, clock } = byHand()
  for (let i = 0; i < 110; i += 1) await round(100)
  const before = waiting.length
  // The first is let through.
  await send({ deadline: clock.ticks() + 50 })
  const refused = await send({ deadline: clock.ticks() + 50 })
  expect([refused.result, refused.fault?.message, waiting.length]).toEqual(['deadline_exhausted', 'too little time is left', before + 1])
  await send({ deadline: clock.ticks() + 150 })
  expect(waiting.length).toBe(before + 2)
  clock.advance(1_000)
  await send({ deadline: clock.ticks() + 50 })
  expect(waiting.length).toBe(before + 3)
})

test('when a slow place is quick again, callers who all have little time are let in again within a few seconds', async () => {
  const { send, round, waiting, clock } = byHand()
  for (let i = 0; i < 1_900; i += 1) await round(20)
  const recovered = async (backFor: number) => {
    clock.advance(250)
    const before = waiting.length
    await Promise.all([0, 1, 2].map(() => send({ deadline: clock.ticks() + 10 })))
    const letIn = waiting.slice(before)
    for (const one of letIn) one.answer(httpReply(200))
    await settle()
    return letIn.length === 3 ? backFor : undefined
  }
  let since: number | undefined
  for (let ms = 250; since === undefined && ms <= 20_000; ms += 250) since = await recovered(ms)
  expect(since).toBeGreaterThan(1_000)
  expect(since).toBeLessThan(5_000)
})

test('nobody is refused by evidence that is seconds old, but what is still slow when it is tried stays refused', async () => {
  const { send, round, waiting, clock } = byHand()
  for (let i = 0; i < 110; i += 1) await round(100)
  const letIn = async () => {
    const before = waiting.length
    await Promise.all([0, 1, 2].map(() => send({ deadline: clock.ticks() + 50 })))
    return waiting.length - before
  }
  for (let second = 0; second < 20; second += 1) {
    expect(await letIn()).toBe(1)
    // Whoever was let in has waited in vain.
    waiting.at(-1)?.fail(new Fault('deadline_exceeded', 'the deadline has passed'))
    await settle()
    clock.advance(1_000)
  }
  clock.advance(10_000)
  expect(await letIn()).toBe(3)
})

test('probes whose answer goes on and on close it all the same, as do those whose caller has left a good answer', async () => {
  const { send, round, waiting, clock, ports } = byHand({ breaker: { ...breaker, probes: 2 }, outlier: undefined })
  for (let i = 0; i < 3; i += 1) expect(await round(1, 500)).toBe(500)
  clock.advance(30_000)
  async function* endless() {
    for (;;) yield Buffer.from('data: 1\n\n')
  }
  const streams = [await send(), await send()]
  for (const entry of waiting.slice(-2)) entry.answer(httpReply(200, { body: endless() }))
  await settle()
  expect((await send()).result).toBe('circuit_open')
  const bodies = streams.map(({ reply }) => (reply?.kind === 'http' ? (reply.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]() : undefined))
  await bodies[0]?.next()
  expect(shieldsOf(ports)).toMatchObject([{ breaker: 'half_open' }])
  clock.advance(5_000)
  await bodies[0]?.next()
  streams[1]?.lifeline.end(new Fault('client_closed', ''))
  expect(shieldsOf(ports)).toMatchObject([{ breaker: 'closed' }])
})
