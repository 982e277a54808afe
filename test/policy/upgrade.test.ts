import { describe, expect, it } from 'vitest'
import { clean, loadBeside, marked } from '../support/load.ts'

const open = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const clusters =
  'clusters: { a: { address: "127.0.0.1:1" }, two: { protocol: h2, address: "127.0.0.1:2" }, g: { protocol: grpc, address: "127.0.0.1:3", descriptors: shop.binpb } }\n'
const route = (more: string) =>
  `${clusters}routes: { r: { ${open}, ${more} }, s: { match: { grpc: shop.v1.Orders }, ${open}, to: g }, t: { match: { path: /t }, ${open}, to: two } }\n`
const plain = (upgrade: string) => route(`match: { path: / }, to: a, upgrade: ${upgrade}`)

describe('upgrade of a route', () => {
  it.each([
    ['[websocket]', { protocols: ['websocket'], idleMs: 300_000, lifetimeMs: undefined }],
    ['{ protocols: [tcp, SPDY/3.1], idle: 30s, lifetime: 12h }', { protocols: ['tcp', 'SPDY/3.1'], idleMs: 30_000, lifetimeMs: 43_200_000 }],
  ])('is linked: %s', async (text, expected) => {
    const { routes } = clean(await loadBeside(plain(text)))
    expect(routes.find(({ name }) => name === 'r')?.upgrade).toEqual(expected)
    expect(routes.find(({ name }) => name === 't')?.upgrade).toBeUndefined()
  })

  it('takes a mirror that speaks h2, for handshakes are not copied', async () => {
    const { routes } = clean(await loadBeside(route('match: { path: / }, to: a, mirror: { cluster: two }, upgrade: [websocket]')))
    expect(routes.find(({ name }) => name === 'r')).toMatchObject({ mirror: { cluster: 'two' }, upgrade: { protocols: ['websocket'] } })
  })

  it.each([
    [plain('«[]'), 'value_out_of_range'],
    [plain('[«"web socket"]'), 'value_invalid'],
    [plain('[«h2c]'), 'upgrade_refused'],
    [plain('[websocket, «HTTP/2.0]'), 'upgrade_refused'],
    [plain('{ protocols: [«TLS/1.0] }'), 'upgrade_refused'],
    [plain('[websocket, «WebSocket]'), 'no_effect'],
    [plain('{ protocols: [websocket], idle: «10ms }'), 'value_invalid'],
    [route('match: { path: /, methods: [POST] }, to: a, «upgrade: [websocket]'), 'no_effect'],
    [route('match: { path: / }, to: two, «upgrade: [websocket]'), 'upgrade_protocol'],
    [route('match: { path: / }, to: [{ cluster: a, weight: 50 }, { cluster: two, weight: 50 }], «upgrade: [tcp]'), 'upgrade_protocol'],
    [route('match: { path: / }, to: { cluster: a, failover: { cluster: two } }, «upgrade: [websocket]'), 'upgrade_protocol'],
    [route('match: { grpc: shop.v1.Orders, hosts: [b.example] }, to: g, «upgrade: [websocket]'), 'no_effect'],
    [route('match: { path: /openapi.json }, openapi: { routes: [s] }, «upgrade: [websocket]'), 'no_effect'],
  ])('%s is refused at its place', async (text, code) => {
    const { text: said, marks } = marked(text)
    const { diagnostics, policy } = await loadBeside(said)
    const found = diagnostics.filter(({ severity, message }) => severity === 'error' || message.includes('upgrade'))
    expect(found.map((each) => [each.code, `${each.line - 1}:${each.column}`])).toEqual([[code, marks[0]]])
    expect(policy?.routes.find(({ name }) => name === 'r')?.quarantined).toBeDefined()
  })
})
