import { describe, expect, it } from 'vitest'
import { buildDecide, type Decision } from '../../src/core/ingress/authorize.ts'
import { anonymous, type Principal } from '../../src/core/model/principal.ts'
import type { Matcher, TimeWindow } from '../../src/core/policy/linked/access.ts'
import { access, accessPolicy, exchange, rule, subject } from '../support/access.ts'
import { fakeClock } from '../support/clock.ts'

function decide(matcher: Partial<Matcher>, principal: Principal = subject(), at = 0): Decision {
  const engine = buildDecide(accessPolicy([access('p', [rule('r', 'allow', { anonymous: true, ...matcher })])]), { clock: fakeClock(at) })
  return engine(exchange(principal, ['p']), { trace: true })
}

const fits = (matcher: Partial<Matcher>, principal?: Principal, at?: number) => decide(matcher, principal, at).outcome === 'permit'
const why = (matcher: Partial<Matcher>, claims: Readonly<Record<string, unknown>>) => {
  const failed = decide(matcher, subject({ claims })).trace?.[0]?.failed
  return failed && `${failed.what} must be ${failed.expected}, is ${failed.actual}`
}

describe('roles', () => {
  it.each<[Readonly<Record<string, unknown>>, NonNullable<Matcher['roles']>, boolean]>([
    [{ roles: ['user', 'admin'] }, { claim: 'roles', all: [], any: ['admin', 'root'] }, true],
    [{ roles: ['user'] }, { claim: 'roles', all: [], any: ['admin', 'root'] }, false],
    [{ roles: 'admin' }, { claim: 'roles', all: [], any: ['admin'] }, true],
    [{ roles: 'admin user' }, { claim: 'roles', all: [], any: ['admin'] }, false],
    [{ roles: 'not-admin' }, { claim: 'roles', all: [], any: ['admin'] }, false],
    [{ roles: { admin: true } }, { claim: 'roles', all: [], any: ['admin'] }, false],
    [{ roles: { 0: 'admin', length: 1 } }, { claim: 'roles', all: [], any: ['admin'] }, false],
    [{ roles: [['admin']] }, { claim: 'roles', all: [], any: ['admin'] }, false],
    [{ roles: ['a', 'b', 'c'] }, { claim: 'roles', all: ['a', 'b'], any: ['c', 'd'] }, true],
    [{ roles: ['a', 'c'] }, { claim: 'roles', all: ['a', 'b'], any: ['c'] }, false],
    [{ realm_access: { roles: ['admin'] } }, { claim: 'realm_access.roles', all: [], any: ['admin'] }, true],
    [{ realm_access: [{ roles: ['admin'] }] }, { claim: 'realm_access.roles', all: [], any: ['admin'] }, false],
    [{ 'https://x.example/roles': ['admin'] }, { claim: 'https://x.example/roles', all: [], any: ['admin'] }, true],
    [{}, { claim: 'roles', all: [], any: ['admin'] }, false],
  ])('of %j against %j: %s', (claims, roles, expected) => {
    expect(fits({ roles }, subject({ claims }))).toBe(expected)
    expect(fits({ roles }, anonymous)).toBe(false)
  })

  it('of a wrong type never fit, and that can be seen', () => {
    const roles = { claim: 'roles', all: [], any: ['admin'] }
    expect(why({ roles }, { roles: { admin: true } })).toBe('roles must be one of admin, is {"admin":true}, a mapping and not a list of texts')
    expect(why({ roles }, { roles: 7 })).toBe('roles must be one of admin, is 7, a number and not a list of texts')
    expect(why({ roles }, { roles: ['user'] })).toBe('roles must be one of admin, is ["user"]')
    expect(why({ roles }, {})).toBe('roles must be one of admin, is absent')
  })
})

describe('acr', () => {
  it.each([
    ['gold', true],
    ['silver', true],
    ['bronze', false],
    ['', false],
    [['gold'], false],
    [1, false],
    [null, false],
  ])('%j against silver and gold: %s', (acr, expected) => {
    expect(fits({ acr: ['silver', 'gold'] }, subject({ claims: { acr } }))).toBe(expected)
    expect(fits({ acr: ['silver', 'gold'] }, anonymous)).toBe(false)
  })

  it('fits nothing where it is empty', () => {
    expect(fits({ acr: [] }, subject({ claims: { acr: 'gold' } }))).toBe(false)
  })

  it('of a wrong type can be seen', () => {
    expect(why({ acr: ['gold'] }, { acr: ['gold'] })).toBe('acr must be gold, is ["gold"], a list of 1 and not a text')
    expect(why({ acr: ['gold'] }, { acr: 'low' })).toBe('acr must be gold, is "low"')
  })
})

describe('amr', () => {
  it.each<[unknown, NonNullable<Matcher['amr']>, boolean]>([
    [['pwd', 'otp'], { all: ['otp'], any: [] }, true],
    [['pwd'], { all: ['otp'], any: [] }, false],
    [['pwd', 'hwk'], { all: ['pwd'], any: ['otp', 'hwk'] }, true],
    [['otp'], { all: ['pwd'], any: ['otp', 'hwk'] }, false],
    ['otp', { all: ['otp'], any: [] }, false],
    [{ otp: true }, { all: ['otp'], any: [] }, false],
    [undefined, { all: ['otp'], any: [] }, false],
  ])('%j against %j: %s', (amr, test, expected) => {
    expect(fits({ amr: test }, subject({ claims: { amr } }))).toBe(expected)
    expect(fits({ amr: test }, anonymous)).toBe(false)
  })

  it('as one text can be seen not to fit', () => {
    expect(why({ amr: { all: ['otp'], any: [] } }, { amr: 'otp' })).toBe('amr must be all of otp, is "otp", a text and not a list of texts')
  })
})

it('listener: how the request came in', () => {
  expect(fits({ listeners: ['public'] })).toBe(true)
  expect(fits({ listeners: ['edge'] })).toBe(false)
})

it.each([
  [{ path: 'level', kind: 'in', values: [1] } as const, { level: '1' }, 'claims must be level 1, is level is "1", which is a text'],
  [{ path: 'level', kind: 'in', values: ['1', 2] } as const, { level: 3 }, 'claims must be level one of "1", 2, is level is 3'],
  [{ path: 'plan', kind: 'in', values: ['pro'] } as const, { plan: { pro: 1 } }, 'claims must be plan "pro", is plan is {"pro":1}, which is a mapping'],
  [
    { path: 'tenant', kind: 'equals', attribute: 'host' } as const,
    { tenant: ['a'] },
    'claims must be tenant equal to host, is tenant is ["a"], which is a list of 1',
  ],
])('a claim whose type can never fit is shown with its type: %j', (test, claims, words) => {
  expect(why({ claims: [test] }, claims)).toBe(words)
})

describe('a time window across a change of the clocks', () => {
  const berlin = (from: number, to: number, days: readonly number[] = []): TimeWindow => ({ days, from, to, zone: 'Europe/Berlin' })
  it.each<[string, TimeWindow, string, boolean]>([
    ['opens an hour earlier in UTC from the spring Sunday on', berlin(480, 540), '2026-03-28T07:30:00Z', true],
    ['opens an hour earlier in UTC from the spring Sunday on', berlin(480, 540), '2026-03-29T07:30:00Z', false],
    ['opens an hour earlier in UTC from the spring Sunday on', berlin(480, 540), '2026-03-29T06:30:00Z', true],
    ['never opens in the hour that is left out', berlin(120, 180), '2026-03-29T00:59:59Z', false],
    ['never opens in the hour that is left out', berlin(120, 180), '2026-03-29T01:00:00Z', false],
    ['opens twice in the hour that comes twice', berlin(120, 180), '2026-10-25T00:30:00Z', true],
    ['opens twice in the hour that comes twice', berlin(120, 180), '2026-10-25T01:30:00Z', true],
    ['opens twice in the hour that comes twice', berlin(120, 180), '2026-10-25T02:00:00Z', false],
    ['over midnight of the spring Sunday closes by the new clock', berlin(1320, 360, [6]), '2026-03-29T03:59:00Z', true],
    ['over midnight of the spring Sunday closes by the new clock', berlin(1320, 360, [6]), '2026-03-29T04:00:00Z', false],
    ['knows changes of half an hour', { days: [], from: 540, to: 600, zone: 'Australia/Lord_Howe' }, '2026-04-03T22:00:00Z', true],
    ['knows changes of half an hour', { days: [], from: 540, to: 600, zone: 'Australia/Lord_Howe' }, '2026-04-05T22:29:00Z', false],
    ['knows changes of half an hour', { days: [], from: 540, to: 600, zone: 'Australia/Lord_Howe' }, '2026-04-05T22:30:00Z', true],
    ['takes the day of the zone', { days: [1], from: 0, to: 1440, zone: 'Pacific/Auckland' }, '2026-01-04T12:00:00Z', true],
    ['takes the day of the zone', { days: [1], from: 0, to: 1440, zone: 'America/New_York' }, '2026-01-05T04:59:00Z', false],
  ])('%s: %j at %s: %s', (_, window, at, expected) => {
    expect(fits({ times: [window] }, subject(), Date.parse(at))).toBe(expected)
  })
})
