import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Phase } from '../../src/core/ingress/authorize/compiled-rule.ts'
import { Facts } from '../../src/core/ingress/authorize/facts.ts'
import { compileRules, indexRules } from '../../src/core/ingress/authorize/rules.ts'
import type { Rule } from '../../src/core/policy/linked/access.ts'
import { access, exchange, matched, rule, subject } from '../support/access.ts'

const segment = fc.constantFrom('a', 'b', 'a:v', '*', '{x}')
const template = fc
  .tuple(fc.array(segment, { maxLength: 3 }), fc.constantFrom('', '/**', ':v', '/{**}'))
  .map(([parts, end]) => `/${parts.map((part, i) => (part === '{x}' ? `{x${i}}` : part)).join('/')}${end}`)
  .map((text) => text.replace(/^\/+/, '/'))
  .filter((text) => !/:v:v$|^\/:v$|\/a:v\//.test(text))
const path = fc.array(fc.constantFrom('a', 'b', 'c', 'a:v', 'b:v', ''), { maxLength: 4 }).map((parts) => `/${parts.join('/')}`.replace(/\/\/+/g, '/'))
const hosts = fc.option(
  fc.uniqueArray(fc.constantFrom('a.x.example', 'b.x.example', '*.x.example', '*.example', 'x.example'), { minLength: 1, maxLength: 3 }),
  {
    nil: undefined,
  },
)
const rules = fc.array(
  fc.record({
    effect: fc.constantFrom<Rule['effect']>('allow', 'deny', 'audit'),
    paths: fc.option(fc.array(template, { minLength: 1, maxLength: 3 }), { nil: undefined }),
    methods: fc.option(fc.uniqueArray(fc.constantFrom('GET', 'POST'), { minLength: 1 }), { nil: undefined }),
    hosts,
  }),
  { minLength: 1, maxLength: 40 },
)
const requests = fc.array(
  fc.record({ path, method: fc.constantFrom('GET', 'HEAD', 'POST', 'PURGE'), host: fc.constantFrom('a.x.example', 'x.example', 'c.x.example', 'localhost') }),
  {
    minLength: 1,
    maxLength: 10,
  },
)

it('the index finds every rule that fits, once, and in the order of the files', () => {
  let found = 0
  fc.assert(
    fc.property(rules, requests, (list, asked) => {
      const compiled = compileRules(
        access(
          'p',
          list.map(({ effect, ...matcher }, i) => rule(`r${i}`, effect, { anonymous: effect === 'allow', ...matcher })),
        ),
      )
      const index = indexRules(compiled)
      for (const options of asked) {
        const facts = new Facts(exchange(subject(), ['p'], options), 0)
        const sieves = index.forRequest(facts.x)
        for (const phase of ['screen', 'deny', 'allow', 'audit'] satisfies readonly Phase[]) {
          const fitting = compiled.filter((one) => one.phase === phase && one.parts.every((part) => part.test(facts))).map(({ id }) => id)
          const candidates = sieves[phase](facts.x, () => facts.segments)
          expect(candidates.filter((one) => one.parts.every((part) => part.test(facts))).map(({ id }) => id)).toEqual(fitting)
          found += fitting.length
        }
      }
    }),
    { numRuns: 400 },
  )
  expect(found).toBeGreaterThan(500)
})

it('of a thousand rules on as many paths a request is held against its own', () => {
  const list = Array.from({ length: 1000 }, (_, i) => rule(`r${i}`, 'allow', { paths: [`/v1/things/${i}/{id}`] }))
  const index = indexRules(compileRules(access('p', list)))
  const x = matched(['p'], { path: '/v1/things/517/7' })
  expect(
    index
      .forRequest(x)
      .allow(x, () => ['v1', 'things', '517', '7'])
      .map(({ id }) => id),
  ).toEqual(['p/r517'])
})
