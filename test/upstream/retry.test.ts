import { expect, test } from 'vitest'
import type { GrpcCall, HttpCall, Reply } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Retry } from '../../src/core/model/retry.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { bodyOf } from '../support/arrival.ts'
import { chunkedBody, grpcCall, httpCall } from '../support/calls.ts'
import { fakeClock } from '../support/clock.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakeChannels, fakePorts } from '../support/ports.ts'
import { testRpc } from '../support/routes.ts'
import { at, cluster, grpcReply, httpReply, retry, sendable } from '../support/sendable.ts'
import { textOf } from '../support/sockets.ts'

type Step = Reply | Fault

/** A cluster whose calls come out like these, one after another; then 200. Time passes by itself while nothing else happens. */
function setUp(steps: readonly Step[], endpoints = at('10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80')) {
  const left = [...steps]
  const bodies: string[] = []
  const take = async (call: HttpCall | GrpcCall): Promise<Reply> => {
    const step = left.shift() ?? (call.kind === 'grpc' ? grpcReply(['ok']) : httpReply(200))
    const sent = !(step instanceof Fault && step.code === 'upstream_unavailable')
    if (call.kind === 'http' && call.body !== undefined && sent) bodies.push(await textOf(call.body.chunks()))
    if (step instanceof Fault) throw step
    return step
  }
  const channels = fakeChannels({
    http: async (call) => (await take(call)) as ReturnType<typeof httpReply>,
    grpc: async (call) => (await take(call)) as ReturnType<typeof grpcReply>,
  })
  const clock = fakeClock()
  const waits: number[] = []
  const impatient = {
    ...clock,
    now: () => clock.now(),
    ticks: () => clock.ticks(),
    after(ms: number, run: () => void) {
      waits.push(ms)
      return clock.after(ms, run)
    },
  }
  const ports = fakePorts({ channels, clock: impatient })
  const upstream = buildUpstream(emptyPolicy({ clusters: { c: cluster('c', { endpoints }) } }), ports)

  async function run(given: { call?: HttpCall | GrpcCall; retry?: Partial<Retry> | 'none'; timeoutMs?: number; method?: string } = {}) {
    const rules = given.retry === 'none' ? undefined : retry(given.retry)
    const x = sendable({
      ...(given.call && { call: given.call }),
      ...(given.method && { method: given.method }),
      route: { retry: rules, timeoutMs: given.timeoutMs ?? 30_000 },
      receivedAt: clock.ticks(),
    })
    const state = { over: false }
    const result = upstream
      .forward(x)
      .then(
        (reply) => (reply.kind === 'http' ? reply.status : reply),
        (error: unknown) => Fault.from(error).code,
      )
      .finally(() => {
        state.over = true
      })
    for (let i = 0; i < 200 && !state.over; i += 1) {
      await new Promise((resolve) => setImmediate(resolve))
      if (!state.over) clock.advance(waits.length > 0 ? 500 : 0)
    }
    return { result: await result, tries: x.sent?.attempts, hosts: channels.calls.map(({ endpoint }) => (endpoint.address as { host: string }).host) }
  }
  return { run, waits, bodies, channels, meter: ports.meter, clock, upstream }
}

const unsent = () => new Fault('upstream_unavailable', 'nothing was sent')
const reset = () => new Fault('upstream_reset', 'broke off')

test('without retry rules every outcome stands', async () => {
  expect(await setUp([unsent()]).run({ retry: 'none' })).toMatchObject({ result: 'upstream_unavailable', tries: 1 })
  expect(await setUp([httpReply(503)]).run({ retry: 'none' })).toMatchObject({ result: 503, tries: 1 })
})

test('each condition repeats what it names, and no more', async () => {
  for (const [on, step, tries] of [
    [['connect'], unsent(), 2],
    [['connect'], reset(), 1],
    [['reset'], reset(), 2],
    [['reset'], unsent(), 1],
    [['unavailable'], httpReply(503), 2],
    [['unavailable'], httpReply(502), 1],
    [[502], httpReply(502), 2],
    [[502], httpReply(503), 1],
    [['connect', 'reset', 'unavailable', 502], new Fault('deadline_exceeded', ''), 1],
    [['connect', 'reset', 'unavailable', 502], new Fault('upstream_protocol', ''), 1],
    [['connect', 'reset', 'unavailable', 502], new Fault('address_denied', ''), 1],
  ] as const satisfies readonly (readonly [Retry['on'], Step, number])[]) {
    expect(await setUp([step]).run({ retry: { on } })).toMatchObject({ tries })
  }
})

test('every further try goes to another endpoint, as long as there is one', async () => {
  // By its weight the first would be chosen every time.
  const { hosts } = await setUp([reset(), reset()], at('10.0.0.1:80*1000', '10.0.0.2:80', '10.0.0.3:80')).run()
  expect(hosts[0]).toBe('10.0.0.1')
  expect(new Set(hosts).size).toBe(3)
  const single = await setUp([reset()], at('10.0.0.1:80')).run()
  expect(single).toMatchObject({ result: 200, hosts: ['10.0.0.1', '10.0.0.1'] })
})

test('the attempts run out, and the last outcome stands', async () => {
  const { run, meter } = setUp([reset(), reset(), reset(), reset()])
  expect(await run()).toMatchObject({ result: 'upstream_reset', tries: 3 })
  expect(meter.total('sallyport_upstream_retries_total', { cluster: 'c' })).toBe(2)
})

test('what may have been done is repeated only where the policy says that this is safe', async () => {
  const key = new FieldList([['idempotency-key', 'k1']])
  const tries = async (call: HttpCall, step: Step) => (await setUp([step]).run({ call })).tries
  expect(await tries(httpCall({ method: 'POST' }), reset())).toBe(1)
  expect(await tries(httpCall({ method: 'POST' }), httpReply(503))).toBe(1)
  expect(await tries(httpCall({ method: 'POST', headers: key }), reset())).toBe(2)
  expect(await tries(httpCall({ method: 'PATCH', headers: key }), reset())).toBe(1)
  expect(await tries(httpCall({ method: 'PUT' }), reset())).toBe(1)
  // Nothing of it was sent: sending it is not repeating it.
  expect(await tries(httpCall({ method: 'POST' }), unsent())).toBe(2)
})

test('a small body of known length is sent again; any other goes once', async () => {
  const headers = new FieldList([['idempotency-key', 'k1']])
  const small = setUp([reset()])
  expect(await small.run({ call: httpCall({ method: 'POST', headers, body: bodyOf('hello') }) })).toMatchObject({ tries: 2 })
  expect(small.bodies).toEqual(['hello', 'hello'])
  const large = setUp([reset()])
  expect(await large.run({ call: httpCall({ method: 'POST', headers, body: bodyOf('x'.repeat(64 * 1024 + 1)) }) })).toMatchObject({ tries: 1 })
  const stream = setUp([reset()])
  expect(await stream.run({ call: httpCall({ method: 'POST', headers, body: chunkedBody([Buffer.from('x')]) }) })).toMatchObject({ tries: 1 })
  // Not even begun, a stream can still go elsewhere.
  const unread = setUp([unsent()])
  expect(await unread.run({ call: httpCall({ method: 'POST', body: chunkedBody([Buffer.from('x')]) }) })).toMatchObject({ tries: 2, result: 200 })
  expect(unread.bodies).toEqual(['x'])
})

test('an RPC that may be repeated is, on the codes that are named, before its first message', async () => {
  const on = { on: ['connect', 'unavailable'] } as const
  const ended = (code: number) => grpcReply([], { code })
  const tries = async (call: GrpcCall, step: Step, rules: Partial<Retry> = on) => (await setUp([step]).run({ call, retry: rules, method: 'GET' })).tries
  expect(await tries(grpcCall(), ended(14))).toBe(2)
  expect(await tries(grpcCall(), reset())).toBe(2)
  expect(await tries(grpcCall(), unsent())).toBe(2)
  expect(await tries(grpcCall(), ended(14), { on: ['connect', 'reset', 503] })).toBe(1)
  expect(await tries(grpcCall(), reset(), { on: ['connect', 'reset'] })).toBe(2)
  expect(await tries(grpcCall(), reset(), { on: ['connect'] })).toBe(1)
  expect(await tries(grpcCall(), ended(13))).toBe(1)
  expect(await tries(grpcCall(), ended(8), { on: ['resource_exhausted'] })).toBe(2)
  expect(await tries(grpcCall(), ended(10), { on: ['aborted'] })).toBe(2)
  expect(await tries(grpcCall(), ended(10), { on: ['resource_exhausted'] })).toBe(1)
  expect(await tries(grpcCall(), grpcReply(['one'], { code: 14 }))).toBe(1)
  const streamed = (async function* () {
    yield Buffer.from('x')
  })()
  expect(await tries(grpcCall({ messages: streamed }), ended(14))).toBe(1)
  // The first message may have been taken for the connection that failed: a second try would begin with the next one.
  expect(await tries(grpcCall({ messages: streamed }), unsent())).toBe(1)
})

test('an RPC that nobody declares safe is not sent again once anything of it was sent', async () => {
  const steps = [reset(), grpcReply([], { code: 14 })]
  for (const step of steps) expect(await setUp([step]).run({ call: grpcCall() })).toMatchObject({ tries: 1 })
  expect(await setUp([unsent()]).run({ call: grpcCall() })).toMatchObject({ tries: 2 })
  const key = new FieldList([['idempotency-key', 'k1']])
  expect(await setUp([reset()]).run({ call: grpcCall({ metadata: key }) })).toMatchObject({ tries: 2 })
})

test('descriptors and policies say which RPCs are safe', async () => {
  const { path } = grpcCall()
  const [service = '', method = ''] = path.slice(1).split('/')
  const tries = async (facts: object, rpcs: readonly string[] = []) => {
    const { upstream, channels, clock } = setUp([reset()])
    const rpc = { ...testRpc(service, method, []), ...facts }
    const match = { ...plainRoute('r').match, path: undefined, grpc: { service, rpcs: [rpc], descriptors: '' } }
    const x = sendable({ call: grpcCall(), route: { match, retry: retry({ rpcs }), timeoutMs: 30_000 }, receivedAt: clock.ticks() })
    const over = upstream.forward(x).catch(() => {})
    for (let i = 0; i < 10; i += 1) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(100)
    }
    await over
    return channels.calls.length
  }
  expect(await tries({})).toBe(1)
  expect(await tries({ noSideEffects: true })).toBe(2)
  expect(await tries({ idempotent: true })).toBe(2)
  expect(await tries({}, [method])).toBe(2)
  expect(await tries({}, ['Other'])).toBe(1)
})

test('bodies are kept up to the size that the policy says', async () => {
  const call = (size: number) => httpCall({ method: 'POST', headers: new FieldList([['idempotency-key', 'k1']]), body: bodyOf('x'.repeat(size)) })
  expect(await setUp([reset()]).run({ call: call(100), retry: { bodies: 100 } })).toMatchObject({ tries: 2 })
  expect(await setUp([reset()]).run({ call: call(101), retry: { bodies: 100 } })).toMatchObject({ tries: 1 })
})

test('what never went out goes to another endpoint at once and takes nothing from the budget', async () => {
  const { channels, upstream, waits } = setUp(Array.from({ length: 20 }, unsent))
  const calls = Array.from({ length: 20 }, () => upstream.forward(sendable({ route: { retry: retry({ attempts: 1, budget: 0 }), timeoutMs: 30_000 } })))
  await Promise.all(calls)
  expect(channels.calls.length).toBe(40)
  expect(waits).toEqual([])
})

test('what was looked at to judge a reply is still there for its reader', async () => {
  const { result } = await setUp([grpcReply(['one', 'two'])]).run({ call: grpcCall({ serverStream: true }), method: 'GET' })
  if (typeof result !== 'object') throw new Error('not a reply')
  expect(await textOf(result.messages)).toBe('onetwo')
})

test('Retry-After is waited for up to the limit, in seconds or as a date; a longer one is passed on', async () => {
  const after = (value: string) => httpReply(503, { headers: new FieldList([['retry-after', value]]) })
  const seconds = setUp([after('3')])
  expect(await seconds.run()).toMatchObject({ result: 200, tries: 2 })
  expect(seconds.waits).toContain(3_000)
  const date = setUp([after(new Date(Date.UTC(2026, 0, 1, 0, 0, 4)).toUTCString())])
  expect(await date.run()).toMatchObject({ result: 200, tries: 2 })
  expect(date.waits.some((ms) => ms > 3_000 && ms <= 4_000)).toBe(true)
  expect(await setUp([after('11')]).run()).toMatchObject({ result: 503, tries: 1 })
  const pushback = grpcReply([], { code: 14, trailers: new FieldList([['grpc-retry-pushback-ms', '-1']]) })
  expect(await setUp([pushback]).run({ call: grpcCall(), method: 'GET' })).toMatchObject({ tries: 1 })
})

test('no try is waited for that could not begin before the deadline', async () => {
  const after = httpReply(503, { headers: new FieldList([['retry-after', '3']]) })
  expect(await setUp([after]).run({ timeoutMs: 2_000 })).toMatchObject({ result: 503, tries: 1 })
})

test('an answer that is not passed on is let go', async () => {
  let closed = false
  const body = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false as const, value: Buffer.from('x') }),
      return: async () => {
        closed = true
        return { done: true as const, value: undefined }
      },
    }),
  }
  expect(await setUp([httpReply(503, { body })]).run()).toMatchObject({ result: 200 })
  expect(closed).toBe(true)
})

test('retries keep to their budget: three at once, or their share of what is under way', async () => {
  const { channels, upstream, clock } = setUp(Array.from({ length: 60 }, reset))
  const calls = Array.from({ length: 30 }, () =>
    upstream.forward(sendable({ route: { retry: retry({ attempts: 1, budget: 0.2 }), timeoutMs: 30_000 } })).catch((error: unknown) => Fault.from(error).code),
  )
  await new Promise((resolve) => setImmediate(resolve))
  clock.advance(5_000)
  await Promise.all(calls)
  // 30 under way, so 6 may be repeated at once; as the others end, the share shrinks to its minimum of 3.
  expect(channels.calls.length - 30).toBeGreaterThanOrEqual(3)
  expect(channels.calls.length - 30).toBeLessThanOrEqual(6)
})
