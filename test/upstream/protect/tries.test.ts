import { expect, test } from 'vitest'
import { Fault } from '../../../src/core/model/fault.ts'
import { FieldList } from '../../../src/core/model/fields.ts'
import type { Hedge } from '../../../src/core/model/retry.ts'
import { bodyOf } from '../../support/arrival.ts'
import { chunkedBody, grpcCall, httpCall } from '../../support/calls.ts'
import { byHand, settle } from '../../support/protected.ts'
import { at, grpcReply, httpReply, retry, type SendableInput } from '../../support/sendable.ts'

const patient = (given: Parameters<typeof retry>[0] = {}): SendableInput => ({
  route: { retry: retry({ attempts: 1, on: ['connect', 'deadline'], ...given }), timeoutMs: 2_000 },
})
const hedged = (given: Partial<Hedge> = {}): SendableInput => ({ route: { hedge: { after: { ms: 50 }, budget: 1, ...given }, timeoutMs: 2_000 } })

test('a try that has used up its share of the time gets company elsewhere, and may still win', async () => {
  const { send, waiting, clock, meter } = byHand()
  const sent = await send(patient())
  clock.advance(999)
  await settle()
  expect(waiting.length).toBe(1)
  clock.advance(1)
  await settle()
  expect(waiting.map(({ host }) => host)).toEqual(['10.0.0.1', '10.0.0.2'])
  waiting[0]?.answer(httpReply(200))
  await settle()
  expect(sent).toMatchObject({ result: 200, x: { sent: { endpoint: '10.0.0.1:80', attempts: 2 } } })
  // The other one is called off.
  expect(waiting[1]?.options.lifeline.ended?.code).toBe('deadline_exceeded')
  expect(meter.total('sallyport_upstream_requests_total', { cluster: 'c', outcome: 'overtaken' })).toBe(1)
})

test('a frozen endpoint costs no request where there is another', async () => {
  const { send, waiting, clock } = byHand()
  const sent = await send(patient())
  clock.advance(1_000)
  await settle()
  waiting[1]?.answer(httpReply(200))
  await settle()
  expect(sent).toMatchObject({ result: 200, x: { sent: { endpoint: '10.0.0.2:80' } } })
  expect(waiting[0]?.options.lifeline.ended).toBeDefined()
})

test('nobody gets company who must not be sent twice, has no other endpoint, or does not ask for it', async () => {
  const key = new FieldList([['idempotency-key', 'k']])
  for (const [given, input] of [
    [{}, { ...patient(), call: httpCall({ method: 'POST', body: bodyOf('x') }) }],
    // With a key the second would be told that the first still runs.
    [{}, { ...patient(), call: httpCall({ method: 'POST', headers: key, body: bodyOf('x') }) }],
    [{}, { ...patient({ methods: ['PUT'] }), call: httpCall({ method: 'PUT', body: chunkedBody([Buffer.from('x')]) }) }],
    [{}, { ...patient(), call: grpcCall() }],
    [{}, { ...patient(), call: grpcCall({ serverStream: true }), method: 'GET' }],
    [{ endpoints: at('10.0.0.1:80') }, patient()],
    [{}, patient({ on: ['connect'] })],
    [{}, patient({ attempts: 0 })],
  ] as const satisfies readonly (readonly [Parameters<typeof byHand>[0], SendableInput])[]) {
    const { send, waiting, clock } = byHand(given)
    await send(input)
    clock.advance(1_900)
    await settle()
    expect(waiting.length).toBe(1)
  }
})

test('company waits for room in the budget', async () => {
  const { send, waiting, clock } = byHand()
  await Promise.all(Array.from({ length: 8 }, () => send(patient({ budget: 0 }))))
  clock.advance(1_000)
  await settle()
  expect(waiting.length).toBe(8 + 3)
  for (const one of waiting.slice(8)) one.answer(httpReply(200))
  await settle()
  clock.advance(100)
  await settle()
  expect(waiting.length).toBe(11 + 3)
})

test('the cluster’s cap bounds retries whatever the route allows', async () => {
  const { send, waiting, clock } = byHand({ caps: { requests: 1024, retries: 1 } })
  await Promise.all(Array.from({ length: 8 }, () => send(patient({ budget: 1 }))))
  clock.advance(1_000)
  await settle()
  expect(waiting.length).toBe(8 + 1)
})

test('with perTry a try is cut and the next one goes elsewhere; the last one’s end stands', async () => {
  const { send, waiting, clock } = byHand()
  const sent = await send({ ...patient({ perTryMs: 300 }) })
  clock.advance(300)
  await settle()
  expect(waiting[0]?.options.lifeline.ended?.code).toBe('deadline_exceeded')
  clock.advance(25)
  await settle()
  expect(waiting.map(({ host }) => host)).toEqual(['10.0.0.1', '10.0.0.2'])
  clock.advance(300)
  await settle()
  expect(sent).toMatchObject({ result: 'deadline_exceeded', fault: { message: 'the upstream took too long' } })
})

test('perTry is what the upstream is told, and does not cut what may not be repeated', async () => {
  const told = byHand()
  await told.send({ ...patient({ perTryMs: 300 }), call: grpcCall(), method: 'GET' })
  const [first] = told.waiting
  expect(first?.call.kind === 'grpc' && first.call.metadata.get('grpc-timeout')).toBe('300m')
  const { send, waiting, clock } = byHand()
  await send({ ...patient({ perTryMs: 300 }), call: httpCall({ method: 'POST', body: bodyOf('x') }) })
  clock.advance(1_000)
  await settle()
  expect(waiting).toMatchObject([{ options: { lifeline: { ended: undefined } } }])
})

test('a sidecar is not told perTry where it bounds the wait for headers alone: it would cut downloads', async () => {
  const { send, waiting } = byHand({ sidecar: 'envoy' })
  await send(patient({ perTryMs: 300 }))
  const call = waiting[0]?.call
  expect(Number(call?.kind === 'http' && call.headers.get('x-envoy-upstream-rq-timeout-ms'))).toBeGreaterThan(300)
})

test('perTry without the condition deadline cuts, and the cut stands', async () => {
  const { send, waiting, clock } = byHand()
  const sent = await send(patient({ perTryMs: 300, on: ['connect', 'reset'] }))
  clock.advance(300)
  await settle()
  expect([sent.result, waiting.length]).toEqual(['deadline_exceeded', 1])
})

test('a hedge goes to another endpoint after its delay; the first good answer wins and the other is called off', async () => {
  const { send, waiting, clock, meter } = byHand()
  const sent = await send(hedged())
  clock.advance(49)
  await settle()
  expect(waiting.length).toBe(1)
  clock.advance(1)
  await settle()
  expect(waiting.map(({ host }) => host)).toEqual(['10.0.0.1', '10.0.0.2'])
  waiting[1]?.answer(httpReply(200))
  await settle()
  expect(sent).toMatchObject({ result: 200, x: { sent: { endpoint: '10.0.0.2:80', attempts: 2 } } })
  expect(waiting[0]?.options.lifeline.ended).toBeDefined()
  expect(meter.total('sallyport_upstream_hedges_total', { cluster: 'c', outcome: 'won' })).toBe(1)
})

test('a bad answer does not win while the other try may do better, and stands when it does not', async () => {
  const { send, waiting, clock, meter } = byHand()
  const better = await send(hedged())
  clock.advance(50)
  await settle()
  waiting[1]?.answer(httpReply(503))
  await settle()
  expect(better.result).toBeUndefined()
  waiting[0]?.answer(httpReply(200))
  await settle()
  expect(better.result).toBe(200)
  expect(meter.total('sallyport_upstream_hedges_total', { cluster: 'c', outcome: 'lost' })).toBe(1)
  const worse = await send(hedged())
  clock.advance(50)
  await settle()
  waiting[2]?.fail(new Fault('upstream_reset', 'broke off'))
  waiting[3]?.answer(httpReply(503))
  await settle()
  expect(worse.result).toBe(503)
})

test('a gRPC reply wins with its first message, not with its headers alone', async () => {
  const { send, waiting, clock } = byHand()
  const sent = await send({ ...hedged(), call: grpcCall(), method: 'GET' })
  clock.advance(50)
  await settle()
  waiting[1]?.answer(grpcReply([], { code: 14 }))
  await settle()
  expect(sent.result).toBeUndefined()
  waiting[0]?.answer(grpcReply(['ok']))
  await settle()
  expect(sent).toMatchObject({ result: 'grpc', x: { sent: { endpoint: '10.0.0.1:80' } } })
})

test('only calls that mean the same once and twice are hedged, and only whole', async () => {
  const key = new FieldList([['idempotency-key', 'k']])
  for (const input of [
    { call: httpCall({ method: 'POST', body: bodyOf('x') }) },
    { call: httpCall({ method: 'POST', headers: key, body: bodyOf('x') }) },
    { call: httpCall({ method: 'GET', body: chunkedBody([Buffer.from('x')]) }) },
    { call: grpcCall() },
    { call: grpcCall({ serverStream: true }), method: 'GET' },
  ] satisfies readonly SendableInput[]) {
    const { send, waiting, clock } = byHand()
    await send({ ...hedged(), ...input })
    clock.advance(1_000)
    await settle()
    expect(waiting.length).toBe(1)
  }
})

test('hedges keep to their share of the requests', async () => {
  const { send, waiting, clock } = byHand()
  let hedges = 0
  for (let i = 0; i < 100; i += 1) {
    await send(hedged({ budget: 0.1 }))
    const before = waiting.length
    clock.advance(50)
    await settle()
    hedges += waiting.length - before
    for (const one of waiting.slice(-2)) one.answer(httpReply(200))
    await settle()
  }
  expect(hedges).toBeGreaterThanOrEqual(9)
  expect(hedges).toBeLessThanOrEqual(10)
})

test('a percentile is that of the answers so far; without enough of them nobody is hedged', async () => {
  const { send, waiting, clock, round } = byHand()
  const input = hedged({ after: { percentile: 0.95 } })
  const early = await send(input)
  clock.advance(1_900)
  await settle()
  expect(waiting.length).toBe(1)
  waiting[0]?.answer(httpReply(200))
  await settle()
  expect(early.result).toBe(200)
  for (let i = 0; i < 110; i += 1) await round(10, 200, input)
  await send(input)
  const before = waiting.length
  clock.advance(8)
  await settle()
  expect(waiting.length).toBe(before)
  clock.advance(8)
  await settle()
  expect(waiting.length).toBe(before + 1)
})

test('a caller who goes away ends every try', async () => {
  const { send, waiting, clock } = byHand()
  const sent = await send(hedged())
  clock.advance(50)
  await settle()
  sent.lifeline.end(new Fault('client_closed', 'gone'))
  await settle()
  expect(waiting.map(({ options }) => options.lifeline.ended?.code)).toEqual(['client_closed', 'client_closed'])
  expect(sent.result).toBe('client_closed')
})

test('nothing stays counted after tries that were overtaken', async () => {
  const { send, waiting, clock, meter } = byHand({ caps: { requests: 1 } })
  for (let i = 0; i < 3; i += 1) {
    const sent = await send(hedged())
    clock.advance(50)
    await settle()
    waiting.at(-1)?.answer(httpReply(200))
    await settle()
    expect(sent.result).toBe(200)
  }
  expect(meter.total('sallyport_upstream_held_back_total', { cluster: 'c', reason: 'cap' })).toBe(0)
  expect(clock.pending).toBe(0)
})
