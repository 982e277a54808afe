import { expect, it } from 'vitest'
import { explain as command } from '../../src/node/cli/commands/explain.ts'
import { base } from '../support/load.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask } from './ask.ts'

const policies = `sallyport: v1
issuers: { main: { issuer: "https://idp.example.com", audiences: [a], algorithms: [ES256], tokenTypes: [at+jwt] } }
clusters: { web: { address: 127.0.0.1:15001 } }
access:
  orders:
    authenticate: { jwt: main }
    rules:
      - { id: read, allow: { methods: [GET], scopes: [orders:read] } }
      - { id: write, allow: { methods: [POST], scopes: [orders:write] } }
      - { id: support, allow: { roles: { any: [support], claim: realm_access.roles } } }
      - { id: lab, deny: { cidrs: [10.66.0.0/16] }, reason: Not from the lab. }
      - { id: own-tenant, deny: {}, when: claims.tenant != request.params.tenant, reason: A tenant sees its own orders only. }
      - { id: large, audit: { methods: [GET] }, when: '"size" in request.query && int(request.query.size) > 500' }
routes:
  orders: { match: { path: "/tenants/{tenant}/orders" }, access: orders, to: web }
`

const red = '{"sub":"ada","tenant":"red","scope":"orders:read"}'
const cases: readonly (readonly [name: string, status: number, words: readonly string[]])[] = [
  ['an allow rule', 0, ['GET', 'http://api.example.com/tenants/red/orders', '--claims', red]],
  ['a deny rule before anybody is identified', 1, ['GET', 'http://api.example.com/tenants/red/orders', '--claims', red, '--client', '10.66.1.2']],
  ['a missing scope', 1, ['POST', 'http://api.example.com/tenants/red/orders', '--claims', red]],
  ['a CEL condition that refuses', 1, ['GET', 'http://api.example.com/tenants/blue/orders', '--claims', red]],
  ['a CEL condition that cannot be evaluated', 1, ['GET', 'http://api.example.com/tenants/blue/orders', '--claims', '{"sub":"ada"}']],
  ['an audit rule', 0, ['GET', 'http://api.example.com/tenants/red/orders?size=900', '--claims', red]],
  ['no rule, and a claim of a wrong type', 1, ['PUT', 'http://api.example.com/tenants/red/orders', '--claims', '{"sub":"ada","tenant":"red","realm_access":{"roles":{"support":true}}}']],
  ['no credential', 1, ['GET', 'http://api.example.com/tenants/red/orders']],
] // biome-ignore format: one case per line

it.each(cases)('explain, whole: %s', async (name, status, words) => {
  const { path } = await tempFolder({ 'base.yaml': base, 'orders.yaml': policies })
  const told = await ask(command, ...words, '--env', 'dev', '--policies', path)
  expect(told.err).toBe('')
  expect(told.status).toBe(status)
  await expect(told.out).toMatchFileSnapshot(`golden/${name.replaceAll(/[^A-Za-z]+/g, '-').toLowerCase()}.txt`)
})

it('explain as JSON names the phase, the rule, the nearest and what was audited', async () => {
  const { path } = await tempFolder({ 'base.yaml': base, 'orders.yaml': policies })
  const say = async (...words: readonly string[]) =>
    (JSON.parse((await ask(command, ...words, '--env', 'dev', '--policies', path, '--json')).out) as { decision: unknown }).decision
  expect(await say(...(cases[1]?.[2] ?? []))).toMatchObject({ outcome: 'refusal', phase: 'screen', rule: 'orders/lab', audited: [] })
  expect(await say(...(cases[5]?.[2] ?? []))).toMatchObject({ outcome: 'permit', phase: 'allow', rule: 'orders/read', audited: ['orders/large'] })
  expect(await say(...(cases[6]?.[2] ?? []))).toMatchObject({ phase: 'allow', nearest: { rule: 'orders/support', matcher: 'roles' } })
})
