import { expect, it } from 'vitest'
import { buildEgress } from '../../src/core/egress.ts'
import type { EgressFaults } from '../../src/core/model/egress-target.ts'
import { FieldList } from '../../src/core/model/fields.ts'
import { Lifeline } from '../../src/core/model/lifeline.ts'
import { arrival } from '../support/arrival.ts'
import { egressPolicy, fakeVendor, linked, live, mockAnswer, service, textOf } from '../support/egress.ts'
import { fakePorts } from '../support/ports.ts'

const none: EgressFaults = { latency: undefined, reset: undefined, status: undefined, bandwidth: undefined }

function house(faults: Partial<EgressFaults>, environmentClass: 'nonprod' | 'prod' = 'nonprod') {
  const vendor = fakeVendor(() => ({ headers: new FieldList([['x-sallyport-fault', 'a lie']]), body: new TextEncoder().encode('x'.repeat(100)) }))
  const environment = environmentClass === 'prod' ? 'prod' : 'dev'
  const target = live(environment, 'https://a.example', { faults: { ...none, ...faults } })
  const mock = { mode: 'mock', environment, mock: [mockAnswer({})], faults: { ...none, ...faults } } as const
  const policy = egressPolicy({ services: [linked(service('pay'), target), linked(service('mocked'), mock)], environmentClass })
  const ports = fakePorts()
  const walk = buildEgress(policy, vendor, ports)
  const ask = (name = 'pay', lifeline = new Lifeline()) =>
    walk(
      arrival(
        'GET',
        '/',
        { Host: `${name}.egress.internal` },
        { listener: 'egress', scheme: 'http', peer: '127.0.0.1', receivedAt: ports.clock.ticks(), lifeline },
      ),
    )
  const tick = async (ms: number) => {
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
    ports.clock.advance(ms)
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return { ask, tick, vendor, ports }
}

it('breaks a call off as a vendor would, and calls nobody', async () => {
  const { ask, vendor, ports } = house({ reset: { share: 1 } })
  const reply = await ask()
  expect([reply.status, reply.headers.get('x-sallyport-fault')]).toEqual([502, 'reset'])
  expect(await textOf(reply.body)).toContain('"upstream_reset"')
  expect(vendor.calls).toEqual([])
  expect(ports.meter.total('sallyport_faults_injected_total', { route: 'pay', kind: 'reset' })).toBe(1)
  expect(ports.journal.records.at(-1)).toMatchObject({ injected: { reset: true } })
})

it('answers in place of the vendor, in every mode', async () => {
  const { ask, vendor } = house({ status: { share: 1, status: 507 } })
  for (const name of ['pay', 'mocked']) {
    const reply = await ask(name)
    expect([reply.status, reply.headers.get('x-sallyport-fault')]).toEqual([507, 'abort=507'])
  }
  expect(vendor.calls).toEqual([])
})

it('keeps a call waiting, and then it goes on', async () => {
  const { ask, tick, vendor } = house({ latency: { share: 1, ms: 500 } })
  const reply = ask()
  await tick(499)
  expect(vendor.calls.length).toBe(0)
  await tick(1)
  expect([(await reply).status, (await reply).headers.get('x-sallyport-fault'), vendor.calls.length]).toEqual([200, 'delay=500', 1])
})

it('keeps no call waiting longer than it may take', async () => {
  const { ask, tick } = house({ latency: { share: 1, ms: 60_000 } })
  const reply = ask()
  await tick(10_000)
  expect((await reply).status).toBe(504)
})

it('lets an answer trickle, until it is whole or nobody wants it', async () => {
  const { ask, tick } = house({ bandwidth: { share: 1, bytes: 50 } })
  const reply = await ask()
  expect(reply.headers.get('x-sallyport-fault')).toBe('bandwidth=50')
  let text = ''
  const reading = (async () => {
    for await (const chunk of reply.body as AsyncIterable<Uint8Array>) text += new TextDecoder().decode(chunk)
  })()
  for (let i = 0; i < 16; i++) await tick(60)
  expect(text.length).toBeGreaterThan(10)
  expect(text.length).toBeLessThanOrEqual(51)
  for (let i = 0; i < 20; i++) await tick(60)
  await reading
  expect(text).toBe('x'.repeat(100))
})

it('does nothing to the others, and nothing at all in prod', async () => {
  for (const { ask, vendor } of [house({ reset: { share: 0 } }), house({ reset: { share: 1 }, status: { share: 1, status: 500 } }, 'prod')]) {
    const reply = await ask()
    expect([reply.status, vendor.calls.length]).toEqual([200, 1])
  }
})
