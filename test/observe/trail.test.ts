import { describe, expect, it } from 'vitest'
import { type Credentialed, openExchange, type Translated } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList, noFields } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import type { Outbound } from '../../src/core/model/wire.ts'
import { metrics } from '../../src/core/observe/metrics.ts'
import { openTrail } from '../../src/core/observe/trail.ts'
import type { JournalRecord } from '../../src/core/ports.ts'
import { arrival } from '../support/arrival.ts'
import { fakePorts } from '../support/ports.ts'

function opened(options: { readonly method?: string; readonly target?: string; readonly headers?: Record<string, string> } = {}) {
  const ports = fakePorts()
  const lifeline = new Lifeline()
  const came = arrival(options.method ?? 'GET', options.target ?? '/v1/orders/7?expand=all', options.headers ?? {}, { lifeline })
  const exchange = openExchange(came, 'rev1')
  const trail = openTrail<Translated>('ingress', exchange, ports)
  const last = (): JournalRecord => ports.journal.records.at(-1) as JournalRecord
  return { ports, lifeline, exchange, trail, last, records: ports.journal.records }
}

const bytes = (text: string) => new TextEncoder().encode(text)

async function* chunksOf(...texts: readonly string[]) {
  for (const text of texts) yield bytes(text)
}

async function* breaking(error: Error) {
  yield bytes('half')
  throw error
}

function neverKnown(): never {
  throw new Fault('internal', 'internal error')
}

async function drain(body: Outbound['body']): Promise<string> {
  let text = ''
  for await (const chunk of body as AsyncIterable<Uint8Array>) text += new TextDecoder().decode(chunk)
  return text
}

const streamed = (body: AsyncIterable<Uint8Array>, trailers?: Outbound['trailers']): Outbound => ({ status: 200, headers: noFields, body, trailers })

describe('the trail writes one record', () => {
  it('at once, when the answer is in one piece', () => {
    const { trail, records, last } = opened()
    trail.close({ status: 200, headers: noFields, body: bytes('hello') })
    expect(records).toHaveLength(1)
    expect(last()).toMatchObject({ kind: 'request', wing: 'ingress', revision: 'rev1', status: 200, bytes_out: 5, ending: 'whole' })
  })

  it('as given up, when the answer was made because the downstream went away', () => {
    const { trail, last } = opened()
    trail.fail(new Fault('client_closed', 'the downstream went away'))
    trail.close({ status: 499, headers: noFields, body: undefined })
    expect(last()).toMatchObject({ ending: 'given_up', status: 499, refusal: { code: 'client_closed' } })
  })

  it('and a bug in the writing of it never costs the answer', () => {
    const ports = fakePorts()
    const broken = () => {
      throw new TypeError('no such metric')
    }
    const trail = openTrail<Translated>('ingress', openExchange(arrival('GET', '/'), 'rev1'), { ...ports, meter: { ...ports.meter, count: broken } })
    expect(trail.close({ status: 200, headers: noFields, body: bytes('hello') }).status).toBe(200)
    expect(ports.journal.records.at(-1)).toMatchObject({ kind: 'bug', what: 'record', reason: 'TypeError: no such metric' })
  })

  it('when a streamed answer was read to its end, with all its bytes and its duration', async () => {
    const { trail, records, last, ports } = opened()
    const out = trail.close(streamed(chunksOf('abc', 'defg')))
    expect(records).toHaveLength(0)
    ports.clock.advance(250)
    expect(await drain(out.body)).toBe('abcdefg')
    expect(records).toHaveLength(1)
    expect(last()).toMatchObject({ bytes_out: 7, ending: 'whole', duration_ms: 250, first_byte_ms: 0 })
  })

  it('when the stream breaks off, with the fault and with the error passed on', async () => {
    const { trail, records, last, ports } = opened()
    const out = trail.close(streamed(breaking(new Fault('upstream_reset', 'gone', { internal: 'RST_STREAM' }))))
    await expect(drain(out.body)).rejects.toThrow('gone')
    expect(records).toHaveLength(1)
    expect(last()).toMatchObject({ bytes_out: 4, ending: 'broken_off', refusal: { code: 'upstream_reset', reason: 'RST_STREAM' } })
    expect(ports.meter.total('sallyport_refusals_total', { wing: 'ingress', code: 'upstream_reset' })).toBe(1)
  })

  it('when the reader stops half way, and lets the producer go', async () => {
    const { trail, records, last } = opened()
    let released = false
    async function* producer() {
      try {
        yield bytes('one')
        yield bytes('two')
      } finally {
        released = true
      }
    }
    const out = trail.close(streamed(producer()))
    for await (const _ of out.body as AsyncIterable<Uint8Array>) break
    expect(released).toBe(true)
    expect(records).toHaveLength(1)
    expect(last()).toMatchObject({ bytes_out: 3, ending: 'given_up' })
  })

  it('when the downstream goes away before anybody reads the stream', () => {
    const { trail, records, last, lifeline } = opened()
    trail.close(streamed(chunksOf('never read')))
    lifeline.end(new Fault('client_closed', 'the downstream went away'))
    expect(records).toHaveLength(1)
    expect(last()).toMatchObject({ ending: 'given_up', refusal: { code: 'client_closed' } })
  })

  it('once only, when the deadline cuts the stream and the reader fails after it', async () => {
    const { trail, records, last, lifeline } = opened()
    const out = trail.close(streamed(breaking(new Error('socket closed'))))
    lifeline.end(new Fault('deadline_exceeded', 'too late'))
    await expect(drain(out.body)).rejects.toThrow('socket closed')
    expect(records).toHaveLength(1)
    expect(last()).toMatchObject({ ending: 'broken_off', refusal: { code: 'deadline_exceeded' } })
  })

  it('as whole, when the answer itself says that the deadline passed', () => {
    const { trail, last, lifeline } = opened()
    const late = new Fault('deadline_exceeded', 'too late')
    lifeline.end(late)
    trail.fail(late)
    trail.close({ status: 504, headers: noFields, body: bytes('{}') })
    expect(last()).toMatchObject({ status: 504, ending: 'whole', refusal: { code: 'deadline_exceeded' } })
  })

  it('with the first fault, when a second one follows from it', () => {
    const { trail, last } = opened()
    trail.fail(new Fault('upstream_reset', 'first'))
    trail.fail(new Fault('client_closed', 'second'))
    trail.close({ status: 502, headers: noFields, body: undefined })
    expect(last()).toMatchObject({ refusal: { code: 'upstream_reset' } })
  })
})

describe('the record', () => {
  it('takes the gRPC status from trailers, which are read once', async () => {
    const { trail, last } = opened()
    let reads = 0
    const trailers = () => {
      reads += 1
      return new FieldList([['grpc-status', '5']])
    }
    const out = trail.close(streamed(chunksOf('x'), trailers))
    await drain(out.body)
    expect(out.trailers?.().get('grpc-status')).toBe('5')
    expect(reads).toBe(1)
    expect(last()).toMatchObject({ grpc_status: 5 })
  })

  it('takes the gRPC status from the upstream where the answer is JSON, and none where the call broke', () => {
    const status = { code: 7, message: '', details: undefined, trailers: noFields }
    const reply = { kind: 'grpc', metadata: noFields, messages: chunksOf(), status: () => status } as const
    const known = opened()
    expect(known.trail.hear(reply)).toBe(reply)
    known.trail.close({ status: 403, headers: noFields, body: bytes('{}') })
    expect(known.last()).toMatchObject({ status: 403, grpc_status: 7 })
    const broken = opened()
    broken.trail.hear({
      ...reply,
      status: () => {
        throw new Error('not ended')
      },
    })
    broken.trail.close({ status: 502, headers: noFields, body: bytes('{}') })
    expect(broken.last()['grpc_status']).toBeUndefined()
  })

  it('as broken off, with the fault, when a stream of messages breaks and the answer ends with a line that says so', async () => {
    const { trail, exchange, records, last } = opened()
    Object.assign(exchange, { rpc: { rpc: { path: '/shop.v1.Orders/WatchOrders', serverStream: true } } })
    const reply = { kind: 'grpc', metadata: noFields, messages: breaking(new Fault('deadline_exceeded', 'too late')), status: neverKnown } as const
    const { messages } = trail.hear(reply)
    async function* lines() {
      try {
        yield* messages
      } catch {
        yield bytes('{"error":{}}')
      }
    }
    expect(await drain(trail.close(streamed(lines())).body)).toBe('half{"error":{}}')
    expect(records).toHaveLength(1)
    expect(last()).toMatchObject({ status: 200, ending: 'broken_off', bytes_out: 16, refusal: { code: 'deadline_exceeded' } })
  })

  it('as broken off when the answer ends by itself before the upstream has, because a message could not be written down', async () => {
    const { trail, exchange, last } = opened()
    Object.assign(exchange, { rpc: { rpc: { path: '/shop.v1.Orders/WatchOrders', serverStream: true } } })
    const { messages } = trail.hear({ kind: 'grpc', metadata: noFields, messages: chunksOf('bad', 'unread'), status: neverKnown })
    async function* lines() {
      for await (const _ of messages) break
      yield bytes('{"error":{}}')
    }
    await drain(trail.close(streamed(lines())).body)
    expect(last()).toMatchObject({ ending: 'broken_off', refusal: { code: 'upstream_protocol' } })
  })

  it('has no body bytes for HEAD', () => {
    const { trail, last } = opened({ method: 'HEAD' })
    trail.close({ status: 200, headers: noFields, body: bytes('hello') })
    expect(last()).toMatchObject({ bytes_out: 0 })
  })

  it('has query names without values, and no target where there is a path', () => {
    const { trail, last, exchange } = opened()
    const request = {
      method: 'GET',
      scheme: 'https',
      authority: 'api.example.com',
      host: 'api.example.com',
      target: { path: '/v1/orders/7', query: 'token=s3cret&token=other&page=2&flag', encodedSlash: false, semicolon: false },
      headers: noFields,
      body: undefined,
    } as const
    trail.reach(Object.assign(exchange, { request, id: 'id-1' }))
    trail.close({ status: 200, headers: noFields, body: undefined })
    expect(last()).toMatchObject({ id: 'id-1', host: 'api.example.com', path: '/v1/orders/7', query: ['token', 'page', 'flag'] })
    expect(JSON.stringify(last())).not.toContain('s3cret')
  })

  it('shows the raw target without query and user info when receive refused it', () => {
    const { trail, last } = opened({ target: 'http://joe:pw@evil.example/a//b?key=value' })
    trail.fail(new Fault('path_ambiguous', 'the path is ambiguous'))
    trail.close({ status: 400, headers: noFields, body: undefined })
    expect(last()).toMatchObject({ target: 'http://evil.example/a//b' })
  })

  it('never repeats a credential that an internal reason quotes', () => {
    const { trail, last } = opened({ headers: { authorization: 'Bearer abc.def.ghi' } })
    trail.fail(new Fault('token_invalid', 'no', { internal: 'cannot parse abc.def.ghi of "Bearer abc.def.ghi"' }))
    trail.close({ status: 401, headers: noFields, body: undefined })
    expect(JSON.stringify(last())).not.toContain('abc.def')
    expect(last()).toMatchObject({ refusal: { reason: 'cannot parse [redacted] of "[redacted]"' } })
  })

  it('keeps the stack of a bug and of nothing else', () => {
    const bug = opened()
    bug.trail.fail(Fault.from(new TypeError('x is undefined')))
    bug.trail.close({ status: 500, headers: noFields, body: undefined })
    expect((bug.last()['refusal'] as JournalRecord)['stack']).toContain('TypeError: x is undefined')
    const refused = opened()
    refused.trail.fail(new Fault('upstream_reset', 'gone', { cause: new Error('ECONNRESET') }))
    refused.trail.close({ status: 502, headers: noFields, body: undefined })
    expect(refused.last()['refusal']).toMatchObject({ reason: 'Error: ECONNRESET', stack: undefined })
  })

  it('says which limits answered without the shared store', () => {
    const { trail, last, exchange, ports } = opened()
    const reading = { limit: 'per-client', quota: 10, windowMs: 1000, remaining: 9, resetMs: 500, degraded: true }
    trail.reach(Object.assign(exchange, { readings: [reading] }) as unknown as Translated)
    trail.close({ status: 200, headers: noFields, body: undefined })
    expect(last()['limits']).toEqual([{ limit: 'per-client', remaining: 9, reset_ms: 500, degraded: true }])
    expect(ports.meter.total('sallyport_limit_decisions_total', { source: 'local' })).toBe(1)
  })
})

describe('the record of a call out of the mesh', () => {
  function calledOut(secrets: readonly string[], internal: string) {
    const ports = fakePorts()
    const came = arrival('POST', '/v1/charges', { 'x-own-key': 'k-12345678' })
    const exchange = openExchange(came, 'rev1')
    const trail = openTrail<Credentialed>('egress', exchange, ports)
    const facts = {
      request: {
        method: 'POST',
        scheme: 'http',
        authority: '127.0.0.1:9101',
        host: '127.0.0.1',
        target: { path: '/v1/charges/sk_test_4eC39H', query: 'sk_test_4eC39H&x=1', encodedSlash: false, semicolon: false },
        headers: new FieldList([['x-own-key', 'k-12345678']]),
        body: undefined,
      },
      service: { name: 'payments', mask: { headers: ['X-Own-Key'], responses: false } },
      caller: { kind: 'caller', name: 'checkout' },
      target: { mode: 'live', environment: 'test' },
      wanted: 'test',
      secrets,
      sent: { endpoint: '127.0.0.1:9201', attempts: 2, startedAt: 1000 },
    }
    // Only the facts that a record reads.
    trail.reach(Object.assign(exchange, facts) as unknown as Credentialed)
    trail.fail(new Fault('upstream_reset', 'gone', { internal }))
    trail.close({ status: 502, headers: noFields, body: undefined })
    return ports.journal.records[0] as JournalRecord
  }

  it('names service, environment, mode, caller and tries', () => {
    expect(calledOut([], 'x')).toMatchObject({
      wing: 'egress',
      egress: { service: 'payments', environment: 'test', wanted: 'test', mode: 'live', caller: 'checkout' },
      endpoint: '127.0.0.1:9201',
      attempts: 2,
      upstream_ms: 0,
    })
  })

  it('holds no injected secret in any spelling, nor a header that the service masks', () => {
    const secret = 'sk_test_4eC39H'
    const record = JSON.stringify(calledOut([secret], `GET https://v/?k=${secret} Basic ${btoa(`user:${secret}`)} with k-12345678`))
    expect(record).not.toContain(secret)
    expect(record).not.toContain(btoa(`user:${secret}`).slice(8, 20))
    expect(record).not.toContain('k-12345678')
    expect(record).toContain('"path":"/v1/charges/[redacted]"')
  })
})

describe('metrics of a request', () => {
  it('cannot be multiplied by what a downstream sends', () => {
    const { trail, ports } = opened({ method: 'X-EVIL-1' })
    trail.close({ status: 999, headers: noFields, body: undefined })
    expect(ports.meter.samples.find((sample) => sample.name === 'sallyport_requests_total')?.labels).toEqual({
      wing: 'ingress',
      route: '',
      method: 'OTHER',
      status: 'other',
    })
  })

  it('carry exactly the labels of the catalogue', () => {
    const { trail, ports } = opened()
    trail.fail(new Fault('forbidden', 'no'))
    trail.close({ status: 403, headers: noFields, body: undefined })
    expect(ports.meter.samples.length).toBeGreaterThan(2)
    for (const sample of ports.meter.samples) {
      expect(Object.keys(sample.labels)).toEqual([...metrics[sample.name as keyof typeof metrics].labels])
    }
  })
})
