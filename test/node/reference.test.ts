import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/core/openapi.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import { buildAdminApp } from '../../src/node/admin.ts'
import type { GatewayView } from '../../src/node/gateway-view.ts'
import { operationsIn, problemsOf } from '../openapi/validate.ts'
import { fakeLimitRoutes } from '../support/limit-routes.ts'
import { clean, loadBeside } from '../support/load.ts'
import { noSwitches } from '../support/no-switches.ts'
import { tempFolder } from '../support/temp-folder.ts'

const routes = `clusters: { shop: { address: "127.0.0.1:1", protocol: grpc, descriptors: shop.binpb } }
routes:
  orders: { match: { grpc: shop.v1.Orders }, to: shop, access: { rules: [{ id: all, allow: { anonymous: true } }] } }
`

async function openApp(referenceScript?: string) {
  let policy: Policy = clean(await loadBeside(routes))
  // The pages look at nothing but the policy in force.
  const view = () => ({ snapshot: { revision: policy.revision, policy } }) as unknown as GatewayView // what the page looks at
  const app = buildAdminApp(view, () => '', {
    loopback: true,
    referenceScript,
    forgetIntrospections: () => Promise.resolve(),
    switches: noSwitches,
    rearmGuard: async () => false,
    limits: fakeLimitRoutes(),
  })
  const ask = (path: string) => app.request(path, { headers: { host: 'localhost' } })
  return { ask, publish: (next: Policy) => void (policy = next) }
}

async function documentOf(ask: (path: string) => Response | Promise<Response>): Promise<JsonObject> {
  return (await (await ask('/openapi.json')).json()) as JsonObject
}

describe('the admin listener', () => {
  it('gives the OpenAPI document of what is in force', async () => {
    const { ask, publish } = await openApp()
    const document = await documentOf(ask)
    expect(await problemsOf(document)).toEqual([])
    expect(operationsIn(document).some(({ path }) => path === '/v1/orders/{id}')).toBe(true)
    publish(clean(await loadBeside(routes.replace('to: shop,', 'to: shop, bindings: [{ rpc: GetOrder, method: GET, path: "/o/{id}" }],'))))
    expect(operationsIn(await documentOf(ask)).some(({ path }) => path === '/o/{id}')).toBe(true)
  })

  it('has a reference page that reads without script and network', async () => {
    const { ask } = await openApp()
    const page = await (await ask('/reference?plain')).text()
    for (const text of ['/v1/orders/{id}:cancel', 'Cancel order', '&quot;ORDER_STATUS_OPEN&quot;', 'createdAfter', 'public']) expect(page).toContain(text)
    expect(page).not.toContain('<script')
    expect((await ask('/reference?plain')).headers.get('content-security-policy')).toContain("script-src 'none'; ")
  })

  it('shows the same list under the viewer, whose one script is let in by its address and hash', async () => {
    const { ask } = await openApp()
    const answer = await ask('/reference')
    const page = await answer.text()
    const src = 'https://cdn.jsdelivr.net/npm/@scalar/api-reference@1.72.1/dist/browser/standalone.js'
    expect(page).toContain('/v1/orders/{id}:cancel')
    expect(page).toMatch(new RegExp(`<script defer src="${src.replaceAll('.', '\\.')}" integrity="sha384-[A-Za-z0-9+/]{64}" crossorigin="anonymous"></script>`))
    expect(answer.headers.get('content-security-policy')).toBe(
      `default-src 'none'; script-src 'self' ${src}; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
    )
    const start = await ask('/reference/start.js')
    expect([start.headers.get('content-type'), (await start.text()).includes('createApiReference')]).toEqual(['text/javascript; charset=utf-8', true])
    expect((await ask('/reference/scalar.js')).status).toBe(404)
  })

  it("serves the operator's own copy of the viewer, and then lets in no other host", async () => {
    const text = 'window.Scalar = undefined // é'
    const folder = await tempFolder({ 'viewer.js': text })
    const { ask } = await openApp(`${folder.path}/viewer.js`)
    const answer = await ask('/reference')
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self'; ")
    expect(await answer.text()).not.toContain('https://cdn')
    const script = await ask('/reference/scalar.js')
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    expect(hash(new Uint8Array(await script.arrayBuffer()))).toBe(hash(new TextEncoder().encode(text)))
    expect((await (await openApp('/nowhere/viewer.js')).ask('/reference/scalar.js')).status).toBe(404)
  })

  it('escapes what the policies say', async () => {
    const { ask, publish } = await openApp()
    publish(
      clean(
        await loadBeside(
          `clusters: { a: { address: "127.0.0.1:1" } }\nroutes: { r: { match: { path: /r, methods: [GET], headers: { x-a: "<b>" } }, to: a, access: { rules: [{ id: all, allow: { anonymous: true } }] } } }\n`,
        ),
      ),
    )
    const page = await (await ask('/reference')).text()
    expect(page).toContain('&lt;b&gt;')
    expect(page).not.toContain('<b>"')
  })
})
