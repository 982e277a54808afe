import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildDecide, type Decision } from '../../src/core/ingress/authorize.ts'
import { buildMatch } from '../../src/core/ingress/match.ts'
import type { Identified } from '../../src/core/model/exchange.ts'
import { Fault } from '../../src/core/model/fault.ts'
import { anonymous, type Principal } from '../../src/core/model/principal.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { received } from '../match/ask.ts'
import { subject } from '../support/access.ts'
import { fakeClock } from '../support/clock.ts'
import { brief, loadBeside } from '../support/load.ts'

const head = `issuers:
  main: { issuer: "https://idp.example.com", audiences: [a] }
  other: { issuer: "https://other.example.com", audiences: [a] }
clusters: { web: { address: "127.0.0.1:1" }, shop: { address: "127.0.0.1:1", descriptors: shop.binpb, protocol: grpc } }
`

async function found(
  rules: readonly string[],
  more: { readonly authenticate?: string; readonly route?: string; readonly others?: string; readonly access?: string } = {},
) {
  const { authenticate = '{ jwt: main }', route = 'match: { path: "/a/{**}" }, to: web', others = '', access = 'p' } = more
  const text = `${head}access:\n  p:\n    authenticate: ${authenticate}\n    rules:\n${rules.map((one) => `      - ${one}\n`).join('')}${others}routes:\n  r: { ${route}, access: ${access} }\n`
  const { diagnostics } = await loadBeside(text)
  return diagnostics.flatMap(({ code, message }) => (code === 'name_unused' ? [] : [`${code} ${/"([^"]*)"/.exec(message)?.[1] ?? ''}`]))
}

const all = '{ id: all, allow: { methods: [GET, POST] } }'

describe('check finds', () => {
  it.each<[string, readonly string[], Parameters<typeof found>[1], readonly string[]]>([
    ['an allow rule that another one covers', [all, '{ id: read, allow: { methods: [GET], scopes: [a] } }'], {}, ['rule_shadowed read']],
    ['HEAD in GET', ['{ id: get, allow: { methods: [GET] } }', '{ id: head, allow: { methods: [HEAD] } }'], {}, ['rule_shadowed head']],
    ['of two equal ones the later', [all, '{ id: again, allow: { methods: [POST, GET] } }'], {}, ['rule_shadowed again']],
    [
      'a path under a wider one',
      ['{ id: wide, allow: { paths: ["/a/**"] } }', '{ id: narrow, allow: { paths: ["/a/{id}/b"] } }'],
      {},
      ['rule_shadowed narrow'],
    ],
    ['an allow rule that is denied', [all, '{ id: put, allow: { methods: [PUT] } }', '{ id: no, deny: { methods: [PUT, DELETE] } }'], {}, ['rule_denied put']],
    [
      'an allow rule that the other policy of every route denies',
      [all],
      { others: '  freeze: { rules: [{ id: no, deny: {} }] }\n', access: '[p, freeze]' },
      ['rule_denied all'],
    ],
    ['a deny of the anonymous who never come so far', [all, '{ id: no, deny: { anonymous: true } }'], {}, ['rule_never no']],
    [
      'a deny of the anonymous with scopes',
      [all, '{ id: no, deny: { anonymous: true, scopes: [a] } }'],
      { authenticate: '{ optional: { jwt: main } }' },
      ['rule_never no'],
    ],
    ['a deny of an issuer whose tokens are not taken', [all, '{ id: no, deny: { issuers: [other] } }'], {}, ['rule_never no']],
    ['a header that contradicts itself', [all, '{ id: no, deny: { headers: { x-a: { exact: b, prefix: c } } } }'], {}, ['rule_never no']],
    ['a header whose value does not fit its pattern', [all, '{ id: no, deny: { headers: { x-a: { exact: b, pattern: "c+" } } } }'], {}, ['rule_never no']],
    [
      'a rule about somebody where nobody is known',
      ['{ id: all, allow: { anonymous: true } }', '{ id: no, deny: { scopes: [a] } }'],
      { authenticate: 'none' },
      ['rule_never no'],
    ],
    ['a route that no allow rule can reach', ['{ id: put, allow: { paths: ["/b"] } }'], {}, ['route_closed r', 'rule_never put']],
    [
      'a deny by path that leaves another way to the RPC open',
      ['{ id: all, allow: { scopes: [a] } }', '{ id: no, deny: { paths: ["/v1/orders/{id}"], methods: [GET] } }'],
      { route: 'match: { grpc: shop.v1.Orders }, to: shop' },
      ['deny_partial no'],
    ],
  ])('%s', async (_, rules, more, expected) => {
    expect((await found(rules, more)).toSorted()).toEqual(expected)
  })

  it.each<[string, readonly string[], Parameters<typeof found>[1]?]>([
    ['rules that overlap', ['{ id: a, allow: { methods: [GET], scopes: [a] } }', '{ id: b, allow: { methods: [GET, POST], scopes: [b] } }']],
    [
      'an allow for the anonymous beside one for principals',
      [all, '{ id: open, allow: { anonymous: true, methods: [GET] } }'],
      { authenticate: '{ optional: { jwt: main } }' },
    ],
    [
      'a condition on the wider rule',
      ['{ id: wide, allow: { methods: [GET] }, when: claims.a == 1 }', '{ id: narrow, allow: { methods: [GET], scopes: [a] } }'],
    ],
    ['a deny with a condition', [all, '{ id: no, deny: {}, when: claims.a == 1 }']],
    ['a wider rule on trial', ['{ id: wide, allow: { methods: [GET] }, mode: audit }', '{ id: narrow, allow: { methods: [GET], scopes: [a] } }']],
    ['a deny on trial', [all, '{ id: no, deny: {}, mode: audit }']],
    [
      'rules about somebody whom another policy of the route knows',
      ['{ id: no, deny: { scopes: [x] } }'],
      {
        authenticate: 'none',
        others: '  q: { authenticate: { jwt: main }, rules: [{ id: all, allow: { scopes: [a] } }] }\n',
        access: '[p, q]',
      },
    ],
    [
      'a deny by path that asks for a variable of that path',
      ['{ id: all, allow: { scopes: [a] } }', '{ id: no, deny: { paths: ["/v1/tenants/{tenant}/**"] }, when: claims.tenant != request.params.tenant }'],
      {
        route: 'match: { grpc: shop.v1.Orders }, to: shop',
      },
    ],
    [
      'a deny by gRPC method',
      ['{ id: all, allow: { scopes: [a] } }', '{ id: no, deny: { grpc: [shop.v1.Orders/GetOrder] } }'],
      { route: 'match: { grpc: shop.v1.Orders }, to: shop' },
    ],
  ])('nothing in %s', async (_, rules, more) => {
    expect(await found(rules, more)).toEqual([])
  })

  it('a policy on trial that asks for a credential, and enforces nothing of one that does not', async () => {
    const asking = await loadBeside(`${head}access:\n  p: { mode: audit, authenticate: { jwt: main }, rules: [${all}] }\n`)
    expect(brief(asking.diagnostics).some((line) => line.startsWith('error audit_authenticates a.yaml:'))).toBe(true)
    const trial = `${head}access:\n  p: { mode: audit, rules: [{ id: no, deny: { methods: [GET] } }] }\n  q: { rules: [{ id: all, allow: { anonymous: true } }] }\nroutes:\n  r: { match: { path: /a }, access: [p, q], to: web }\n`
    const { policy } = await loadBeside(trial)
    const decision = deciderOf(policy as Policy)({ method: 'GET', path: '/a', host: 'a.example', principal: anonymous })
    expect(decision).toMatchObject({ outcome: 'permit', rule: 'all', audited: ['p/no'] })
  })
})

interface Question {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly principal: Principal
}

const people: readonly Principal[] = [
  anonymous,
  ...[[], ['a'], ['b'], ['a', 'b']].flatMap((scopes) => [undefined, 'x', 'y'].map((plan) => subject({ scopes, claims: plan === undefined ? {} : { plan } }))),
]
const questions: readonly Question[] = ['GET', 'HEAD', 'POST'].flatMap((method) =>
  ['/a', '/a/b', '/a/b/c', '/a/c', '/d'].flatMap((path) =>
    ['x.example', 'y.example'].flatMap((host) => people.map((principal) => ({ method, path, host, principal }))),
  ),
)

function deciderOf(policy: Policy): (question: Question) => (Decision & { readonly route: string }) | undefined {
  const match = buildMatch(policy)
  const engine = buildDecide(policy, { clock: fakeClock() })
  return ({ method, path, host, principal }) => {
    try {
      const x = match(received(method, path, { host }))
      // What the requirement would have refused is refused, and where nothing is read nobody is known.
      const kinds = x.route.access.map((name) => policy.access[name]?.authenticate.kind)
      if (kinds.includes('jwt') && principal.kind === 'anonymous') return undefined
      const identified: Identified = Object.assign(x, { principal: kinds.every((kind) => kind === 'none') ? anonymous : principal })
      return { ...engine(identified, { trace: true }), route: x.route.name }
    } catch (error) {
      if (error instanceof Fault) return undefined
      throw error
    }
  }
}

function withoutRule(access: Policy['access'], policy: string, id: string): Policy['access'] {
  return Object.fromEntries(
    Object.entries(access).map(([name, one]) => [name, name === policy ? { ...one, rules: one.rules.filter((rule) => rule.id !== id) } : one]),
  )
}

const maybe = <T>(list: fc.Arbitrary<T>) => fc.option(list, { nil: undefined })
const matcher = fc.record({
  anonymous: maybe(fc.boolean()),
  methods: maybe(fc.uniqueArray(fc.constantFrom('GET', 'HEAD', 'POST'), { minLength: 1 })),
  paths: maybe(fc.uniqueArray(fc.constantFrom('/a', '/a/**', '/a/{x}', '/a/b', '/a/b/*', '/**', '/d'), { minLength: 1, maxLength: 2 })),
  hosts: maybe(fc.uniqueArray(fc.constantFrom('x.example', 'y.example', '*.example'), { minLength: 1, maxLength: 2 })),
  scopes: maybe(
    fc.record({ all: fc.uniqueArray(fc.constantFrom('a', 'b'), { minLength: 1 }), any: maybe(fc.uniqueArray(fc.constantFrom('a', 'b'), { minLength: 1 })) }),
  ),
  claims: maybe(fc.constantFrom({ plan: 'x' }, { plan: ['x', 'y'] }, { plan: { present: true } })),
})
const ruleOf = fc.record({
  effect: fc.constantFrom('allow', 'allow', 'deny', 'audit'),
  matcher,
  when: maybe(fc.constantFrom('claims.plan == "x"', 'request.method == "GET"')),
})
const sets = fc.record({
  rules: fc.array(ruleOf, { minLength: 1, maxLength: 5 }),
  second: fc.array(ruleOf, { maxLength: 2 }),
  authenticate: fc.constantFrom('none', { jwt: 'main' }, { optional: { jwt: 'main' } }),
  routes: fc.uniqueArray(fc.constantFrom('/a/{**}', '/a/{x}', '/d'), { minLength: 1, maxLength: 2 }),
})

describe('what check finds is so, by every request there is', () => {
  it('rules that never match, that change nothing, that are denied, and closed routes', { timeout: 180_000 }, async () => {
    const seen = { rule_never: 0, rule_shadowed: 0, rule_denied: 0, route_closed: 0 }
    await fc.assert(
      fc.asyncProperty(sets, async ({ rules, second, authenticate, routes }) => {
        const listOf = (list: typeof rules, prefix: string) =>
          list.map(({ effect, matcher: asked, when }, i) => ({
            id: `${prefix}${i}`,
            [effect]: Object.keys(JSON.parse(JSON.stringify(asked)) as object).length === 0 ? { anonymous: true } : asked,
            when,
          }))
        const documents = {
          access: { p: { authenticate, rules: listOf(rules, 'r') }, ...(second.length > 0 ? { q: { authenticate: 'none', rules: listOf(second, 's') } } : {}) },
          routes: Object.fromEntries(routes.map((path, i) => [`t${i}`, { match: { path }, access: second.length > 0 ? ['p', 'q'] : 'p', to: 'web' }])),
        }
        const text = `${head}${Object.entries(documents).map(([section, value]) => `${section}: ${JSON.stringify(value)}\n`).join('')}` // biome-ignore format: reads as one
        const { policy, diagnostics } = await loadBeside(text)
        if (policy === undefined || diagnostics.some(({ severity }) => severity === 'error')) return
        const decide = deciderOf(policy)
        const answers = questions.map((question) => ({ question, decision: decide(question) }))
        for (const { code, message, object } of diagnostics) {
          if (!(code in seen)) continue
          const name = /"([^"]*)"/.exec(message)?.[1] ?? ''
          const policyName = object?.slice('access.'.length) ?? ''
          const fits = ({ decision }: (typeof answers)[number]) => decision?.trace?.some((one) => one.id === `${policyName}/${name}` && one.matched) === true
          const without = deciderOf({ ...policy, access: withoutRule(policy.access, policyName, name) })
          const contradicts: Readonly<Record<string, (answer: (typeof answers)[number]) => boolean>> = {
            rule_never: fits,
            rule_denied: (answer) => answer.decision?.outcome === 'permit' && fits(answer),
            rule_shadowed: ({ question, decision }) => without(question)?.outcome !== decision?.outcome,
            route_closed: ({ decision }) => decision?.outcome === 'permit' && decision.route === name,
          }
          const against = answers.filter((answer) => contradicts[code]?.(answer))
          expect(against, `${message} ${text}`).toEqual([])
          seen[code as keyof typeof seen]++ // it was seen to be one of them
        }
      }),
      // A fixed seed: how often each finding is made differs from one to another.
      { numRuns: 120, seed: 20261120 },
    )
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(4)
  })
})
