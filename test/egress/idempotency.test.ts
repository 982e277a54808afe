import { expect, it } from 'vitest'
import { buildEgress } from '../../src/core/egress.ts'
import type { HttpCall } from '../../src/core/model/call.ts'
import type { EgressService } from '../../src/core/model/egress-service.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { buildUpstream } from '../../src/core/upstream.ts'
import { arrival, type HeaderInput } from '../support/arrival.ts'
import { egressPolicy, linked, live, service } from '../support/egress.ts'
import { fakeChannels, fakePorts } from '../support/ports.ts'
import { retry } from '../support/sendable.ts'

/** A vendor that does a thing once per key, and breaks off after it did the first two. */
function house(given: Partial<EgressService> = {}) {
  const calls: HttpCall[] = []
  const done = new Set<string>()
  const channels = fakeChannels({
    http: async (call) => {
      calls.push(call)
      done.add(call.headers.get('idempotency-key') ?? call.headers.get('x-request-key') ?? `none ${calls.length}`)
      if (calls.length <= 2) throw new Fault('upstream_reset', 'broke off')
      return { kind: 'http', status: 200, headers: new FieldList(), body: undefined }
    },
  })
  const ports = fakePorts({ channels })
  const of = service('pay', { retry: retry(), idempotency: { header: 'idempotency-key', generate: true }, ...given })
  const policy = egressPolicy({ services: [linked(of, live('dev', 'https://a.example'))] })
  const walk = buildEgress(policy, buildUpstream(policy, ports), ports)
  const ask = async (method: string, headers: HeaderInput = {}, body = '{}') => {
    const sent = { Host: 'pay.egress.internal', ...(method === 'GET' ? {} : { 'content-length': `${body.length}` }), ...(headers as object) }
    const reply = walk(
      arrival(method, '/v1', sent, {
        listener: 'egress',
        scheme: 'http',
        peer: '127.0.0.1',
        receivedAt: ports.clock.ticks(),
        ...(method === 'GET' ? {} : { body }),
      }),
    )
    // Backing off takes at most a second for each try.
    for (let i = 0; i < 50; i++) {
      await new Promise((resolve) => setImmediate(resolve))
      ports.clock.advance(100)
    }
    return (await reply).status
  }
  return { ask, calls, done }
}

it('a POST without a key is tried again under one key, and so happens once at the vendor', async () => {
  const { ask, calls, done } = house()
  expect(await ask('POST')).toBe(200)
  expect(calls.length).toBe(3)
  expect([...done]).toEqual([expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/)])
  expect(await ask('POST')).toBe(200)
  expect(done.size).toBe(2)
})

it('without the option it is not repeated', async () => {
  const { ask, calls } = house({ idempotency: undefined })
  expect(await ask('POST')).toBe(502)
  expect(calls.length).toBe(1)
})

it("the caller's own key stands, an empty one is none, and nothing is made for what needs none", async () => {
  const { ask, calls } = house()
  await ask('POST', { 'Idempotency-Key': 'mine' })
  expect(calls.map((call) => call.headers.all('idempotency-key'))).toEqual([['mine'], ['mine'], ['mine']])
  await ask('POST', { 'Idempotency-Key': '' })
  expect(calls.at(-1)?.headers.get('idempotency-key')).toMatch(/^[0-9a-f-]{36}$/)
  expect([await ask('GET'), await ask('PUT')]).toEqual([200, 200])
  expect(calls.slice(-2).map((call) => call.headers.has('idempotency-key'))).toEqual([false, false])
})

it("a vendor's own name for the key counts as the key", async () => {
  const { ask, calls, done } = house({ idempotency: { header: 'x-request-key', generate: true }, retry: retry({ keyHeader: 'x-request-key' }) })
  expect(await ask('POST')).toBe(200)
  expect([calls.length, done.size]).toEqual([3, 1])
})

it('keys are looked at and not made where the policy says so', async () => {
  const { ask, calls } = house({ idempotency: { header: 'idempotency-key', generate: false } })
  expect(await ask('POST')).toBe(502)
  expect(calls.length).toBe(1)
})
