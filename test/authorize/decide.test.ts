import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildAuthorize, buildDecide, type Decision } from '../../src/core/ingress/authorize.ts'
import type { Fault } from '../../src/core/model/fault.ts'
import { anonymous, type Principal, type Subject } from '../../src/core/model/principal.ts'
import type { AccessPolicy, ClaimTest, Matcher, Rule } from '../../src/core/policy/linked/access.ts'
import { access, accessPolicy, exchange, type MatchedOptions, rule, subject, type Who } from '../support/access.ts'
import { fakeClock } from '../support/clock.ts'

function decide(policies: readonly AccessPolicy[], principal: Principal, options: MatchedOptions = {}, clock = fakeClock()): Decision {
  return buildDecide(accessPolicy(policies), { clock })(
    exchange(
      principal,
      policies.map((policy) => policy.name),
      options,
    ),
    { trace: true },
  )
}

/** `permit p/rule`, or the code and the rule of a refusal. */
function said(decision: Decision): string {
  if (decision.outcome === 'permit') return `permit ${decision.policy}/${decision.rule}`
  return decision.rule === undefined ? decision.code : `${decision.code} ${decision.policy ?? ''}/${decision.rule}`
}

const open = rule('open', 'allow', { anonymous: true })
const members = rule('members', 'allow')

describe('the order of decisions', () => {
  it.each<[string, readonly Rule[], Principal, string]>([
    ['nothing allows: forbidden', [], subject(), 'forbidden'],
    ['an allow rule lets pass', [members], subject(), 'permit p/members'],
    ['the first allow rule that fits is named', [rule('post', 'allow', { methods: ['POST'] }), members, open], subject(), 'permit p/members'],
    ['deny beats allow, wherever it stands', [members, rule('no', 'deny')], subject(), 'forbidden p/no'],
    ['a deny rule that does not fit is no hindrance', [rule('no', 'deny', { methods: ['POST'] }), members], subject(), 'permit p/members'],
    ['an error in a deny rule denies', [rule('no', 'deny', {}, { when: 'claims.tenant == "b"' }), members], subject(), 'policy_error p/no'],
    [
      'a deny rule that matches says more than one that fails',
      [rule('bad', 'deny', {}, { when: 'claims.x == "b"' }), rule('no', 'deny'), members],
      subject(),
      'forbidden p/no',
    ],
    [
      'an error behind a matcher that does not fit is never met',
      [rule('no', 'deny', { methods: ['POST'] }, { when: 'claims.x == "b"' }), members],
      subject(),
      'permit p/members',
    ],
    ['a deny rule about claims is skipped without a credential', [rule('no', 'deny', {}, { when: 'claims.tenant != "a"' }), open], anonymous, 'permit p/open'],
    ['but not with one', [rule('no', 'deny', {}, { when: 'claims.tenant != "a"' }), open], subject({ claims: { tenant: 'b' } }), 'forbidden p/no'],
    ['a deny rule about the network is not skipped', [rule('no', 'deny', { cidrs: ['192.0.2.0/24'] }), open], anonymous, 'forbidden p/no'],
    ['a deny rule about the principal is not skipped', [rule('no', 'deny', {}, { when: 'principal.kind == "anonymous"' }), open], anonymous, 'forbidden p/no'],
    ['an error in an allow rule is no match', [rule('may', 'allow', {}, { when: 'claims.tenant == "a"' })], subject(), 'forbidden'],
    ['and the next rule is tried', [rule('may', 'allow', {}, { when: 'claims.tenant == "a"' }), members], subject(), 'permit p/members'],
    ['an allow rule is for principals unless it says anonymous', [members], anonymous, 'unauthenticated'],
    ['an anonymous allow rule fits principals too', [open], subject(), 'permit p/open'],
    [
      'anonymous is 401 when a rule would fit a principal',
      [rule('a', 'allow', { scopes: { all: ['x'], any: [] }, methods: ['GET'] })],
      anonymous,
      'unauthenticated',
    ],
    ['anonymous is 403 when no rule fits the method', [rule('a', 'allow', { methods: ['POST'] })], anonymous, 'forbidden'],
    ['anonymous is 403 when no rule fits the path', [rule('a', 'allow', { paths: ['/v2/**'] })], anonymous, 'forbidden'],
    ['missing scopes alone are named', [rule('a', 'allow', { scopes: { all: ['x'], any: [] } })], subject(), 'scope_insufficient p/a'],
    ['missing scopes and a foreign network are not', [rule('a', 'allow', { cidrs: ['10.0.0.0/8'], scopes: { all: ['x'], any: [] } })], subject(), 'forbidden'],
    ['missing scopes and method are not', [rule('a', 'allow', { methods: ['POST'], scopes: { all: ['x'], any: [] } })], subject(), 'forbidden'],
    [
      'missing scopes count even when another rule is nearer',
      [rule('b', 'allow', { methods: ['POST'] }), rule('a', 'allow', { scopes: { all: ['x'], any: [] } })],
      subject(),
      'scope_insufficient p/a',
    ],
    ['a deny rule on trial denies nothing', [rule('no', 'deny', {}, { mode: 'audit' }), members], subject(), 'permit p/members'],
    ['an allow rule on trial allows nothing', [rule('may', 'allow', {}, { mode: 'audit' })], subject(), 'forbidden'],
    ['an audit rule allows nothing', [rule('see', 'audit')], subject(), 'forbidden'],
    ['an anonymous deny rule is for the anonymous', [rule('no', 'deny', { anonymous: true }), open], anonymous, 'forbidden p/no'],
    ['and for nobody else', [rule('no', 'deny', { anonymous: true }), open], subject(), 'permit p/open'],
  ])('%s', (_, rules, principal, expected) => {
    expect(said(decide([access('p', rules)], principal))).toBe(expected)
  })

  it('takes the deny rules of every policy, and one allow rule of any', () => {
    const first = access('first', [members])
    const second = access('second', [rule('no', 'deny', { methods: ['POST'] })])
    expect(said(decide([first, second], subject()))).toBe('permit first/members')
    expect(said(decide([first, second], subject(), { method: 'POST' }))).toBe('forbidden second/no')
  })

  it('is 403, not 401, where the route reads no credential', () => {
    expect(said(decide([access('p', [members], { kind: 'none' })], anonymous))).toBe('forbidden')
  })

  it('closes a route whose policy is missing or quarantined', () => {
    const broken: AccessPolicy = { ...access('broken', [open]), quarantined: 'a typo' }
    expect(said(decide([access('p', [open]), broken], subject()))).toBe('config_quarantined')
    const decision = buildDecide(accessPolicy([]), { clock: fakeClock() })(exchange(subject(), ['nowhere']))
    expect(decision).toMatchObject({ outcome: 'refusal', code: 'config_quarantined' })
  })

  it('records audit rules whatever was decided', () => {
    const rules = [
      rule('see', 'audit', { methods: ['GET'] }),
      rule('trial', 'deny', {}, { mode: 'audit' }),
      rule('unseen', 'audit', { methods: ['POST'] }),
      rule('bad', 'audit', {}, { when: 'claims.x == 1' }),
    ]
    expect(decide([access('p', [...rules, members])], subject()).audited).toEqual(['p/see', 'p/trial'])
    expect(decide([access('p', rules)], subject())).toMatchObject({ outcome: 'refusal', audited: ['p/see', 'p/trial'] })
  })
})

describe('a matcher', () => {
  const fits = (matcher: Partial<Matcher>, options: MatchedOptions = {}, principal: Principal = subject()) =>
    said(decide([access('p', [rule('r', 'allow', { anonymous: true, ...matcher })])], principal, options)) === 'permit p/r'

  it('methods: GET takes HEAD along, nothing else', () => {
    expect(fits({ methods: ['GET'] }, { method: 'GET' })).toBe(true)
    expect(fits({ methods: ['GET'] }, { method: 'HEAD' })).toBe(true)
    expect(fits({ methods: ['HEAD'] }, { method: 'GET' })).toBe(false)
    expect(fits({ methods: ['GET'] }, { method: 'get' })).toBe(false)
    expect(fits({ methods: ['PURGE'] }, { method: 'PURGE' })).toBe(true)
    expect(fits({ methods: ['POST'] }, { method: 'PURGE' })).toBe(false)
    expect(fits({ methods: [] }, { method: 'GET' })).toBe(false)
  })

  it('paths: templates over the canonical path', () => {
    expect(fits({ paths: ['/v1/orders/{id}'] })).toBe(true)
    expect(fits({ paths: ['/v1/orders'] })).toBe(false)
    expect(fits({ paths: ['/v2/**', '/v1/**'] })).toBe(true)
    expect(fits({ paths: ['/v1/orders/{id}'] }, { path: '/v1/orders/7/items' })).toBe(false)
  })

  it('grpc: one method, or all of a service', () => {
    const rpc = 'shop.v1.Orders/GetOrder'
    expect(fits({ grpc: [rpc] }, { rpc })).toBe(true)
    expect(fits({ grpc: ['shop.v1.Orders/*'] }, { rpc })).toBe(true)
    expect(fits({ grpc: ['shop.v1.Order/*', 'shop.v1.Orders/Get'] }, { rpc })).toBe(false)
    expect(fits({ grpc: [rpc] })).toBe(false)
    expect(fits({ methods: ['GET'] }, { rpc, method: 'POST' })).toBe(false)
  })

  it('hosts: exact, or one label for the star', () => {
    expect(fits({ hosts: ['api.example.com'] })).toBe(true)
    expect(fits({ hosts: ['*.example.com'] })).toBe(true)
    expect(fits({ hosts: ['*.com'] })).toBe(false)
  })

  it('issuers, clients and scopes ask the principal', () => {
    const who = subject({ issuer: 'main', clientId: 'c1', scopes: ['a', 'b'] })
    expect(fits({ issuers: ['main'] }, {}, who)).toBe(true)
    expect(fits({ issuers: ['other'] }, {}, who)).toBe(false)
    expect(fits({ clients: ['c1'] }, {}, who)).toBe(true)
    expect(fits({ clients: ['c2'] }, {}, who)).toBe(false)
    expect(fits({ scopes: { all: ['a', 'b'], any: [] } }, {}, who)).toBe(true)
    expect(fits({ scopes: { all: ['a', 'c'], any: [] } }, {}, who)).toBe(false)
    expect(fits({ scopes: { all: ['a'], any: ['c', 'b'] } }, {}, who)).toBe(true)
    expect(fits({ scopes: { all: [], any: ['c'] } }, {}, who)).toBe(false)
    for (const matcher of [{ issuers: ['main'] }, { clients: ['c1'] }, { scopes: { all: [], any: [] } }]) expect(fits(matcher, {}, anonymous)).toBe(false)
  })

  it('cidrs ask the client address', () => {
    expect(fits({ cidrs: ['10.0.0.0/8', '192.0.2.0/24'] })).toBe(true)
    expect(fits({ cidrs: ['10.0.0.0/8'] })).toBe(false)
  })

  it('headers', () => {
    expect(fits({ headers: [{ name: 'x-a', exact: '1' }] }, { headers: [['x-a', '1']] })).toBe(true)
    expect(fits({ headers: [{ name: 'x-a', exact: '1' }] }, { headers: [['x-a', '2']] })).toBe(false)
  })

  it.each<[Readonly<Record<string, unknown>>, ClaimTest, boolean]>([
    [{ role: 'admin' }, { path: 'role', kind: 'in', values: ['admin'] }, true],
    [{ role: 'not-admin' }, { path: 'role', kind: 'in', values: ['admin'] }, false],
    [{ role: 'admin user' }, { path: 'role', kind: 'in', values: ['admin'] }, false],
    [{ roles: ['user', 'admin'] }, { path: 'roles', kind: 'in', values: ['admin', 'root'] }, true],
    [{ roles: [['admin']] }, { path: 'roles', kind: 'in', values: ['admin'] }, false],
    [{ roles: { admin: true } }, { path: 'roles', kind: 'in', values: ['admin'] }, false],
    [{ roles: { 0: 'admin', length: 1 } }, { path: 'roles', kind: 'in', values: ['admin'] }, false],
    [{ level: 1 }, { path: 'level', kind: 'in', values: ['1'] }, false],
    [{ level: 1 }, { path: 'level', kind: 'in', values: [1] }, true],
    [{ admin: 'true' }, { path: 'admin', kind: 'in', values: [true] }, false],
    [{ realm: { roles: ['admin'] } }, { path: 'realm.roles', kind: 'in', values: ['admin'] }, true],
    [{ 'https://x.example/roles': ['admin'] }, { path: 'https://x.example/roles', kind: 'in', values: ['admin'] }, true],
    [{}, { path: 'constructor.name', kind: 'present' }, false],
    [{ name: 'abc' }, { path: 'name.length', kind: 'present' }, false],
    [{ roles: ['a'] }, { path: 'roles.0', kind: 'present' }, false],
    [{ role: null }, { path: 'role', kind: 'present' }, false],
    [{ role: false }, { path: 'role', kind: 'present' }, true],
    [{ tenant: 'a' }, { path: 'tenant', kind: 'equals', attribute: 'path.tenant' }, true],
    [{ tenant: 'b' }, { path: 'tenant', kind: 'equals', attribute: 'path.tenant' }, false],
    [{}, { path: 'tenant', kind: 'equals', attribute: 'path.tenant' }, false],
    [{ tenant: 'h' }, { path: 'tenant', kind: 'equals', attribute: 'header.x-tenant' }, true],
    [{ tenant: 'h' }, { path: 'tenant', kind: 'equals', attribute: 'header.x-none' }, false],
    [{}, { path: 'tenant', kind: 'equals', attribute: 'header.x-none' }, false],
    [{ tenant: 'd' }, { path: 'tenant', kind: 'equals', attribute: 'header.x-double' }, false],
    [{ tenant: 'q q' }, { path: 'tenant', kind: 'equals', attribute: 'query.t' }, true],
    [{ tenant: 'x' }, { path: 'tenant', kind: 'equals', attribute: 'query.double' }, false],
    [{ tenant: 'api.example.com' }, { path: 'tenant', kind: 'equals', attribute: 'host' }, true],
    [{ a: 'x', b: { c: 'x' } }, { path: 'a', kind: 'equals', attribute: 'claim.b.c' }, true],
    [{ a: undefined }, { path: 'a', kind: 'equals', attribute: 'claim.z' }, false],
    [{ a: {} }, { path: 'a', kind: 'equals', attribute: 'claim.a' }, false],
  ])('claims %j against %j: %s', (claims, test, expected) => {
    const options: MatchedOptions = {
      params: { tenant: 'a' },
      query: 't=q+q&double=x&double=x',
      headers: [
        ['x-tenant', 'h'],
        ['x-double', 'd'],
        ['x-double', 'd'],
      ],
    }
    expect(fits({ claims: [test] }, options, subject({ claims }))).toBe(expected)
    expect(fits({ claims: [test] }, options, anonymous)).toBe(false)
  })

  it('equals a path variable that the route does not have: an error, so a deny rule denies', () => {
    const test: ClaimTest = { path: 'tenant', kind: 'equals', attribute: 'path.nothing' }
    expect(said(decide([access('p', [rule('no', 'deny', { claims: [test] }), open])], subject({ claims: { tenant: 'a' } })))).toBe('policy_error p/no')
  })

  it.each([
    ['2026-01-05T08:00:00Z', true], // Monday 09:00 in Berlin
    ['2026-01-05T07:59:00Z', false],
    ['2026-01-05T15:59:59Z', true],
    ['2026-01-05T16:00:00Z', false],
    ['2026-01-04T08:00:00Z', false], // Sunday
    ['2026-07-06T07:00:00Z', true], // Monday 09:00 in summer
    ['2026-07-06T15:00:00Z', false],
  ])('times: office hours in Berlin at %s: %s', (at, expected) => {
    const times = [{ days: [1, 2, 3, 4, 5], from: 540, to: 1020, zone: 'Europe/Berlin' }]
    const decision = decide([access('p', [rule('r', 'allow', { times })])], subject(), {}, fakeClock(Date.parse(at)))
    expect(decision.outcome).toBe(expected ? 'permit' : 'refusal')
  })

  it.each([
    ['2026-01-05T22:00:00Z', true], // Monday evening
    ['2026-01-06T05:59:00Z', true], // and the morning after
    ['2026-01-06T06:00:00Z', false],
    ['2026-01-06T22:00:00Z', false], // Tuesday evening
    ['2026-01-05T05:00:00Z', false], // Monday morning belongs to Sunday
  ])('times: a window over midnight belongs to the day it starts on, at %s: %s', (at, expected) => {
    const times = [{ days: [1], from: 1320, to: 360, zone: 'UTC' }]
    const decision = decide([access('p', [rule('r', 'allow', { times })])], subject(), {}, fakeClock(Date.parse(at)))
    expect(decision.outcome).toBe(expected ? 'permit' : 'refusal')
  })
})

it('times go on while the same engine decides', () => {
  const clock = fakeClock(Date.UTC(2026, 0, 5, 8, 59))
  const times = [{ days: [], from: 540, to: 541, zone: 'UTC' }]
  const engine = buildDecide(accessPolicy([access('p', [rule('r', 'allow', { times })])]), { clock })
  const outcomes = [0, 30_000, 30_000, 59_000, 1000].map((ms) => {
    clock.advance(ms)
    return engine(exchange(subject(), ['p'])).outcome
  })
  expect(outcomes).toEqual(['refusal', 'refusal', 'permit', 'permit', 'refusal'])
})

describe('a when', () => {
  const permits = (when: string, options: MatchedOptions = {}, who: Who = {}) =>
    decide([access('p', [rule('r', 'allow', {}, { when })])], subject(who), options).outcome === 'permit'

  it('sees the whole request', () => {
    const options: MatchedOptions = { rpc: 'shop.v1.Orders/GetOrder', params: { id: '7' }, query: 'page_size=%35', headers: [['x-a', '1']] }
    expect(permits('request.method == "GET" && request.path == "/v1/orders/7" && request.host == "api.example.com"', options)).toBe(true)
    expect(permits('request.rpc == "shop.v1.Orders/GetOrder" && request.params.id == "7"', options)).toBe(true)
    expect(permits('"page_size" in request.query && int(request.query.page_size) == 5 && request.headers["x-a"] == "1"', options)).toBe(true)
    expect(permits('client.address == "192.0.2.1" && client.network == "192.0.2.1/32" && now == 1767225600')).toBe(true)
    expect(permits('principal.issuer == "main" && "a" in principal.scopes && claims.org.id == "o"', {}, { scopes: ['a'], claims: { org: { id: 'o' } } })).toBe(
      true,
    )
  })

  it('takes a repeated header or parameter for an error, so that a deny rule cannot be passed by saying it twice', () => {
    const deny = [access('p', [rule('no', 'deny', {}, { when: '"x-mode" in request.headers && request.headers["x-mode"] == "admin"' }), open])]
    expect(said(decide(deny, subject()))).toBe('permit p/open')
    expect(said(decide(deny, subject(), { headers: [['x-mode', 'admin']] }))).toBe('forbidden p/no')
    const twice: MatchedOptions = { headers: [['x-mode', 'user'], ['x-mode', 'admin'], ['x-mode', 'user']] } // biome-ignore format: reads as one
    expect(said(decide(deny, subject(), twice))).toBe('policy_error p/no')
    const query = [access('p', [rule('no', 'deny', {}, { when: 'has(request.query.mode) && request.query.mode == "admin"' }), open])]
    expect(said(decide(query, subject(), { query: 'mode=user&m%6fde=admin' }))).toBe('policy_error p/no')
  })
})

describe('a decision explains itself', () => {
  const rules = [
    rule('writers', 'allow', { methods: ['POST'], scopes: { all: ['orders:write'], any: [] } }),
    rule('readers', 'allow', { methods: ['GET'], clients: ['c1'], claims: [{ path: 'tenant', kind: 'in', values: ['a'] }] }),
    rule('no', 'deny', { cidrs: ['10.0.0.0/8'] }, { reason: 'Not from inside.' }),
    rule('see', 'audit', {}, { when: 'claims.nothing == 1' }),
  ]

  it('with the nearest rule and the matcher that failed', () => {
    const decision = decide([access('p', rules)], subject({ clientId: 'c1', claims: { tenant: 'b' } }))
    expect(decision).toMatchObject({
      nearest: { policy: 'p', rule: 'readers', failed: { matcher: 'claims', expected: 'tenant "a"', actual: 'tenant is "b"' } },
    })
  })

  it.each([
    [{ name: 'x-evil', present: true }, 'header x-evil must be present, is absent'],
    [{ name: 'x-tier', present: false }, 'header x-tier must be absent, is "gold"'],
    [{ name: 'x-tier', exact: 'red' }, 'header x-tier must be "red", is "gold"'],
    [{ name: 'x-tier', prefix: 'g', pattern: '[a-f]+' }, 'header x-tier must be a text that begins with "g" and a text that fits [a-f]+, is "gold"'],
  ])('in plain words where a header keeps a rule from fitting: %j', (test, words) => {
    const held = { name: 'x-tier', present: true }
    const options: MatchedOptions = { headers: [['x-tier', 'gold']] }
    const [traced] = decide([access('p', [rule('no', 'deny', { headers: [held, test] })])], subject(), options).trace ?? []
    expect(traced?.failed && `${traced.failed.what} must be ${traced.failed.expected}, is ${traced.failed.actual}`).toBe(words)
  })

  it('with every rule when asked, and with none when not', () => {
    const decision = decide([access('p', rules)], subject({ clientId: 'c2' }))
    expect(decision.trace?.map(({ id, matched: hit, failed }) => [id, hit, failed?.matcher])).toEqual([
      ['p/no', false, 'cidrs'],
      ['p/writers', false, 'methods'],
      ['p/readers', false, 'clients'],
      ['p/see', false, 'when'],
    ])
    expect(decision.trace?.[3]?.failed?.error).toContain('No such key')
    expect(buildDecide(accessPolicy([access('p', rules)]), { clock: fakeClock() })(exchange(subject(), ['p'])).trace).toBeUndefined()
  })

  it('with the reason of the rule that denied', () => {
    expect(decide([access('p', rules)], subject(), { client: '10.1.2.3' })).toMatchObject({ code: 'forbidden', rule: 'no', reason: 'Not from inside.' })
  })

  it('marks skipped deny rules', () => {
    const decision = decide([access('p', [rule('no', 'deny', {}, { when: 'claims.a == 1' }), open])], anonymous)
    expect(decision.trace?.[0]).toMatchObject({ id: 'p/no', matched: false, skipped: true })
  })
})

describe('the room', () => {
  const authorize = (rules: readonly Rule[], principal: Principal, options?: MatchedOptions) => {
    const room = buildAuthorize(accessPolicy([access('p', rules)]), { clock: fakeClock() })
    return room(exchange(principal, ['p'], options))
  }
  const fault = (run: () => unknown): Fault => {
    try {
      run()
    } catch (error) {
      return error as Fault
    }
    throw new Error('it was let pass')
  }

  it('mints a permit on the same exchange', async () => {
    const x = exchange(subject(), ['p'])
    const room = buildAuthorize(accessPolicy([access('p', [rule('see', 'audit'), members])]), { clock: fakeClock() })
    const permitted = await room(x)
    expect(permitted).toBe(x)
    expect(permitted.permit).toEqual({ policy: 'p', rule: 'members', audited: ['p/see'] })
    expect(Object.isFrozen(permitted.permit)).toBe(true)
  })

  it('answers missing scopes with a challenge that names them', () => {
    const needs = rule('a', 'allow', { scopes: { all: ['orders:read'], any: ['x', 'y'] } })
    const thrown = fault(() => authorize([needs], subject()))
    expect(thrown).toMatchObject({ code: 'scope_insufficient', detail: { rule: 'p/a' } })
    expect(thrown.detail.headers).toEqual([['www-authenticate', 'Bearer realm="sallyport", error="insufficient_scope", scope="orders:read x"']])
  })

  it('answers the anonymous with a challenge, and a refusal without one', () => {
    expect(fault(() => authorize([members], anonymous))).toMatchObject({
      code: 'unauthenticated',
      detail: { headers: [['www-authenticate', 'Bearer realm="sallyport"']] },
    })
    expect(fault(() => authorize([], subject())).detail.headers).toBeUndefined()
  })

  it('answers in the scheme of the credential that was or could have been brought', () => {
    const keys = { kind: 'apiKey', name: 'partners' } as const
    const room = (tree: Parameters<typeof access>[2]) =>
      buildAuthorize(accessPolicy([access('p', [rule('a', 'allow', { scopes: { all: ['s'], any: [] } })], tree)]), { clock: fakeClock() })
    const challenges = (tree: Parameters<typeof access>[2], who: Principal) => {
      const thrown = fault(() => room(tree)(exchange(who, ['p'])))
      return [thrown.message, ...(thrown.detail.headers ?? []).map(([, value]) => value)]
    }
    const both = { kind: 'optional', of: { kind: 'anyOf', of: [keys, { kind: 'jwt', name: 'main' }] } } as const
    expect(challenges({ kind: 'optional', of: keys }, anonymous)).toEqual(['an API key is required', 'ApiKey realm="sallyport"'])
    expect(challenges(both, anonymous).slice(1)).toEqual(['Bearer realm="sallyport"', 'ApiKey realm="sallyport"'])
    const holder: Principal = { kind: 'subject', by: 'apiKey', issuer: 'partners', subject: 'a', clientId: undefined, scopes: new Set(), claims: {} }
    expect(challenges(both, holder).slice(1)).toEqual(['ApiKey realm="sallyport", error="insufficient_scope", scope="s"'])
  })

  it('shows the reason of a rule, and keeps values of claims out of what is written down', () => {
    const thrown = fault(() =>
      authorize([rule('a', 'allow', { claims: [{ path: 'email', kind: 'in', values: ['x'] }] })], subject({ claims: { email: 'secret@example.com' } })),
    )
    expect(JSON.stringify([thrown.message, thrown.detail])).not.toContain('secret@example.com')
    expect(thrown.detail.internal).toContain('nearest p/a: claims')
    const denied = fault(() => authorize([rule('no', 'deny', {}, { reason: 'Closed.' }), open], subject()))
    expect(denied).toMatchObject({ code: 'forbidden', message: 'access is denied by policy', detail: { rule: 'p/no', reason: 'Closed.' } })
  })
})

describe('properties', () => {
  const matcher = fc.record({
    anonymous: fc.boolean(),
    methods: fc.option(fc.subarray(['GET', 'POST', 'HEAD', 'DELETE']), { nil: undefined }),
    paths: fc.option(fc.subarray(['/v1/**', '/v1/orders/{id}', '/v2/**', '/v1/orders']), { nil: undefined }),
    cidrs: fc.option(fc.subarray(['192.0.2.0/24', '10.0.0.0/8'], { minLength: 1 }), { nil: undefined }),
    scopes: fc.option(fc.record({ all: fc.subarray(['a', 'b']), any: fc.subarray(['b', 'c']) }), { nil: undefined }),
    claims: fc.option(fc.constant([{ path: 'tenant', kind: 'in', values: ['a'] }] satisfies ClaimTest[]), { nil: undefined }),
  })
  const anyRule = fc
    .tuple(
      fc.nat(),
      fc.constantFrom('allow', 'deny', 'audit'),
      fc.constantFrom('enforce', 'enforce', 'audit'),
      matcher,
      fc.constantFrom(undefined, undefined, 'claims.tenant == "a"', 'request.method == "GET"', 'claims.a.b.c == 1'),
    )
    .map(([id, effect, mode, parts, when]) => rule(`r${id}`, effect, parts, { mode, when }))
  const anyRequest = fc.record({
    method: fc.constantFrom('GET', 'POST', 'HEAD', 'PURGE'),
    path: fc.constantFrom('/v1/orders/7', '/v1/orders', '/v2/x', '/'),
    client: fc.constantFrom('192.0.2.1', '10.1.1.1'),
  })
  const anyone = fc.oneof(
    fc.constant(anonymous),
    fc.tuple(fc.subarray(['a', 'b', 'c']), fc.constantFrom({}, { tenant: 'a' }, { tenant: 7 })).map(([scopes, claims]) => subject({ scopes, claims })),
  )
  const permits = (rules: readonly Rule[], who: Principal, request: MatchedOptions) => decide([access('p', rules)], who, request).outcome === 'permit'

  it('no further deny, audit or trial rule ever turns a refusal into a permit', () => {
    const only = fc.property(
      fc.array(anyRule, { maxLength: 6 }),
      fc.array(anyRule, { minLength: 1, maxLength: 3 }),
      anyone,
      anyRequest,
      (rules, added, who, request) => {
        const harmless = added.filter((one) => one.effect !== 'allow' || one.mode === 'audit')
        return permits(rules, who, request) || !permits([...rules, ...harmless], who, request)
      },
    )
    expect(() => fc.assert(only, { numRuns: 2000 })).not.toThrow()
  })

  it('a deny rule that loses a matcher never lets more pass', () => {
    const names = ['methods', 'paths', 'cidrs', 'scopes', 'claims', 'when'] as const
    const wider = fc.property(fc.array(anyRule, { maxLength: 6 }), anyRule, fc.constantFrom(...names), anyone, anyRequest, (rules, one, name, who, request) => {
      const deny: Rule = { ...one, effect: 'deny', mode: 'enforce' }
      const widened: Rule = name === 'when' ? { ...deny, when: undefined } : { ...deny, matcher: { ...deny.matcher, [name]: undefined } }
      return permits([...rules, deny], who, request) || !permits([...rules, widened], who, request)
    })
    expect(() => fc.assert(wider, { numRuns: 2000 })).not.toThrow()
  })

  it('a rule that denies cannot be outweighed by any number of allow rules', () => {
    const denied = fc.property(
      fc.array(anyRule, { maxLength: 8 }),
      anyone,
      anyRequest,
      (rules, who, request) => !permits([...rules, rule('stop', 'deny')], who, request),
    )
    expect(() => fc.assert(denied, { numRuns: 2000 })).not.toThrow()
  })

  it('the order of rules never changes whether a request passes', () => {
    const order = fc.property(
      fc.array(anyRule, { maxLength: 8 }),
      anyone,
      anyRequest,
      (rules, who, request) => permits(rules, who, request) === permits(rules.toReversed(), who, request),
    )
    expect(() => fc.assert(order, { numRuns: 2000 })).not.toThrow()
  })

  it('a permit always names an enforced allow rule whose parts the trace saw hold', () => {
    const named = fc.property(fc.array(anyRule, { maxLength: 8 }), anyone, anyRequest, (rules, who, request) => {
      const decision = decide([access('p', rules)], who, request)
      if (decision.outcome === 'refusal') return true
      const hits = decision.trace?.filter((one) => one.id === `p/${decision.rule}` && one.matched && one.effect === 'allow' && one.mode === 'enforce')
      return (hits?.length ?? 0) > 0 && decision.trace?.every((one) => one.effect !== 'deny' || one.mode === 'audit' || !one.matched) === true
    })
    expect(() => fc.assert(named, { numRuns: 2000 })).not.toThrow()
  })
})

describe('a request that proved several subjects', () => {
  const key: Subject = { ...subject({ issuer: 'shops', scopes: ['ship'], claims: { tenant: 'red' } }), by: 'apiKey' }
  const both: Principal = { ...subject({ issuer: 'main', scopes: ['read'], claims: { tenant: 'blue' } }), also: [key] }

  it.each<[string, readonly Rule[], string]>([
    ['is denied for what the second says', [rule('no', 'deny', { claims: [{ kind: 'in', path: 'tenant', values: ['red'] }] }), members], 'forbidden p/no'],
    ['is denied for where the second comes from', [rule('no', 'deny', { issuers: ['shops'] }), members], 'forbidden p/no'],
    ['is allowed by what one of them has', [rule('may', 'allow', { issuers: ['shops'], scopes: { all: ['ship'], any: [] } })], 'permit p/may'],
    ['is not allowed by parts of two', [rule('may', 'allow', { issuers: ['main'], scopes: { all: ['ship'], any: [] } })], 'scope_insufficient p/may'],
    [
      'is not denied for a condition that the principal alone meets',
      [rule('no', 'deny', {}, { when: 'claims.tenant != "blue"' }), members],
      'permit p/members',
    ],
    [
      'is denied for a condition beside a matcher that fits the second',
      [rule('no', 'deny', { issuers: ['shops'] }, { when: 'claims.tenant == "red"' }), members],
      'forbidden p/no',
    ],
  ])('%s', (_, rules, expected) => {
    expect(said(decide([access('p', rules)], both))).toBe(expected)
  })

  it('is audited for any of them, and the trace says so', () => {
    const decision = decide([access('p', [rule('seen', 'audit', { issuers: ['shops'] }), members])], both)
    expect(decision.audited).toEqual(['p/seen'])
    expect(decision.trace?.map(({ id, matched }) => [id, matched])).toEqual([
      ['p/members', true],
      ['p/seen', true],
    ])
  })
})
