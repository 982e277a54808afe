import { expect, it } from 'vitest'
import { check } from '../../src/node/cli/commands/check.ts'
import { describe as command } from '../../src/node/cli/commands/describe.ts'
import { base, shopDescriptors } from '../support/load.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { ask } from './ask.ts'

const shop = `sallyport: v1
clusters:
  orders:
    protocol: grpc
    address: 127.0.0.1:15001
    descriptors: shop.binpb
access:
  orders: { rules: [{ id: all, allow: { anonymous: true } }] }
limits:
  per-client: { rate: 30/10s, key: [client.network] }
routes:
  orders:
    match: { hosts: [api.example.com], grpc: shop.v1.Orders }
    access: orders
    limits: [{ name: per-client, cost: 2 }]
    timeout: 2s
    to: orders
`
const folder = async () =>
  (
    await tempFolder({
      'base.yaml': base,
      'orders.yaml': shop,
      'shop.binpb': shopDescriptors,
      'environments/prod.yaml': 'sallyport: v1\nlimits:\n  per-client: { rate: 300/10s }\n',
    })
  ).path

const rows = (out: string) => out.split('\n').filter((line) => line.startsWith('  '))

it('prints every value as the files would say it, with its place, defaults and bindings', async () => {
  const { status, out } = await ask(command, 'route', 'orders', '--env', 'dev', '--policies', await folder())
  expect(status).toBe(0)
  expect(rows(out).join('\n')).toMatchInlineSnapshot(`
    "  routes.orders.match.hosts                    ["api.example.com"]  orders.yaml:13:21
      routes.orders.match.grpc                     "shop.v1.Orders"     orders.yaml:13:46
      routes.orders.access                         "orders"             orders.yaml:14:13
      routes.orders.limits.0.name                  "per-client"         orders.yaml:15:22
      routes.orders.limits.0.cost                  2                    orders.yaml:15:40
      routes.orders.legacyHeaders                  "off"                default
      routes.orders.timeout                        "2s"                 orders.yaml:16:14
      routes.orders.to                             "orders"             orders.yaml:17:9
      routes.orders.handOn.token                   false                default
      routes.orders.handOn.claims                  {}                   default
      routes.orders.handOn.header                  "authorization"      default
      routes.orders.allow                          []                   default
      routes.orders.translate.unknownQuery         "reject"             default
      routes.orders.translate.emitDefaults         false                default
      routes.orders.translate.enumsAsInts          false                default
      routes.orders.translate.protoNames           false                default
      routes.orders.translate.ignoreUnknownFields  false                default
      routes.orders.translate.head                 "refuse"             default
      routes.orders.translate.requestHeaders       []                   default
      routes.orders.translate.responseHeaders      []                   default
      routes.orders.translate.etag                 false                default
      routes.orders.translate.queryMaps            false                default
      routes.orders.translate.unexpectedBody       "ignore"             default
      routes.orders.translate.emptyAnswer          200                  default
      routes.orders.translate.showInternal         false                default
      routes.orders.bindings                       []                   default
      GET /v1/orders/{id} → GetOrder
      GET /v1/tenants/{tenant}/orders/{id} → GetOrder
      POST /shop.v1.Orders/GetOrder → GetOrder
      GET /v1/orders → ListOrders
      POST /shop.v1.Orders/ListOrders → ListOrders
      POST /v1/orders → CreateOrder
      POST /shop.v1.Orders/CreateOrder → CreateOrder
      PATCH /v1/orders/{order.id} → UpdateOrder
      POST /shop.v1.Orders/UpdateOrder → UpdateOrder
      POST /v1/orders/{id}:cancel → CancelOrder
      POST /shop.v1.Orders/CancelOrder → CancelOrder
      GET /v1/orders:watch → WatchOrders
      POST /shop.v1.Orders/WatchOrders → WatchOrders
      POST /shop.v1.Orders/ImportOrders → ImportOrders
      POST /shop.v1.Orders/Chat → Chat"
  `)
})

it('marks what an overlay says', async () => {
  const { out } = await ask(command, 'limit', 'per-client', '--env', 'prod', '--policies', await folder())
  expect(rows(out)).toEqual([
    '  limits.per-client.rate            "300/10s"           environments/prod.yaml:3:23 (overlay)',
    '  limits.per-client.burst           0                   default',
    '  limits.per-client.key             ["client.network"]  orders.yaml:10:36',
    '  limits.per-client.missing         "shared"            default',
    '  limits.per-client.onStoreFailure  "local"             default',
    '  limits.per-client.counts          "requests"          default',
    '  limits.per-client.when            "after_access"      default',
    '  limits.per-client.mode            "enforce"           default',
  ])
})

it('shows no default that a limit of its kind has no use for', async () => {
  const limits = 'sallyport: v1\nlimits:\n  plan: { quota: 10/month, key: [route] }\n  few: { concurrent: 5, key: [route] }\n'
  const { path } = await tempFolder({ 'base.yaml': base, 'limits.yaml': limits })
  const shown = async (name: string) => (await ask(command, 'limit', name, '--env', 'dev', '--policies', path)).out
  expect(await shown('plan')).toMatch(/limits\.plan\.zone +"UTC" +default/)
  expect(await shown('plan')).not.toContain('burst')
  expect(await shown('few')).not.toMatch(/zone|burst/)
})

it('says the same to machines', async () => {
  const { out } = await ask(command, 'route', 'orders', '--env', 'dev', '--policies', await folder(), '--json')
  expect(JSON.parse(out)).toMatchObject({
    kind: 'route',
    name: 'orders',
    environment: 'dev',
    values: expect.arrayContaining([
      { path: 'routes.orders.timeout', value: '2s', origin: 'orders.yaml:16:14' },
      { path: 'routes.orders.limits.0.cost', value: 2, origin: 'orders.yaml:15:40' },
    ]),
    bindings: expect.arrayContaining(['GET /v1/orders/{id} → GetOrder']),
  })
})

it('knows a policy that a route holds itself, and suggests what was meant', async () => {
  await expect(ask(command, 'route', 'order', '--env', 'dev', '--policies', await folder())).rejects.toThrow(
    'there is no route "order", did you mean "orders"?',
  )
  await expect(ask(command, 'rout', 'orders', '--env', 'dev', '--policies', await folder())).rejects.toThrow('did you mean "route"?')
  const inline = await tempFolder({
    'base.yaml': `${base}clusters: { a: { address: "127.0.0.1:1" } }\nroutes:\n  open: { match: { path: / }, to: a, access: { rules: [{ id: all, allow: { anonymous: true } }] } }\n`,
  })
  const { out } = await ask(command, 'access', 'open', '--env', 'dev', '--policies', inline.path)
  expect(rows(out)[0]).toMatch(/routes\.open\.access\.rules\.0\.id +"all" +base\.yaml:11:\d+$/)
})

it('says what the retries of a route may take of the memory, as check does', async () => {
  const path = (await tempFolder({ 'base.yaml': base, 'orders.yaml': `${shop}    retry: {}\n`, 'shop.binpb': shopDescriptors })).path
  const kept = 'keeps at most 64 MiB in each process: 64 KiB of each of 1024 requests under way'
  expect((await ask(command, 'route', 'orders', '--env', 'dev', '--policies', path)).out).toContain(`\nretry ${kept}\n`)
  expect((await ask(check, '--env', 'dev', '--policies', path)).out).toContain(`\nretries of route orders: ${kept}\n`)
})
