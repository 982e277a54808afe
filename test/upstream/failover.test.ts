import { describe, expect, it } from 'vitest'
import { type GrpcCall, type HttpCall, type Reply } from '../../src/core/model/call.ts'
import type { Failover } from '../../src/core/model/destination.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { chunkedBody, grpcCall, httpCall } from '../support/calls.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakeChannels, fakePorts } from '../support/ports.ts'
import { at, cluster, grpcReply, httpReply, retry, sendable } from '../support/sendable.ts'

type Answer = () => Promise<Reply>

const refused: Answer = () => Promise.reject(new Fault('upstream_unavailable', 'nothing listens here'))
const broken: Answer = () => Promise.reject(new Fault('upstream_reset', 'it broke off'))
const good: Answer = async () => httpReply(200)
const busy: Answer = async () => httpReply(503)

/** Clusters `c` (10.0.0.1) and `spare` (10.0.0.9), and a route that fails over from one to the other. */
function setUp(first: Answer, second: Answer = good, given: Partial<Failover> = {}, own: Parameters<typeof cluster>[1] = {}) {
  const answers = { first, second }
  const answer = (endpoint: { address: { kind: string; host?: string } }) => (endpoint.address.host === '10.0.0.9' ? answers.second() : answers.first())
  const channels = fakeChannels({
    http: async (_call, _options, endpoint) => (await answer(endpoint)) as ReturnType<typeof httpReply>,
    grpc: async (_call, _options, endpoint) => (await answer(endpoint)) as ReturnType<typeof grpcReply>,
  })
  const ports = fakePorts({ channels })
  const clusters = {
    c: cluster('c', { endpoints: at('10.0.0.1:80'), ...own }),
    spare: cluster('spare', { endpoints: at('10.0.0.9:80'), authority: 'spare.test', subsets: { v2: { authority: 'v2.spare.test', endpoints: undefined } } }),
  }
  const upstream = buildUpstream(emptyPolicy({ clusters }), ports)
  const failover: Failover = { cluster: 'spare', subset: undefined, on: ['connect'], ...given }
  const send = async (call: HttpCall | GrpcCall = httpCall(), route: object = {}, method = 'POST') => {
    const x = sendable({ call, method, route: { split: [{ cluster: 'c', subset: undefined, weight: 100, pin: undefined, failover }], ...route } })
    return { reply: await upstream.forward(x), x }
  }
  const hosts = () => channels.calls.map(({ endpoint }) => (endpoint.address.kind === 'tcp' ? endpoint.address.host : ''))
  return { ...ports, upstream, send, hosts, answers }
}

async function all(messages: AsyncIterable<Uint8Array>): Promise<readonly string[]> {
  const texts: string[] = []
  for await (const message of messages) texts.push(Buffer.from(message).toString())
  return texts
}

describe('failover', () => {
  it('sends what could not be sent to the second cluster, under its own name, within the same deadline', async () => {
    const { send, hosts, channels, meter } = setUp(refused)
    const { reply, x } = await send()
    expect(reply).toMatchObject({ status: 200 })
    expect(hosts()).toEqual(['10.0.0.1', '10.0.0.9'])
    expect(channels.calls[1]?.call.authority).toBe('spare.test')
    expect(channels.calls[1]?.options.deadline).toBe(channels.calls[0]?.options.deadline)
    expect(x.failedOver).toMatchObject({ cluster: 'spare' })
    expect(meter.total('sallyport_failovers_total', { cluster: 'c', to: 'spare' })).toBe(1)
  })

  it('moves what an open breaker refuses, without asking the first one', async () => {
    const breaker = { consecutive: 1, failures: 1, minRequests: 1_000, windowMs: 10_000, openMs: 30_000, probes: 1 }
    const { send, hosts } = setUp(busy, good, {}, { breaker, outlier: undefined })
    expect((await send()).reply).toMatchObject({ status: 503 })
    expect((await send(httpCall({ method: 'POST' }))).reply).toMatchObject({ status: 200 })
    expect(hosts()).toEqual(['10.0.0.1', '10.0.0.9'])
  })

  it('asks no second place for an RPC that nobody declares safe, once it was sent', async () => {
    const { send, hosts } = setUp(broken, good, { on: ['connect', 'unavailable'] })
    await expect(send(grpcCall())).rejects.toMatchObject({ code: 'upstream_reset' })
    expect(hosts()).toEqual(['10.0.0.1'])
  })

  it('asks the first one first every time, so it has its requests back when it answers', async () => {
    const { send, hosts, answers } = setUp(refused)
    await send()
    answers.first = good
    const { x } = await send()
    expect(hosts().slice(2)).toEqual(['10.0.0.1'])
    expect(x.failedOver).toBeUndefined()
  })

  it('happens when the first cluster has nobody at all, for a stream too, of which nothing is gone then', async () => {
    const { send, hosts } = setUp(good, async () => grpcReply(['m']), {}, { endpoints: { kind: 'static', addresses: [] } })
    const messages = (async function* () {
      yield Buffer.from('one')
    })()
    await send(grpcCall({ messages }))
    expect(hosts()).toEqual(['10.0.0.9'])
  })

  it('is not tried with a stream whose first messages may be gone', async () => {
    const { send, hosts } = setUp(refused)
    const messages = (async function* () {
      yield Buffer.from('one')
    })()
    await expect(send(grpcCall({ messages }))).rejects.toMatchObject({ code: 'upstream_unavailable' })
    expect(hosts()).toEqual(['10.0.0.1'])
  })

  it('never repeats what may have been done', async () => {
    const all: Failover['on'] = ['connect', 'overloaded', 'unavailable']
    for (const first of [broken, busy]) {
      const { send, hosts } = setUp(first, good, { on: all })
      await send(httpCall({ method: 'POST' })).catch(() => {})
      expect(hosts()).toEqual(['10.0.0.1'])
    }
  })

  it('on unavailable takes 503 of a method that may be sent twice, with its body, and gRPC UNAVAILABLE', async () => {
    const { send, hosts, channels } = setUp(busy, good, { on: ['unavailable'] })
    const bytes = Buffer.from('{"a":1}')
    const body = { ...chunkedBody([bytes]), length: bytes.length, bytes: () => bytes }
    await send(httpCall({ method: 'PUT', body }), { retry: retry({ attempts: 0, methods: ['PUT'] }) })
    expect(hosts()).toEqual(['10.0.0.1', '10.0.0.9'])
    const second = channels.calls[1]?.call
    expect(second?.kind === 'http' && Buffer.from((await second.body?.bytes(100)) ?? []).toString()).toBe('{"a":1}')

    const grpc = setUp(
      async () => grpcReply([], { code: 14 }),
      async () => grpcReply(['m']),
      { on: ['unavailable'] },
    )
    const { reply } = await grpc.send(grpcCall(), {}, 'GET')
    expect(grpc.hosts()).toEqual(['10.0.0.1', '10.0.0.9'])
    expect(reply.kind === 'grpc' && (await all(reply.messages))).toEqual(['m'])
  })

  it('gives every message of a gRPC answer that stands', async () => {
    const { send, hosts } = setUp(async () => grpcReply(['a', 'b']), good, { on: ['unavailable'] })
    const { reply } = await send(grpcCall({ serverStream: true }))
    expect(reply.kind === 'grpc' && (await all(reply.messages))).toEqual(['a', 'b'])
    expect(hosts()).toEqual(['10.0.0.1'])
  })

  it('leaves 503 alone unless it is asked for, and refuses over the cap unless that is', async () => {
    expect((await setUp(busy).send()).reply).toMatchObject({ status: 503 })
    await expect(setUp(good, good, {}, { caps: { requests: 0 } }).send()).rejects.toMatchObject({ code: 'overloaded' })
    const over = setUp(good, good, { on: ['overloaded'] }, { caps: { requests: 0 } })
    await over.send(httpCall({ method: 'POST' }))
    expect(over.hosts()).toEqual(['10.0.0.9'])
    // Nor was what found no connection.
    const none: Answer = () => Promise.reject(new Fault('overloaded', 'too many connections are in use'))
    expect((await setUp(none, good, { on: ['overloaded'] }).send()).reply).toMatchObject({ status: 200 })
    await expect(setUp(none, good).send()).rejects.toMatchObject({ code: 'overloaded' })
  })

  it('hands on what the second cluster met', async () => {
    await expect(setUp(refused, broken).send()).rejects.toMatchObject({ code: 'upstream_reset' })
    await expect(setUp(refused, good, {}).send()).resolves.toBeDefined()
  })

  it('goes to a subset of the second cluster', async () => {
    const { send, channels } = setUp(refused, good, { subset: 'v2' })
    await send()
    expect(channels.calls[1]?.call.authority).toBe('v2.spare.test')
  })

  it('comes after the tries of the route', async () => {
    const { send, hosts, clock } = setUp(refused)
    const sent = send(httpCall(), { retry: retry({ attempts: 1 }) })
    for (let i = 0; i < 5; i++) {
      await new Promise((done) => setImmediate(done))
      clock.advance(1_000)
    }
    await sent
    expect(hosts()).toEqual(['10.0.0.1', '10.0.0.1', '10.0.0.9'])
  })

  it.each([
    ['retry', { retry: retry({ attempts: 1 }) }],
    ['hedge', { hedge: { after: { ms: 50 }, budget: 0.1 } }],
  ])('takes the body along that was kept for a %s', async (_what, route) => {
    const { send, channels, hosts, clock } = setUp(refused)
    const bytes = Buffer.from('{"a":1}')
    let read = false
    const once = () => {
      if (read) throw new Error('a body was read twice')
      read = true
      return bytes
    }
    const sent = send(httpCall({ method: 'POST', body: { ...chunkedBody([bytes]), length: bytes.length, bytes: once } }), route)
    for (let i = 0; i < 5; i++) {
      await new Promise((done) => setImmediate(done))
      clock.advance(1_000)
    }
    await sent
    expect(hosts().at(-1)).toBe('10.0.0.9')
    const last = channels.calls.at(-1)?.call
    expect(last?.kind === 'http' && Buffer.from((await last.body?.bytes(100)) ?? []).toString()).toBe('{"a":1}')
  })

  it('takes what the breaker refuses that opened between two tries', async () => {
    const breaker = { consecutive: 1, failures: 1, minRequests: 1_000, windowMs: 10_000, openMs: 30_000, probes: 1 }
    const { send, hosts, clock } = setUp(busy, good, { on: ['connect', 'unavailable'] }, { breaker, outlier: undefined })
    const sent = send(httpCall(), { retry: retry({ attempts: 2, on: ['unavailable'] }) }, 'GET')
    for (let i = 0; i < 5; i++) {
      await new Promise((done) => setImmediate(done))
      clock.advance(1_000)
    }
    expect((await sent).reply).toMatchObject({ status: 200 })
    expect(hosts()).toEqual(['10.0.0.1', '10.0.0.9'])
  })
})
