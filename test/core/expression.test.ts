import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkExpression, compileExpression, type ExpressionInput, expressionRoots } from '../../src/core/expression.ts'

const bare = <T>(members: Record<string, T>): Record<string, T> => Object.assign(Object.create(null), members)

const input: ExpressionInput = {
  request: {
    method: 'GET',
    path: '/v1/orders/7',
    host: 'api.example.com',
    rpc: 'shop.v1.Orders/GetOrder',
    params: bare({ tenant: 'a' }),
    headers: bare({ 'x-tenant': 'a' }),
    query: bare({ page: '2' }),
  },
  claims: bare<unknown>({ tenant: 'a', level: 3, auth_time: 990, roles: ['clerk', 'admin'], org: bare({ id: 'o1' }), none: null }),
  principal: { kind: 'subject', issuer: 'main', subject: 'u1', clientId: '', scopes: ['orders:read'] },
  client: { address: '192.0.2.1', network: '192.0.2.1/32' },
  now: 1000,
}

const run = (source: string) => compileExpression(source)(input)

describe('an expression', () => {
  it.each([
    ['claims.tenant != request.params.tenant', false],
    ['claims.tenant == request.headers["x-tenant"]', true],
    ['"orders:read" in principal.scopes', true],
    ['claims.level > 2 && claims.level == 3', true],
    ['"admin" in claims.roles', true],
    ['claims.roles.exists(r, r.startsWith("adm"))', true],
    ['claims.org.id == "o1"', true],
    ['has(claims.nothing)', false],
    ['claims.none == null', true],
    ['now - int(claims.auth_time) < 60', true],
    ['timestamp(now) > timestamp("1970-01-01T00:00:00Z")', true],
    ['request.method == "GET" && request.rpc == "shop.v1.Orders/GetOrder" && request.query.page == "2"', true],
    ['client.address == "192.0.2.1" && principal.clientId == ""', true],
  ])('%s is %s', (source, expected) => {
    expect(checkExpression(source)).toBeUndefined()
    expect(run(source)).toBe(expected)
  })

  it.each(['claims.nothing == "a"', 'request.params.nothing == "a"', 'claims.level && true', 'claims.org.id.more == "x"', 'now - claims.auth_time < 60'])(
    'fails instead of guessing: %s',
    (source) => {
      expect(checkExpression(source)).toBeUndefined()
      expect(() => run(source)).toThrow(/no such|bool operands/i)
    },
  )

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('never sees inherited members: %s', (name) => {
    expect(run(`has(claims.${name})`)).toBe(false)
    expect(() => run(`claims["${name}"] == "x"`)).toThrow('No such key')
  })
})

describe('the fences of an expression', () => {
  it.each([
    ['nosuch == 1', 'knows request, claims, principal, client, now', 0],
    ['request.methd == "GET"', 'methd', 8],
    ['request.method == 1', 'overload', 0],
    ['claims.tenant', 'must give a bool', undefined],
    ['1 + 1', 'must give a bool', undefined],
    ['claims.tenant ==', 'unexpected token', 16],
    ['request.path.matches("^a+$")', 'pattern', 0],
    ['claims.tenant.matches("a")', 'pattern', 0],
    ['"a".matches(request.path)', 'pattern', 0],
    ['true || claims.roles.exists(r, r.matches("a"))', 'pattern', 31],
    ['claims.roles.exists(a, claims.roles.exists(b, a == b))', 'nested', 23],
    ['claims.roles.map(a, a).exists(b, b == "x")', 'nested', 0],
    ['cel.bind(a, "x" + "x", cel.bind(b, a + a, b == a))', 'nested', 23],
    ['', 'unexpected token', 0],
  ])('refuse %s', (source, words, at) => {
    const problem = checkExpression(source)
    expect(problem?.message).toContain(words)
    expect(problem?.at).toBe(at)
    expect(() => compileExpression(source)).toThrow('not an acceptable expression')
  })

  it('refuse more than 400 nodes, and deep nesting', () => {
    expect(checkExpression(Array.from({ length: 99 }, () => 'now == 1').join(' || '))).toBeUndefined()
    expect(checkExpression(Array.from({ length: 140 }, () => 'now == 1').join(' || '))?.message).toContain('too large')
    expect(checkExpression(`${'('.repeat(5000)}true${')'.repeat(5000)}`)?.message).toContain('too large')
  })

  it('lets a macro stand beside another', () => {
    expect(checkExpression('claims.roles.exists(a, a == "x") || claims.roles.all(b, b == "y")')).toBeUndefined()
  })

  it('judge any text without throwing', () => {
    const token = fc.constantFrom('claims', '.', 'a', '(', ')', '[', ']', '"', '==', '&&', 'matches', 'now', '{', '}', ' ')
    const source = fc.oneof(
      fc.string(),
      fc.array(token).map((parts) => parts.join('')),
    )
    const judged = fc.property(source, (text) => checkExpression(text)?.message !== '')
    expect(() => fc.assert(judged)).not.toThrow()
  })
})

it('says which names it reads', () => {
  expect([...expressionRoots('claims.a == request.path || "claims" == "x"')].sort()).toEqual(['claims', 'request'])
  expect([...expressionRoots('claims.roles.exists(r, r == principal.subject)')].sort()).toEqual(['claims', 'principal'])
  expect([...expressionRoots('now > 5')]).toEqual(['now'])
})
