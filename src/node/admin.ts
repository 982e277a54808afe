import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import type { Address } from '../core/policy/linked/listeners.ts'
import { readinessOf } from './admin/detail.ts'
import { addEgress } from './admin/egress.ts'
import { addLimits, type LimitRoutes } from './admin/limits.ts'
import { statusPage } from './admin/page.ts'
import { addReference } from './admin/reference.ts'
import { isFromPage, problem } from './admin/refusal.ts'
import type { BoundListener } from './gateway/listener-set.ts'
import type { GatewayView } from './gateway-view.ts'
import type { SwitchDesk } from './switching.ts'

/** Only the inline style of our own page may take effect. */
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

export interface AdminOptions {
  readonly loopback: boolean
  /** A file in place of the public script of the API reference. */
  readonly referenceScript?: string | undefined
  /** Forgets what issuers said of opaque tokens, on every replica. */
  readonly forgetIntrospections: () => Promise<void>
  /** Switches egress services to other environments. */
  readonly switches: SwitchDesk
  /** Gives a guarded destination its weight back, on every replica. False when there is none of that name. */
  readonly rearmGuard: (route: string, destination: string) => Promise<boolean>
  readonly limits: LimitRoutes
}

/** The gateway's own routes: health, metrics, what is in force and what limits have counted. Switches of egress services alone change the policies in force. */
export function buildAdminApp(view: () => GatewayView | Promise<GatewayView>, metrics: () => string | Promise<string>, options: AdminOptions): Hono {
  const app = new Hono()
  app.notFound(() => problem('route_not_found', 'the admin listener has no such page'))
  app.use(async (c, next) => {
    // A page in the operator's browser may reach a loopback port by a name it made resolve there (DNS rebinding).
    if (options.loopback && !isLoopbackName(c.req.header('host') ?? '')) return problem('forbidden', 'this listener answers to localhost only')
    await next()
    c.header('x-content-type-options', 'nosniff')
    if (!c.res.headers.has('cache-control')) c.header('cache-control', 'no-store')
    return undefined
  })
  app.get('/livez', (c) => c.text('ok\n'))
  app.get('/readyz', async (c) => {
    const seen = await view()
    return c.json(readinessOf(seen), seen.phase === 'serving' ? 200 : 503)
  })
  app.get('/healthz', async (c) => {
    const status = (await view()).healthOf(c.req.query('service') ?? '')
    return c.json({ status }, healthCodes[status])
  })
  app.get('/metrics', async (c) => c.body(await metrics(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }))
  app.get('/revision', async (c) => {
    const { snapshot } = await view()
    return c.json({ revision: snapshot.revision, environment: snapshot.policy.environment })
  })
  app.get('/policy/diagnostics', async (c) => {
    const { inForce, lastLoad, snapshot } = await view()
    return c.json({ revision: snapshot.revision, inForce, lastLoad: { ...lastLoad, at: new Date(lastLoad.at).toISOString() } })
  })
  app.get('/endpoints', async (c) => {
    const { endpoints, shields } = await view()
    return c.json({ endpoints, protection: shields })
  })
  addReference(app, async () => (await view()).snapshot.policy, options.referenceScript)
  app.post('/introspection/clear', async (c) => {
    if (isFromPage(c)) return problem('forbidden', 'this is not for web pages')
    try {
      await options.forgetIntrospections()
    } catch {
      return problem('idp_unavailable', 'forgotten here; other replicas could not be told, because the shared store does not answer')
    }
    return c.json({ cleared: true })
  })
  addEgress(app, view, options.switches)
  app.get('/guards', async (c) => c.json({ guards: (await view()).guards }))
  app.post('/guards/rearm', async (c) => {
    if (isFromPage(c)) return problem('forbidden', 'this is not for web pages')
    try {
      const found = await options.rearmGuard(c.req.query('route') ?? '', c.req.query('destination') ?? '')
      if (!found) return problem('route_not_found', 'the policies in force guard no such destination: say ?route=NAME&destination=CLUSTER or CLUSTER/SUBSET')
    } catch {
      return problem('upstream_unavailable', 'armed again here; other replicas could not be told, because the shared store does not answer')
    }
    return c.json({ armed: true })
  })
  addLimits(app, async () => (await view()).snapshot.policy, options.limits)
  app.get('/.well-known/jwks.json', async (c) => {
    const seen = await view()
    const keys = await seen.signingKeys().catch(() => undefined)
    if (keys === undefined) return problem('credential_unavailable', 'the keys are not available')
    return c.body(keys.text, 200, { 'content-type': 'application/json', 'cache-control': `public, max-age=${keys.maxAge}` })
  })
  app.get('/', async (c) => {
    c.header('content-security-policy', pagePolicy)
    return c.html(statusPage(await view()))
  })
  return app
}

/** As grpc-gateway answers health over HTTP. */
const healthCodes = { SERVING: 200, NOT_SERVING: 503, SERVICE_UNKNOWN: 404 } as const

/** A bound admin listener. */
export interface AdminListener extends BoundListener {
  /** Idle connections end at once; answers under way end first, for at most a second. */
  close(): Promise<void>
}

/** Serves the admin app. @throws when the address cannot be bound. */
export async function startAdmin(address: Address, build: (options: { readonly loopback: boolean }) => Hono): Promise<AdminListener> {
  const app = build({ loopback: isLoopback(address.host) })
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false, serverOptions: { requestTimeout: 10_000, maxHeaderSize: 8192 } })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.port, address.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  const close = () =>
    new Promise<void>((resolve) => {
      const force = setTimeout(() => 'closeAllConnections' in server && server.closeAllConnections(), 1000)
      server.close(() => {
        clearTimeout(force)
        resolve()
      })
      if ('closeIdleConnections' in server) server.closeIdleConnections()
    })
  return { name: 'admin', host: address.host, port, close }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function isLoopbackName(authority: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i.test(authority)
}
