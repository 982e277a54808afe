import { describe, expect, it } from 'vitest'
import { clean, loadBeside, marked } from '../support/load.ts'

const open = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
const plain = (cors: string) => `clusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: / }, ${open}, to: a, cors: ${cors} } }\n`
const grpc = (cors: string) =>
  `clusters: { g: { protocol: grpc, address: "127.0.0.1:2", descriptors: shop.binpb } }\nroutes: { r: { match: { grpc: shop.v1.Orders }, ${open}, to: g, cors: ${cors} } }\n`

describe('cors of a route', () => {
  it('is linked with what the format leaves open', async () => {
    const policy = clean(await loadBeside(plain('{ origins: [https://app.example.com] }')))
    expect(policy.routes[0]?.cors).toEqual({
      origins: ['https://app.example.com'],
      methods: undefined,
      headers: ['authorization', 'content-type'],
      expose: ['ratelimit', 'ratelimit-policy', 'retry-after', 'x-request-id'],
      credentials: false,
      maxAgeSeconds: 600,
      privateNetwork: false,
    })
  })

  it('lets the browser clients of gRPC-Web and Connect in on a grpc route', async () => {
    const { cors } = clean(await loadBeside(grpc('{ origins: ["*"], headers: [x-tenant], expose: [] }'))).routes[0] ?? {}
    expect(cors?.headers).toEqual(['x-tenant', 'content-type', 'connect-protocol-version', 'connect-timeout-ms', 'grpc-timeout', 'x-grpc-web', 'x-user-agent'])
    expect(cors?.expose).toEqual(['grpc-status', 'grpc-message', 'grpc-status-details-bin'])
  })

  it('may have other origins in an environment', async () => {
    const files = { 'environments/dev.yaml': 'sallyport: v1\nroutes: { r: { cors: { origins: ["http://localhost:5173"] } } }\n' }
    const loaded = await loadBeside(plain('{ origins: [https://app.example.com] }'), { files })
    expect(clean(loaded).routes[0]?.cors?.origins).toEqual(['http://localhost:5173'])
  })

  it.each([
    ['{ origins: «[] }', 'value_out_of_range'],
    ['{ origins: [«app.example.com] }', 'value_invalid'],
    ['{ origins: [«https://app.example.com/] }', 'value_invalid'],
    ['{ origins: [«https://app.example.com/shop] }', 'value_invalid'],
    ['{ origins: [«https://App.example.com] }', 'value_invalid'],
    ['{ origins: [«"https://app.example.com:443"] }', 'value_invalid'],
    ['{ origins: [«"https://a.*.example.com"] }', 'value_invalid'],
    ['{ origins: [«"https://*"] }', 'value_invalid'],
    ['{ origins: [«"null"] }', 'value_invalid'],
    ['{ origins: [«"*"], credentials: true }', 'cors_wildcard'],
    ['{ origins: [https://a.example], headers: [«"*"], credentials: true }', 'cors_wildcard'],
    ['{ origins: [https://a.example], expose: [«"*"], credentials: true }', 'cors_wildcard'],
    ['{ origins: [https://a.example], maxAge: «2d }', 'value_invalid'],
    ['{ origins: [https://a.example], headers: [«X-Tenant] }', 'value_invalid'],
  ])('%s is refused at its place', async (text, code) => {
    const { text: said, marks } = marked(plain(text))
    const { diagnostics, policy } = await loadBeside(said)
    expect(diagnostics.map((each) => each.code)).toEqual([code])
    expect(policy?.routes[0]?.quarantined).toBeDefined()
    expect(diagnostics.map(({ line, column }) => `${line - 1}:${column}`)).toEqual(marks)
  })

  it('takes origins of apps, and any beside others with a warning', async () => {
    expect((await loadBeside(plain('{ origins: ["capacitor://localhost", "http://localhost:3000"] }'))).diagnostics).toEqual([])
    const { diagnostics } = await loadBeside(plain('{ origins: ["*", "https://a.example"] }'))
    expect(diagnostics.map(({ severity, code }) => [severity, code])).toEqual([['warning', 'no_effect']])
  })
})
