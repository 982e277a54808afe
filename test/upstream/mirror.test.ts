import { gzipSync } from 'node:zlib'
import { describe, expect, it, vi } from 'vitest'
import type { GrpcCall, HttpCall, HttpReply, Reply } from '../../src/core/model/call.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import type { Mirror, MirrorDiff } from '../../src/core/model/mirror.ts'
import type { Route } from '../../src/core/model/route.ts'
import type { Cluster } from '../../src/core/policy/linked/clusters.ts'
import type { JournalRecord } from '../../src/core/ports.ts'
import { buildMessageJson } from '../../src/core/protobuf.ts'
import { buildUpstream, endpointsOf, type Sendable, shieldsOf } from '../../src/core/upstream.ts'
import { chunkedBody, grpcCall, httpCall } from '../support/calls.ts'
import { clean, loadBeside } from '../support/load.ts'
import { emptyPolicy } from '../support/policy.ts'
import { fakeChannels, fakePorts } from '../support/ports.ts'
import { at, cluster, grpcReply, httpReply, sendable } from '../support/sendable.ts'
import { gate } from '../support/sockets.ts'

type Answer = (call: HttpCall | GrpcCall) => Promise<Reply>

const plainDiff: MirrorDiff = { share: 1, headers: ['content-type'], ignore: [], mask: [] }

/** One answer in JSON; `headers` beside its content type. */
const json =
  (value: unknown, headers: readonly (readonly [string, string])[] = [], bytes?: Uint8Array) =>
  async () =>
    httpReply(200, { headers: new FieldList([['content-type', 'application/json'], ...headers]), body: bytes ?? Buffer.from(JSON.stringify(value)) })

/** Clusters `c` and `shadow` (10.0.0.9), and a route with a mirror. */
function setUp(main: Answer, second: Answer, given: Partial<Mirror> = {}, own: Partial<Route> = {}, policy = emptyPolicy()) {
  const answer = (call: HttpCall | GrpcCall, endpoint: { address: { kind: string; host?: string } }) =>
    endpoint.address.host === '10.0.0.9' ? second(call) : main(call)
  const channels = fakeChannels({
    http: async (call, _, endpoint) => (await answer(call, endpoint)) as ReturnType<typeof httpReply>,
    grpc: async (call, _, endpoint) => (await answer(call, endpoint)) as ReturnType<typeof grpcReply>,
  })
  const ports = fakePorts({ channels })
  const mirror: Mirror = { cluster: 'shadow', subset: undefined, share: 1, methods: ['GET', 'HEAD'], rpcs: [], requests: 32, diff: plainDiff, ...given }
  const clusters = { c: cluster('c', { endpoints: at('10.0.0.1:80') }), shadow: cluster('shadow', { endpoints: at('10.0.0.9:80'), authority: 'shadow.test' }) }
  const x = sendable({ route: { ...own, mirror } })
  const upstream = buildUpstream({ ...policy, clusters, routes: [x.route] }, ports, buildMessageJson({ ...policy, routes: [x.route] }))
  const send = (call: HttpCall | GrpcCall = httpCall(), more: object = {}) =>
    upstream.forward({
      ...sendable(),
      ...({
        route: x.route,
        call,
        id: 'id-1',
        keyFields: [],
        request: { headers: new FieldList([['authorization', 'Bearer s3cr3t-of-caller']]), authority: 'a.example' },
        ...more,
      } as unknown as Partial<Sendable>),
    })
  const copies = () => channels.calls.filter(({ endpoint }) => endpoint.address.kind === 'tcp' && endpoint.address.host === '10.0.0.9')
  const outcomes = (name: 'requests' | 'comparisons') =>
    ports.meter.samples.filter((sample) => sample.name === `sallyport_mirror_${name}_total`).map(({ labels }) => labels['outcome'])
  return { ...ports, send, copies, outcomes }
}

/** The cluster `shadow` with a route to `c` that is copied to it. Requests may name it themselves, too. */
function live(given: Partial<Cluster>, answer: (asked: { isCopy: boolean }) => Promise<HttpReply>) {
  const isCopy = (call: HttpCall | GrpcCall) => call.kind === 'http' && call.headers.has('x-sallyport-mirror')
  const ports = fakePorts({ channels: fakeChannels({ http: (call) => answer({ isCopy: isCopy(call) }) }) })
  const mirror: Mirror = { cluster: 'shadow', subset: undefined, share: 1, methods: ['GET'], rpcs: [], requests: 32, diff: undefined }
  const clusters = { c: cluster('c', { endpoints: at('10.0.0.1:80') }), shadow: cluster('shadow', given) }
  const [copied, own] = [sendable({ route: { mirror } }), sendable({ route: { name: 'own' } })]
  const upstream = buildUpstream({ ...emptyPolicy(), clusters, routes: [copied.route, own.route] }, ports)
  const request = { headers: new FieldList(), authority: 'a.example' }
  const send = (more: object = {}) => {
    const { route } = 'destination' in more ? own : copied
    return upstream.forward({ ...sendable(), ...({ route, call: httpCall(), id: 'id-1', keyFields: [], request, ...more } as unknown as Partial<Sendable>) })
  }
  return { ports, send }
}

const rest = () => new Promise((done) => setImmediate(() => setImmediate(done)))

async function readAll(reply: Reply): Promise<string> {
  const source = reply.kind === 'grpc' ? reply.messages : reply.body
  if (source === undefined || source instanceof Uint8Array) return Buffer.from(source ?? []).toString()
  let text = ''
  for await (const chunk of source) text += Buffer.from(chunk).toString()
  return text
}

const differencesIn = (records: readonly JournalRecord[]) =>
  records.filter(({ event }) => event === 'mirror_differs').flatMap((record) => record['differences'])

describe('a mirror', () => {
  it('gets a marked copy under its own name, and the request does not wait for it', async () => {
    const silent = gate()
    const { send, copies, outcomes } = setUp(json({ a: 1 }), async () => {
      await silent.promise
      return httpReply(200)
    })
    const headers = new FieldList([['x-mine', 'kept']])
    expect(await send(httpCall({ target: '/a?b=1', headers }))).toMatchObject({ status: 200 })
    const [copied] = copies()
    expect(copied?.call).toMatchObject({ method: 'GET', target: '/a?b=1', authority: 'shadow.test' })
    expect(copied?.call.kind === 'http' && copied.call.headers.entries()).toEqual([
      ['x-mine', 'kept'],
      ['x-sallyport-mirror', '1'],
    ])
    expect(outcomes('requests')).toEqual([])
    silent.resolve()
    await rest()
    expect(outcomes('requests')).toEqual(['answered'])
  })

  it('changes nothing for the request when it fails, and is not asked again', async () => {
    const { send, copies, outcomes } = setUp(json({ a: 1 }), () => Promise.reject(new Fault('upstream_unavailable', 'nobody')), {}, { retry: undefined })
    expect(await readAll(await send())).toBe('{"a":1}')
    await rest()
    expect(copies()).toHaveLength(1)
    expect(outcomes('requests')).toEqual(['failed'])
    expect(outcomes('comparisons')).toEqual([])
  })

  it('gets its share of the requests', async () => {
    const { send, copies } = setUp(json(1), json(1), { share: 0.25 })
    for (let i = 0; i < 2_000; i++) await send()
    expect(copies().length / 2_000).toBeGreaterThan(0.2)
    expect(copies().length / 2_000).toBeLessThan(0.3)
  })

  it('gets methods that change something only when they are named', async () => {
    const { send, copies } = setUp(json(1), json(1))
    await send(httpCall({ method: 'POST' }))
    await send(httpCall({ upgrade: {} as never }))
    expect(copies()).toHaveLength(0)
    const named = setUp(json(1), json(1), { methods: ['POST'] })
    const bytes = Buffer.from('{"a":1}')
    const seen: string[] = []
    const take = async (call: HttpCall | GrpcCall) => {
      if (call.kind === 'http') seen.push(Buffer.from((await call.body?.bytes(100)) ?? []).toString())
      return httpReply(200)
    }
    const both = setUp(take, take, { methods: ['POST'] })
    await both.send(httpCall({ method: 'POST', body: { ...chunkedBody([bytes]), length: bytes.length, bytes: () => bytes } }))
    await rest()
    expect(seen).toEqual(['{"a":1}', '{"a":1}'])
    // A body that cannot be kept goes to its service alone.
    await named.send(httpCall({ method: 'POST', body: chunkedBody([bytes]) }))
    expect(named.copies()).toHaveLength(0)
    expect(named.outcomes('requests')).toEqual(['body'])
  })

  it('takes no place from requests to the same cluster, and neither its breaker nor the health of its endpoints sees copies', async () => {
    const guarded = {
      caps: { requests: 1 },
      breaker: { consecutive: 1, failures: 1, minRequests: 1_000, windowMs: 10_000, openMs: 30_000, probes: 1 },
      outlier: {
        consecutive5xx: 1,
        consecutiveGateway: 1,
        successRate: undefined,
        slow: undefined,
        intervalMs: 10_000,
        ejectForMs: 10_000,
        maxEjectForMs: 60_000,
        maxEjected: 1,
      },
      endpoints: at('10.0.0.9:80', '10.0.0.8:80'),
    }
    const silent = gate()
    const { send, ports } = live(guarded, async ({ isCopy }) => {
      if (isCopy) await silent.promise
      return httpReply(isCopy ? 503 : 200)
    })
    await send()
    // The copy of the first is under way: requests of their own still have the one place.
    expect(await send({ destination: { cluster: 'shadow', subset: undefined } })).toMatchObject({ status: 200 })
    silent.resolve()
    await rest()
    expect(shieldsOf(ports).map(({ place, breaker }) => [place, breaker])).toEqual([
      ['mirror:shadow', 'open'],
      ['shadow', 'closed'],
    ])
    expect(endpointsOf(ports).filter(({ cluster, health }) => cluster === 'shadow' && health !== 'healthy')).toEqual([])
    expect(await send({ destination: { cluster: 'shadow', subset: undefined } })).toMatchObject({ status: 200 })
    expect(ports.meter.total('sallyport_upstream_requests_total', { cluster: 'mirror:shadow' })).toBe(1)
    expect(ports.meter.total('sallyport_upstream_requests_total', { cluster: 'shadow' })).toBe(2)
  })

  it('counts a copy from the moment its body is waited for', async () => {
    const arrives = gate()
    const { send, copies, outcomes } = setUp(json(1), json(1), { methods: ['POST'], requests: 2 })
    const slow = async () => {
      await arrives.promise
      return Buffer.from('x')
    }
    const post = () => send(httpCall({ method: 'POST', body: { ...chunkedBody([]), length: 1, bytes: slow } }))
    const sent = Array.from({ length: 5 }, post)
    arrives.resolve()
    await Promise.all(sent)
    await rest()
    const of = (outcome: string) => outcomes('requests').filter((one) => one === outcome).length
    expect([copies().length, of('answered'), of('busy')]).toEqual([2, 2, 3])
    // A body that breaks off gives its place back.
    const broken = () =>
      send(httpCall({ method: 'POST', body: { ...chunkedBody([]), length: 1, bytes: () => Promise.reject(new Fault('client_closed', '')) } }))
    for (let i = 0; i < 3; i += 1) await expect(broken()).rejects.toMatchObject({ code: 'client_closed' })
    await send(httpCall({ method: 'POST', body: { ...chunkedBody([]), length: 1, bytes: () => Buffer.from('x') } }))
    expect(copies()).toHaveLength(3)
  })

  it('has no more copies under way than it may', async () => {
    const silent = gate()
    const { send, copies, outcomes } = setUp(
      json(1),
      async () => {
        await silent.promise
        return httpReply(200)
      },
      { requests: 2 },
    )
    for (let i = 0; i < 5; i++) await send()
    expect(copies()).toHaveLength(2)
    expect(outcomes('requests')).toEqual(['busy', 'busy', 'busy'])
    silent.resolve()
    await rest()
    await send()
    expect(copies()).toHaveLength(3)
  })

  it('gets RPCs without side effects, with a GET binding, or named; never streams', async () => {
    const rpcOf = (given: object) => ({ rpc: { rpc: { method: 'Do', bindings: [], ...given }, binding: undefined } })
    const { send, copies } = setUp(
      async () => grpcReply(['m']),
      async () => grpcReply(['m']),
      { rpcs: ['Named'], diff: undefined },
    )
    const sends = async (rpc: object, call: Partial<GrpcCall> = {}) => {
      const before = copies().length
      await readAll(await send(grpcCall(call), rpcOf(rpc)))
      return copies().length > before
    }
    expect(await sends({})).toBe(false)
    expect(await sends({ noSideEffects: true })).toBe(true)
    expect(await sends({ bindings: [{ method: 'GET' }] })).toBe(true)
    expect(await sends({ method: 'Named' })).toBe(true)
    expect(await sends({ method: 'Named' }, { serverStream: true })).toBe(false)
    const messages = (async function* () {
      yield Buffer.from('m')
    })()
    expect(await sends({ method: 'Named' }, { messages })).toBe(false)
  })
})

describe('the difference report', () => {
  const main = {
    id: 'o-1',
    total: 10,
    etag: 'x',
    items: [
      { sku: 'a', at: '2026-01-01' },
      { sku: 'b', at: '2026-01-01' },
    ],
    customer: { email: 'ann@example.com', name: 'Ann' },
  }

  it('shows a planted difference of a member, and leaves aside what is ignored', async () => {
    const second = { ...main, total: 11, etag: 'y', items: main.items.map(({ sku }) => ({ sku, at: '2026-06-01' })) }
    const { send, journal, outcomes } = setUp(json(main), json(second), { diff: { ...plainDiff, ignore: ['/etag', '/items/*/at'] } })
    expect(await readAll(await send())).toBe(JSON.stringify(main))
    await rest()
    expect(journal.records).toEqual([
      { event: 'mirror_differs', route: 'r', id: 'id-1', to: 'shadow', differences: [{ at: '/total', main: '10', mirror: '11' }], more: undefined },
    ])
    expect(outcomes('comparisons')).toEqual(['different'])
  })

  it('says nothing about answers that are the same, whatever the order of their members', async () => {
    const { send, journal, outcomes } = setUp(json({ a: 1, b: [1, 2] }), json({ b: [1, 2], a: 1 }))
    await send()
    await rest()
    expect(journal.records).toEqual([])
    expect(outcomes('comparisons')).toEqual(['same'])
  })

  it('does not read bodies that are the same byte for byte, and still sees their status and headers', async () => {
    const parse = vi.spyOn(JSON, 'parse')
    try {
      const alike = setUp(json({ a: 1 }), json({ a: 1 }))
      await readAll(await alike.send())
      await rest()
      expect([alike.outcomes('comparisons'), parse.mock.calls.length]).toEqual([['same'], 0])
      const body = async () => Buffer.from('{"a":1}')
      const other = setUp(json({ a: 1 }), async () => httpReply(201, { headers: new FieldList([['content-type', 'application/json']]), body: await body() }))
      await readAll(await other.send())
      await rest()
      expect(differencesIn(other.journal.records)).toEqual([{ at: 'status', main: '200', mirror: '201' }])
      const typed = setUp(json({ a: 1 }), async () => httpReply(200, { headers: new FieldList([['content-type', 'text/plain']]), body: await body() }))
      await readAll(await typed.send())
      await rest()
      expect(differencesIn(typed.journal.records)).toMatchObject([{ at: 'header content-type' }, { at: 'body', main: 'JSON', mirror: '7 bytes' }])
    } finally {
      parse.mockRestore()
    }
  })

  it('compares status and headers, and names what is missing, and lists of other lengths', async () => {
    const second = async () =>
      httpReply(404, { headers: new FieldList([['content-type', 'application/problem+json']]), body: Buffer.from(JSON.stringify({ b: [1], 'a/b': {} })) })
    const { send, journal } = setUp(json({ a: 1, b: [1, 'two'], 'a/b': [] }), second)
    await send()
    await rest()
    expect(differencesIn(journal.records)).toEqual([
      { at: 'status', main: '200', mirror: '404' },
      { at: 'header content-type', main: '"application/json"', mirror: '"application/problem+json"' },
      { at: '/a', main: '1', mirror: 'missing' },
      { at: '/b/1', main: '"two"', mirror: 'missing' },
      { at: '/a~1b', main: 'list of 0', mirror: 'object' },
    ])
  })

  it('writes down no secret: by the name of a member, its look, the mask, or because the caller sent it', async () => {
    const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'
    const values = {
      password: 'hunter2',
      note: jwt,
      key: 'sk_live_abcdefgh12345678',
      card: 4111111111111111,
      text: 'see 9f86d081884c7d659a2feaa0c55ad015 there',
      echo: 's3cr3t-of-caller',
      email: 'ann@example.com',
      plain: 'plain',
    }
    const others = Object.fromEntries(Object.keys(values).map((name) => [name, 'other']))
    const { send, journal } = setUp(json(values), json(others), { diff: { ...plainDiff, mask: ['/email'] } })
    await send()
    await rest()
    const text = JSON.stringify(journal.records)
    for (const value of ['hunter2', jwt, 'sk_live', '4111', '9f86d081', 's3cr3t', 'ann@']) expect(text).not.toContain(value)
    expect(differencesIn(journal.records)).toContainEqual({ at: '/plain', main: '"plain"', mirror: '"other"' })
    expect(differencesIn(journal.records)).toContainEqual({ at: '/email', main: '[redacted]', mirror: '[redacted]' })
  })

  it('writes down no secret that stands in a list or an object of secrets, nor its name there', async () => {
    const values = {
      tokens: ['t0ps'],
      secrets: { db: { user: 'root9' } },
      sessions: { s3ss: 1 },
      users: [{ password: { current: 'hunter2' } }],
      plain: { a: 1 },
    }
    const { send, journal } = setUp(
      json(values),
      json({ tokens: ['x'], secrets: { db: { user: 'y' } }, sessions: {}, users: [{ password: {} }], plain: { a: 2 } }),
    )
    await send()
    await rest()
    const secret = { main: '[redacted]', mirror: '[redacted]' }
    expect(differencesIn(journal.records)).toEqual([
      { at: '/tokens/0', ...secret },
      { at: '/secrets/[redacted]/[redacted]', ...secret },
      { at: '/sessions/[redacted]', main: '[redacted]', mirror: 'missing' },
      { at: '/users/0/password/[redacted]', main: '[redacted]', mirror: 'missing' },
      { at: '/plain/a', main: '1', mirror: '2' },
    ])
  })

  it('is bounded: by number, by length, and by the size of an answer', async () => {
    const wide = (value: string) => Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`m${i}`, value.repeat(100)]))
    const { send, journal, outcomes } = setUp(json(wide('a b ')), json(wide('c d ')))
    await send()
    await rest()
    const [record] = journal.records
    expect(differencesIn(journal.records)).toHaveLength(20)
    expect(record?.['more']).toBe(30)
    expect(JSON.stringify(record).length).toBeLessThan(6_000)

    const large = setUp(json('x'.repeat(70_000)), json('y'.repeat(70_000)))
    expect((await readAll(await large.send())).length).toBe(70_002)
    await rest()
    expect(large.journal.records).toEqual([])
    expect(large.outcomes('comparisons')).toEqual(['left'])
    expect(outcomes('comparisons')).toEqual(['different'])
  })

  it('reads what is packed, and streams as they pass', async () => {
    const packed = json({ a: 2 }, [['content-encoding', 'gzip']], gzipSync('{"a":2}'))
    const streamed = async () => {
      const whole = await json({ a: 1 })()
      const pieces = (async function* () {
        yield Buffer.from('{"a"')
        yield Buffer.from(':1}')
      })()
      return { ...whole, body: pieces }
    }
    const { send, journal } = setUp(streamed, packed)
    expect(await readAll(await send())).toBe('{"a":1}')
    await vi.waitFor(() => expect(differencesIn(journal.records)).toEqual([{ at: '/a', main: '1', mirror: '2' }]))
  })

  it('says nothing about an answer that its caller did not read, or that broke off', async () => {
    const pieces = () =>
      (async function* () {
        yield Buffer.from('{"a"')
        throw new Fault('upstream_reset', 'gone')
      })()
    const { send, journal, outcomes } = setUp(async () => httpReply(200, { body: pieces() }), json(1))
    await readAll(await send()).catch(() => {})
    await rest()
    expect([journal.records, outcomes('comparisons'), outcomes('requests')]).toEqual([[], [], ['answered']])
  })

  it('compares messages member by member, and their status', async () => {
    const policy = clean(
      await loadBeside(
        'clusters: { g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }\nroutes: { r: { match: { grpc: shop.v1.Orders }, access: { rules: [{ id: all, allow: { anonymous: true } }] }, to: g } }\n',
      ),
    )
    const match = policy.routes[0]?.match
    const rpc = match?.grpc?.rpcs.find(({ method }) => method === 'GetOrder')
    // Field 1 is text in both: `id`.
    const order = (id: string) => Buffer.concat([Buffer.from([0x0a, id.length]), Buffer.from(id)]).toString()
    const { send, journal } = setUp(
      async () => grpcReply([order('o-1')]),
      async () => grpcReply([order('o-2')], { code: 5 }),
      {},
      { match: match as Route['match'] },
      policy,
    )
    await readAll(await send(grpcCall(), { rpc: { rpc, binding: undefined } }))
    await rest()
    expect(differencesIn(journal.records)).toEqual([
      { at: 'status', main: '0', mirror: '5' },
      { at: '/id', main: '"o-1"', mirror: '"o-2"' },
    ])
  })
})
