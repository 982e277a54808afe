import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { readPolicyTests } from '../../src/node/policy-test/document.ts'
import { runPolicyTests, uncoveredRules } from '../../src/node/policy-test/run.ts'
import { loadCase, shopDescriptors } from '../support/load.ts'

/* The demo shop's own policy tests: none of its rules may go without one of them failing. */

const folder = new URL('../../policies/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8')
const names = ['catalog.yaml', 'gateway.yaml', 'orders.yaml', 'payments.yaml']
const { tests } = readPolicyTests('shop.test.yaml', read('shop.test.yaml'))

interface Rules {
  rules: { readonly id: string }[]
}
interface Document {
  readonly access?: Readonly<Record<string, Rules>>
  readonly routes?: Readonly<Record<string, { readonly access: unknown }>>
}

/** Access policies of a file as it is written, those inside routes included. */
function policiesIn(document: Document): readonly (readonly [name: string, policy: Rules])[] {
  const inline = Object.entries(document.routes ?? {}).filter(([, { access }]) => typeof access === 'object' && !Array.isArray(access))
  return [...Object.entries(document.access ?? {}), ...inline.map(([name, { access }]) => [name, access as Rules] as const)] // the filter left policies
}

const rules = names.flatMap((file) => policiesIn(parse(read(file)) as Document).flatMap(([policy, { rules }]) => rules.map(({ id }) => ({ file, policy, id }))))

async function outcomes(changed: Readonly<Record<string, string>>) {
  const files = Object.fromEntries(names.map((name) => [name, changed[name] ?? read(name)]))
  const mock = { 'mocks/payments.yaml': new TextEncoder().encode(read('mocks/payments.yaml')), 'descriptors/shop.binpb': shopDescriptors }
  const { policy, diagnostics } = await loadCase({ files: { ...files, 'mocks/payments.yaml': read('mocks/payments.yaml') }, assets: mock })
  if (policy === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
  return { policy, outcomes: await runPolicyTests(policy, tests) }
}

describe('the policy tests of the demo shop', () => {
  it('pass, and leave no rule out', async () => {
    const { policy, outcomes: all } = await outcomes({})
    expect(all.flatMap(({ test, differences }) => (differences.length > 0 ? [test.name, ...differences] : []))).toEqual([])
    expect(uncoveredRules(policy, all)).toEqual([])
    expect(rules.length).toBeGreaterThan(4)
  })

  it.each(rules)('fail without the rule $policy/$id', async ({ file, policy: name, id }) => {
    const document = parse(read(file)) as Document
    const policy = policiesIn(document).find(([one]) => one === name)?.[1]
    if (policy === undefined) throw new Error(`no policy ${name}`)
    // An empty list of rules is no policy: one that never fits stands in.
    policy.rules = [...policy.rules.filter((rule) => rule.id !== id), { id: 'nobody', allow: { methods: ['NONE'] } } as { id: string }]
    const { outcomes: all } = await outcomes({ [file]: stringify(document) })
    expect(all.some(({ differences }) => differences.length > 0)).toBe(true)
  })

  it('name a rule that none of them exercises', async () => {
    const text = read('orders.yaml').replace('      - id: large-lists', '      - { id: new-rule, deny: { cidrs: [203.0.113.0/24] } }\n      - id: large-lists')
    const { policy, outcomes: all } = await outcomes({ 'orders.yaml': text })
    expect(uncoveredRules(policy, all)).toEqual(['orders/new-rule'])
  })
})
