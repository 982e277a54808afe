import { describe, expect, it } from 'vitest'
import { buildEgress } from '../../src/core/egress.ts'
import { arrival } from '../support/arrival.ts'
import { caller, egressPolicy, fakeVendor, linked, live, service } from '../support/egress.ts'
import { fakePorts, fakeResolve } from '../support/ports.ts'

const rule = (id: string, path: string, audit?: true) => ({ id, methods: ['GET'], path, ...(audit && { audit }) })
const policy = egressPolicy({
  services: [
    linked(
      service('pay', { allow: [rule('learn', '/{**}', true), rule('read', '/v1/charges/{id}')] }),
      live('dev', 'https://pay.example'),
      live('test', 'https://api.pay.example'),
      { mode: 'deny', environment: 'staging', reason: 'closed' },
    ),
    linked(service('crm', { allow: [rule('learn', '/v1/{**}', true)], callers: ['other'] }), live('dev', 'https://crm.example')),
  ],
  callers: [caller('checkout', { mayChooseEnv: ['test', 'staging'] })],
  environments: ['dev', 'test', 'staging'],
  guards: [{ host: 'api.pay.example', port: 443, service: 'pay' }],
})

async function call(method: string, path: string, headers: Readonly<Record<string, string>> = {}, host = 'pay') {
  const ports = fakePorts({ resolve: fakeResolve({ 'api.pay.example': ['93.184.216.34'] }) })
  const vendor = fakeVendor()
  const walk = buildEgress(policy, vendor, ports)
  const answer = await walk(arrival(method, path, { Host: `${host}.egress.internal`, ...headers }, { listener: 'egress' }))
  const [record] = ports.journal.records
  const counted = ports.meter.total('sallyport_egress_would_refuse_total', { service: host, rule: 'learn' })
  return { status: answer.status, calls: vendor.calls.length, record, counted }
}

describe('an allow rule in audit mode', () => {
  it('lets pass what no other rule does, and says that it would be refused', async () => {
    const { status, calls, record, counted } = await call('GET', '/v1/refunds/7')
    expect([status, calls, counted]).toEqual([200, 1, 1])
    expect(record).toMatchObject({ permit: { policy: 'pay', rule: 'learn' }, audited: ['pay/learn'], egress: { would_refuse: true } })
  })

  it('says nothing of what another rule allows, wherever it stands in the list', async () => {
    const { status, record, counted } = await call('GET', '/v1/charges/7')
    expect([status, counted]).toEqual([200, 0])
    expect(record).toMatchObject({ permit: { rule: 'read' }, audited: undefined, egress: { would_refuse: undefined } })
  })

  it('lets nothing pass that it does not name, nobody who is no caller, and no path that can be read in two ways', async () => {
    expect(await call('POST', '/v1/refunds')).toMatchObject({ status: 403, calls: 0, counted: 0 })
    expect(await call('GET', '/v1/x', {}, 'crm')).toMatchObject({ status: 403, calls: 0, counted: 0 })
    expect(await call('GET', '/v1/a%2Fb')).toMatchObject({ status: 400, calls: 0, counted: 0 })
  })

  it('opens neither the production guard nor a closed environment', async () => {
    const production = await call('GET', '/v1/refunds/7', { 'X-Egress-Env': 'test' })
    expect(production).toMatchObject({ status: 403, calls: 0, record: { refusal: { code: 'address_denied' }, audited: ['pay/learn'] } })
    expect(await call('GET', '/v1/refunds/7', { 'X-Egress-Env': 'staging' })).toMatchObject({
      status: 403,
      calls: 0,
      record: { refusal: { code: 'egress_denied' } },
    })
  })
})
