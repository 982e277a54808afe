import { describe, expect, it } from 'vitest'
import { buildAuthorize, buildDecide } from '../../src/core/ingress/authorize.ts'
import { buildIngress } from '../../src/core/ingress.ts'
import { Fault } from '../../src/core/model/fault.ts'
import type { Rule } from '../../src/core/policy/linked/access.ts'
import type { JournalRecord } from '../../src/core/ports.ts'
import { access, accessPolicy, exchange, type MatchedOptions, matched, rule, subject } from '../support/access.ts'
import { arrival } from '../support/arrival.ts'
import { fakeClock } from '../support/clock.ts'
import { issuerDouble } from '../support/issuer.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'
import { fakePorts } from '../support/ports.ts'

const members = rule('members', 'allow')

function screened(rules: readonly Rule[], options: MatchedOptions = {}) {
  const engine = buildDecide(accessPolicy([access('p', rules)]), { clock: fakeClock() })
  return engine.screen(matched(['p'], options), { trace: true })
}

describe('before anybody is identified', () => {
  it.each<[string, Rule]>([
    ['a network', rule('no', 'deny', { cidrs: ['192.0.2.0/24'] })],
    ['a path', rule('no', 'deny', { paths: ['/v1/{**}'] })],
    ['a method and a host', rule('no', 'deny', { methods: ['GET'], hosts: ['api.example.com'] })],
    ['a header', rule('no', 'deny', { headers: [{ name: 'x-a', exact: '1' }] })],
    ['a listener', rule('no', 'deny', { listeners: ['public'] })],
    ['the time', rule('no', 'deny', { times: [{ days: [], from: 0, to: 1440, zone: 'UTC' }] })],
    ['everything', rule('no', 'deny')],
    ['an expression over the request', rule('no', 'deny', {}, { when: 'request.method == "GET" && client.address != "" && now > 0' })],
  ])('a deny rule about %s refuses', (_, no) => {
    expect(screened([no, members], { headers: [['x-a', '1']] })).toMatchObject({ code: 'forbidden', phase: 'screen', policy: 'p', rule: 'no' })
  })

  it.each<[string, Rule]>([
    ['claims', rule('no', 'deny', { claims: [{ path: 'a', kind: 'present' }] })],
    ['scopes', rule('no', 'deny', { scopes: { all: [], any: ['a'] } })],
    ['issuers', rule('no', 'deny', { issuers: ['main'] })],
    ['clients', rule('no', 'deny', { clients: ['c'] })],
    ['roles', rule('no', 'deny', { roles: { claim: 'roles', all: [], any: ['a'] } })],
    ['the anonymous', rule('no', 'deny', { anonymous: true })],
    ['an expression over claims', rule('no', 'deny', {}, { when: 'claims.a == 1' })],
    ['an expression over the principal', rule('no', 'deny', {}, { when: 'principal.kind == "anonymous"' })],
    ['nobody, being on trial', rule('no', 'deny', {}, { mode: 'audit' })],
  ])('a deny rule about %s waits', (_, no) => {
    expect(screened([no, members])).toBeUndefined()
  })

  it('a rule that cannot be evaluated denies', () => {
    const no = rule('no', 'deny', {}, { when: 'request.query.mode == "x"' })
    expect(screened([no, members])).toMatchObject({ code: 'policy_error', phase: 'screen', rule: 'no' })
  })

  it('only audit rules that need nobody are noted, and only such rules are traced', () => {
    const rules = [
      rule('no', 'deny'),
      rule('later', 'deny', { scopes: { all: ['a'], any: [] } }),
      rule('seen', 'audit', { methods: ['GET'] }),
      rule('who', 'audit', { anonymous: true }),
      members,
    ]
    const refusal = screened(rules)
    expect(refusal?.audited).toEqual(['p/seen'])
    expect(refusal?.trace?.map(({ id, phase }) => [id, phase])).toEqual([
      ['p/no', 'screen'],
      ['p/seen', 'audit'],
    ])
  })

  it('a route whose policy is missing is closed', () => {
    const engine = buildDecide(accessPolicy([]), { clock: fakeClock() })
    expect(engine.screen(matched(['nowhere']))).toMatchObject({ code: 'config_quarantined' })
  })
})

it('what was not screened is decided in full, so that no walk can leave a deny rule out', () => {
  const room = buildAuthorize(accessPolicy([access('p', [rule('no', 'deny', { cidrs: ['192.0.2.0/24'] }), members])]), { clock: fakeClock() })
  expect(() => room(exchange(subject(), ['p']))).toThrow('access is denied')
})

it('a request is decided by one moment, however long its token took', () => {
  const clock = fakeClock(Date.UTC(2026, 0, 5, 8, 59, 59))
  const closing = rule('closing', 'deny', { times: [{ days: [], from: 540, to: 600, zone: 'UTC' }] })
  const office = rule('office', 'allow', { times: [{ days: [], from: 480, to: 540, zone: 'UTC' }] })
  const room = buildAuthorize(accessPolicy([access('p', [closing, office])]), { clock })
  const x = exchange(subject(), ['p'])
  room.screen(x)
  clock.advance(5000)
  expect(room(x)).toMatchObject({ permit: { rule: 'office' } })
})

describe('the walk', () => {
  async function walked(client: string) {
    const ports = fakePorts()
    const issuer = await issuerDouble(() => ports.clock.now())
    const asked: string[] = []
    const rules = [rule('lab', 'deny', { cidrs: ['10.66.0.0/16'] }, { reason: 'Not from the lab.' }), rule('see', 'audit', { methods: ['GET'] }), members]
    const policy = emptyPolicy({
      access: { p: access('p', rules) },
      issuers: { main: issuer.config() },
      routes: [plainRoute('orders', { access: ['p'] })],
    })
    const fetch = ({ url }: { readonly url: string }) => {
      asked.push(url)
      throw new Error('the identity provider is down')
    }
    const ingress = buildIngress(policy, { forward: () => Promise.reject(new Fault('internal', 'never')) } as never, { ...ports, fetch })
    const came = arrival('GET', '/orders', { authorization: `Bearer ${await issuer.token()}` }, { peer: client })
    const { status } = await ingress(came)
    ingress.close()
    return { status, asked, record: ports.journal.records.at(-1) as JournalRecord }
  }

  it('asks no identity provider about a request from a denied network', async () => {
    const { status, asked, record } = await walked('10.66.1.2')
    expect(status).toBe(403)
    expect(asked).toEqual([])
    expect(record['refusal']).toMatchObject({ code: 'forbidden', rule: 'p/lab', phase: 'screen' })
    expect(record['audited']).toEqual(['p/see'])
    expect(record['principal']).toBeUndefined()
  })

  it('and does ask about one from elsewhere', async () => {
    const { status, asked } = await walked('192.0.2.7')
    expect(status).toBe(503)
    expect(asked.length).toBeGreaterThan(0)
  })
})
