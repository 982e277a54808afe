import { describe, expect, it, onTestFinished } from 'vitest'
import type { Diagnostic } from '../../src/core/policy/diagnostic.ts'
import { buildAdminApp, startAdmin } from '../../src/node/admin.ts'
import type { GatewayView } from '../../src/node/gateway-view.ts'
import { nodeWarning } from '../../src/node/node-version.ts'
import { fakeLimitRoutes } from '../support/limit-routes.ts'
import { noSwitches } from '../support/no-switches.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'

const at = Date.UTC(2026, 0, 1)
const wrong: Diagnostic = { severity: 'error', code: 'x', file: 'a.yaml', line: 2, column: 5, message: 'It is wrong.', hint: 'Mend it.', object: 'routes.a' }

const forgetIntrospections = async () => {}
const rearmGuard = async () => false
const limits = fakeLimitRoutes()

function view(given: Partial<GatewayView> = {}, policy = emptyPolicy()): GatewayView {
  return {
    phase: 'serving',
    startedAt: at - 3_723_000,
    now: at,
    snapshot: { revision: policy.revision, policy },
    publishedAt: at - 60_000,
    inFlight: 3,
    inForce: [],
    lastLoad: { outcome: 'published', at, diagnostics: [] },
    listeners: [{ name: 'public', host: '127.0.0.1', port: 8080 }],
    keySets: [],
    guards: [],
    endpoints: [],
    shields: [],
    sources: [],
    certificates: [],
    healthOf: () => 'SERVING',
    signingKeys: () => Promise.resolve({ text: '{"keys":[]}', maxAge: 300 }),
    warnings: [],
    ...given,
  }
}

function ask(path: string, given: GatewayView = view(), headers: Record<string, string> = { host: 'localhost:9901' }) {
  const app = buildAdminApp(
    () => given,
    () => '# metrics\n',
    { loopback: true, forgetIntrospections, rearmGuard, limits, switches: noSwitches },
  )
  return app.request(path, { headers })
}

describe('the admin listener', () => {
  it('is live, serves metrics in the text format, and names the revision', async () => {
    expect(await (await ask('/livez')).text()).toBe('ok\n')
    const scraped = await ask('/metrics')
    expect(scraped.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(await scraped.text()).toBe('# metrics\n')
    expect(await (await ask('/revision')).json()).toEqual({ revision: 'rev0', environment: 'dev' })
  })

  it('shows how every endpoint is, as JSON and on its page', async () => {
    const one = {
      cluster: 'orders',
      endpoint: '10.0.0.1:80',
      authority: 'v2.orders.test',
      health: 'ejected',
      cause: 'consecutive_gateway',
      backInMs: 9_000,
      ejections: 1,
      active: 2,
      answerMs: 12.34,
    } as const
    const given = view({ endpoints: [one] })
    expect(await (await ask('/endpoints', given)).json()).toEqual({ endpoints: [one], protection: [] })
    const page = await (await ask('/', given)).text()
    for (const text of ['10.0.0.1:80', 'v2.orders.test', 'ejected', 'consecutive_gateway', 'back in 9 s', '12.3 ms']) expect(page).toContain(text)
  })

  it('shows breakers and adaptive limits, as JSON and on its page', async () => {
    const open = { place: 'orders/v2', breaker: 'open', backInMs: 9_000, limit: undefined, active: undefined } as const
    const limited = { place: 'search', breaker: undefined, backInMs: undefined, limit: 24, active: 7 } as const
    const given = view({ shields: [open, limited] })
    expect(await (await ask('/endpoints', given)).json()).toEqual({
      endpoints: [],
      protection: [
        { place: 'orders/v2', breaker: 'open', backInMs: 9_000 },
        { place: 'search', limit: 24, active: 7 },
      ],
    })
    const page = await (await ask('/', given)).text()
    for (const text of ['orders/v2', 'open', 'for 9 s', '7 of 24']) expect(page).toContain(text)
  })

  it('shows its certificates, how long they last, and subsets that their source names no more', async () => {
    const ending = {
      use: 'cluster orders',
      subject: 'CN=<edge>',
      spiffe: 'spiffe://corp/edge',
      beginsAt: at - 27 * 86_400_000,
      endsAt: at + 3 * 86_400_000,
      ageMs: 2_000,
      problem: undefined,
    }
    const broken = {
      use: 'egress payments',
      subject: undefined,
      spiffe: undefined,
      beginsAt: undefined,
      endsAt: undefined,
      ageMs: 500,
      problem: 'file:/tls.key is not there',
    }
    const leftBehind = [{ cluster: 'orders', subset: 'v2', endpoints: 2, ageMs: 90_000 }]
    const source = { source: 'file /run/orders.yaml', clusters: ['orders'], endpoints: 3, kept: 0, ageMs: 100, problem: undefined, leftBehind }
    const given = view({ certificates: [ending, broken], sources: [source] })
    expect(await (await ask('/readyz', given)).json()).toMatchObject({
      certificates: [
        { use: 'cluster orders', endsAt: '2026-01-04T00:00:00Z' },
        { use: 'egress payments', problem: 'file:/tls.key is not there' },
      ],
      sources: [{ leftBehind }],
    })
    const page = await (await ask('/', given)).text()
    for (const text of ['CN=&lt;edge&gt;', 'spiffe://corp/edge', 'ends in 3 d', '2026-01-04', 'file:/tls.key is not there']) expect(page).toContain(text)
    for (const text of ['left behind', 'orders/v2', '2 endpoints', 'none named for 1 min 30 s']) expect(page).toContain(text)
  })

  it('is ready while it serves, and not before or after', async () => {
    expect((await ask('/readyz')).status).toBe(200)
    expect((await ask('/readyz', view({ phase: 'draining' }))).status).toBe(503)
    expect((await ask('/readyz', view({ phase: 'starting' }))).status).toBe(503)
    expect((await ask('/livez', view({ phase: 'draining' }))).status).toBe(200)
  })

  it('stays ready with a bad file, and names file, line and column', async () => {
    const answer = await ask('/readyz', view({ lastLoad: { outcome: 'failed', at, diagnostics: [wrong] } }))
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      status: 'ready',
      lastLoad: { outcome: 'failed', at: '2026-01-01T00:00:00Z', diagnostics: ['a.yaml:2:5: error: It is wrong. (Mend it.)'] },
    })
  })

  it('names what is quarantined, how key sets stand, and what is wrong with the process', async () => {
    const policy = emptyPolicy({ routes: [plainRoute('orders', { quarantined: 'unknown cluster' })] })
    const keySet = { issuer: 'https://idp', state: 'stale', keys: 2, ageMs: 5000, problem: 'timeout' } as const
    expect(await (await ask('/readyz', view({ keySets: [keySet], warnings: ['old Node'] }, policy))).json()).toMatchObject({
      quarantined: [{ object: 'routes.orders', reason: 'unknown cluster' }],
      keySets: [keySet],
      warnings: ['old Node'],
    })
  })

  it('gives diagnostics of what is in force and of the last load', async () => {
    const answer = await ask(
      '/policy/diagnostics',
      view({ inForce: [{ ...wrong, severity: 'warning' }], lastLoad: { outcome: 'failed', at, diagnostics: [wrong] } }),
    )
    expect(await answer.json()).toMatchObject({
      revision: 'rev0',
      inForce: [{ severity: 'warning' }],
      lastLoad: { at: '2026-01-01T00:00:00.000Z', diagnostics: [wrong] },
    })
  })

  it('answers to loopback names only while it is on loopback', async () => {
    for (const host of ['localhost:1', '127.0.0.1', '[::1]:9901', 'LOCALHOST']) expect((await ask('/livez', view(), { host })).status).toBe(200)
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', ''])
      expect((await ask('/livez', view(), { host })).status).toBe(403)
    const app = buildAdminApp(
      () => view(),
      () => '',
      { loopback: false, forgetIntrospections, rearmGuard, limits, switches: noSwitches },
    )
    expect((await app.request('/livez', { headers: { host: '10.0.0.7:9901' } })).status).toBe(200)
  })

  it('shows guarded destinations, on its page too, and arms one again for an operator and for no web page', async () => {
    const figures = { answers: 600, errors: 60 }
    const guard = { errorRateDelta: 0.01, p95Ratio: 1.3, minSamples: 500, windowMs: 300_000 }
    const aborted = { at, why: 'errors at least 7.00 %' }
    const one = { route: 'orders', destination: { cluster: 'orders', subset: 'v2' }, guard, aborted, canary: figures, others: { answers: 9_000, errors: 9 } }
    expect(await (await ask('/guards', view({ guards: [one] }))).json()).toMatchObject({ guards: [{ route: 'orders', aborted }] })
    expect(await (await ask('/', view({ guards: [one] }))).text()).toContain('errors at least 7.00 %')
    const asked: string[] = []
    const app = (rearm: (route: string, destination: string) => Promise<boolean>) =>
      buildAdminApp(
        () => view(),
        () => '',
        { loopback: true, forgetIntrospections, rearmGuard: rearm, limits, switches: noSwitches },
      )
    const arm = async (answer: () => boolean, headers: Record<string, string> = {}) => {
      const rearm = async (route: string, destination: string) => {
        asked.push(`${route} ${destination}`)
        return answer()
      }
      const path = '/guards/rearm?route=orders&destination=orders/v2'
      return (await app(rearm).request(path, { method: 'POST', headers: { host: 'localhost', ...headers } })).status
    }
    expect(await arm(() => true)).toBe(200)
    expect(asked).toEqual(['orders orders/v2'])
    expect(await arm(() => true, { origin: 'https://evil.example' })).toBe(403)
    expect(asked).toHaveLength(1)
    expect(await arm(() => false)).toBe(404)
    const lost = () => {
      throw new Error('no store')
    }
    expect(await arm(lost)).toBe(503)
  })

  it('forgets what issuers said of opaque tokens, for an operator and for no web page', async () => {
    let forgotten = 0
    const app = (forget: () => Promise<void>) =>
      buildAdminApp(
        () => view(),
        () => '',
        { loopback: true, forgetIntrospections: forget, rearmGuard, limits, switches: noSwitches },
      )
    const clear = (headers: Record<string, string> = {}, forget = async () => void forgotten++) =>
      app(forget).request('/introspection/clear', { method: 'POST', headers: { host: 'localhost', ...headers } })
    expect((await clear()).status).toBe(200)
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { host: 'evil.example' }] as const)
      expect((await clear(headers)).status).toBe(403)
    expect(forgotten).toBe(1)
    expect((await app(async () => {}).request('/introspection/clear', { headers: { host: 'localhost' } })).status).toBe(404)
    expect((await clear({}, () => Promise.reject(new Error('gone')))).status).toBe(503)
  })

  it('refuses with problem documents', async () => {
    for (const [path, host, status, code] of [
      ['/nothing', 'localhost', 404, 'route_not_found'],
      ['/livez', 'evil.example', 403, 'forbidden'],
    ] as const) {
      const answer = await ask(path, view(), { host })
      expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/problem+json'])
      expect(await answer.json()).toMatchObject({ code, status })
    }
  })

  it('leads to the API reference, and shows which routes publish a document', async () => {
    const route = plainRoute('docs', { split: [], openapi: { routes: ['orders', 'catalog'], title: undefined, version: undefined } })
    const page = await (await ask('/', view({}, emptyPolicy({ routes: [route] })))).text()
    expect(page).toContain('<a href="/reference">')
    expect(page).toContain('an OpenAPI document of orders, catalog')
  })

  it('has a status page on which nothing from the policies is markup', async () => {
    const route = plainRoute('<script>alert(1)</script>', { match: { hosts: ['"><img>'], path: '/<b>', grpc: undefined, methods: [], headers: [], query: [] } })
    const answer = await ask('/', view({ lastLoad: { outcome: 'failed', at, diagnostics: [{ ...wrong, message: '<i>' }] } }, emptyPolicy({ routes: [route] })))
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    const page = await answer.text()
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(page).not.toMatch(/<script|<img|<b>|<i>/)
    expect(page).toContain('a.yaml:2:5')
  })

  it('is bound to a real socket and lets it go', async () => {
    const admin = await startAdmin({ host: '127.0.0.1', port: 0 }, (options) =>
      buildAdminApp(
        () => view(),
        () => '',
        { ...options, forgetIntrospections, rearmGuard, limits, switches: noSwitches },
      ),
    )
    onTestFinished(() => admin.close())
    expect((await fetch(`http://127.0.0.1:${admin.port}/readyz`)).status).toBe(200)
    await expect(
      startAdmin({ host: '127.0.0.1', port: admin.port }, (options) =>
        buildAdminApp(
          () => view(),
          () => '',
          { ...options, forgetIntrospections, rearmGuard, limits, switches: noSwitches },
        ),
      ),
    ).rejects.toThrow('EADDRINUSE')
    await admin.close()
    await expect(fetch(`http://127.0.0.1:${admin.port}/livez`)).rejects.toThrow('fetch failed')
  })
})

describe('the warning about Node', () => {
  it('comes when a release line has ended or was never supported', () => {
    expect(nodeWarning('v24.21.0', Date.UTC(2027, 0, 1))).toBeUndefined()
    expect(nodeWarning('v24.21.0', Date.UTC(2028, 4, 2))).toContain('no security fixes since 2028-04-30')
    expect(nodeWarning('v20.1.0', 0)).toContain('older than Sallyport supports')
    expect(nodeWarning('v99.0.0', Date.UTC(2040, 0, 1))).toBeUndefined()
  })
})
