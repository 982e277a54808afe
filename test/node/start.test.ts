import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { EgressService } from '../../src/core/model/egress-service.ts'
import type { Diagnostic } from '../../src/core/policy/diagnostic.ts'
import type { AccessPolicy } from '../../src/core/policy/linked/access.ts'
import type { Cluster } from '../../src/core/policy/linked/clusters.ts'
import type { Policy } from '../../src/core/policy/policy.ts'
import type { JournalRecord } from '../../src/core/ports.ts'
import { type Running, StartError, startSallyport } from '../../src/node/main.ts'
import type { LoadedFolder } from '../../src/node/policy-source/load-folder.ts'
import { readSettings, type SettingFlags } from '../../src/node/settings.ts'
import { type Signalling, serveUntilTold } from '../../src/node/signals.ts'
import { emptyPolicy, plainRoute } from '../support/policy.ts'

const loopback = { host: '127.0.0.1', port: 0 }
const limits = { headerBytes: 16_384, headerCount: 100, bodyBytes: 1_048_576, requestMs: 30_000, idleMs: 60_000 }
const everybody: AccessPolicy = {
  name: 'everybody',
  quarantined: undefined,
  authenticate: { kind: 'none' },
  rules: [
    {
      id: 'all',
      effect: 'allow',
      mode: 'enforce',
      when: undefined,
      reason: undefined,
      matcher: {
        anonymous: true,
        methods: undefined,
        paths: undefined,
        grpc: undefined,
        hosts: undefined,
        issuers: undefined,
        scopes: undefined,
        claims: undefined,
        clients: undefined,
        cidrs: undefined,
        headers: undefined,
        times: undefined,
        tls: undefined,
      },
    },
  ],
}

function clusterAt(port: number): Cluster {
  return {
    name: 'shop',
    quarantined: undefined,
    sidecar: 'none',
    protocol: 'http',
    endpoints: { kind: 'static', addresses: [{ kind: 'tcp', host: '127.0.0.1', port, weight: 1 }] },
    authority: undefined,
    tls: undefined,
    balance: 'round_robin',
    connectTimeoutMs: 1000,
    caps: { requests: 1024 },
    subsets: {},
  }
}

function shop(port: number, given: Partial<Policy> = {}): Policy {
  return emptyPolicy({
    listeners: {
      public: { address: loopback, protocols: ['http/1.1'], tls: undefined, trustedProxies: [], limits },
      egress: { address: loopback },
      admin: { address: loopback },
    },
    clusters: { shop: clusterAt(port) },
    access: { everybody },
    routes: [plainRoute('shop', { access: ['everybody'] })],
    ...given,
  })
}

const wrong: Diagnostic = { severity: 'error', code: 'x', file: 'a.yaml', line: 4, column: 2, message: 'It is wrong.', hint: undefined, object: 'routes.b' }

/** An upstream that says which path it was asked for, after `hold` if there is one. */
async function upstream(hold?: Promise<void>): Promise<number> {
  const server = createServer((request, response) => {
    void Promise.resolve(hold).then(() => response.end(`shop ${request.url}`))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Starts a gateway whose folder says what `folder.next` holds. */
async function gateway(first: Partial<LoadedFolder> & { readonly policy: Policy | undefined }, flags: SettingFlags = {}) {
  const folder = { next: first }
  let loads = 0
  const load = async (): Promise<LoadedFolder> => ({ diagnostics: [], origins: {}, unchanged: false, hash: `${loads++}`, ...folder.next })
  const settings = readSettings({ environment: 'dev', policies: '/nowhere', logLevel: 'silent', lameDuck: '0s', drain: '5s', ...flags }, {}, false)
  const running = await startSallyport(settings, { load, watch: { quietMs: 5, pollMs: 60_000 } })
  onTestFinished(() => running.close({ hurry: true }))
  const records: JournalRecord[] = []
  running.journal.subscribe((record) => void records.push(record))
  const url = (name: string) => `http://127.0.0.1:${running.addresses.find((one) => one.name === name)?.port}`
  return { running, folder, records, url, get: (name: string, path: string) => fetch(`${url(name)}${path}`) }
}

describe('startSallyport', () => {
  it('serves what the policies say, writes a record, and shows itself on the admin listener', async () => {
    const { url, get, records, running } = await gateway({ policy: shop(await upstream()) })
    const answer = await get('public', '/things?secret=1')
    expect([answer.status, await answer.text()]).toEqual([200, 'shop /things?secret=1'])
    expect(records.find((record) => record['kind'] === 'request')).toMatchObject({
      wing: 'ingress',
      listener: 'public',
      path: '/things',
      query: ['secret'],
      route: 'shop',
      permit: { policy: 'everybody', rule: 'all' },
      destination: { cluster: 'shop' },
      attempts: 1,
      status: 200,
      ending: 'whole',
    })
    expect(await (await get('admin', '/readyz')).json()).toMatchObject({ status: 'ready', revision: 'rev0', quarantined: [] })
    const scraped = await (await get('admin', '/metrics')).text()
    expect(scraped).toContain('sallyport_requests_total{wing="ingress",route="shop",method="GET",status="200"} 1')
    expect(scraped).toContain('sallyport_policy_revision_info{revision="rev0",environment="dev"} 1')
    expect(scraped).toContain('sallyport_in_flight_requests 0')
    expect(running.admin?.port).toBeGreaterThan(0)
    expect((await fetch(`${url('admin')}/`)).headers.get('content-type')).toContain('text/html')
  })

  it('refuses to start where nothing can be served, and with --strict on any error', async () => {
    await expect(gateway({ policy: undefined, diagnostics: [wrong] })).rejects.toMatchObject({ name: 'StartError', diagnostics: [wrong] })
    await expect(gateway({ policy: shop(1), diagnostics: [wrong] }, { strict: true })).rejects.toBeInstanceOf(StartError)
  })

  it('refuses to start where the store is named by a variable that is not set', async () => {
    const policy = { ...shop(1), store: { redis: 'env:SALLYPORT_TEST_UNSET_REDIS' } }
    await expect(gateway({ policy, diagnostics: [] })).rejects.toMatchObject({ name: 'StartError', diagnostics: [{ code: 'store_unavailable' }] })
  })

  it('starts with what is sound when an object is broken, and says so loudly', async () => {
    const policy = shop(await upstream())
    const routes = [
      ...policy.routes,
      plainRoute('b', { quarantined: 'broken', match: { hosts: [], path: '/b', grpc: undefined, methods: [], headers: [], query: [] } }),
    ]
    const { get } = await gateway({ policy: { ...policy, routes }, diagnostics: [wrong] })
    expect((await get('public', '/a')).status).toBe(200)
    expect((await get('public', '/b')).status).toBe(503)
    expect(await (await get('admin', '/readyz')).json()).toMatchObject({
      quarantined: [{ object: 'routes.b', reason: 'broken' }],
      lastLoad: { outcome: 'published', diagnostics: ['a.yaml:4:2: error: It is wrong.'] },
    })
  })

  it('says which listener cannot be bound, and leaves nothing open', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as AddressInfo
    const policy = shop(1)
    const start = gateway({ policy: { ...policy, listeners: { ...policy.listeners, egress: { address: { host: '127.0.0.1', port } } } } })
    await expect(start).rejects.toThrow(`listener egress cannot be bound to 127.0.0.1:${port}: EADDRINUSE`)
  })

  it('keeps serving the old policies while the file is bad, and recovers', async () => {
    const port = await upstream()
    const { running, folder, get } = await gateway({ policy: shop(port) })
    folder.next = { policy: shop(port, { revision: 'rev1' }), diagnostics: [wrong] }
    expect(await running.reload()).toMatchObject({ outcome: 'failed' })
    expect((await get('public', '/')).status).toBe(200)
    expect(await (await get('admin', '/readyz')).json()).toMatchObject({
      revision: 'rev0',
      lastLoad: { outcome: 'failed', diagnostics: ['a.yaml:4:2: error: It is wrong.'] },
    })
    expect(await (await get('admin', '/metrics')).text()).toContain('sallyport_policy_last_reload_success 0')
    folder.next = { policy: shop(port, { revision: 'rev1' }) }
    expect(await running.reload()).toMatchObject({ outcome: 'published' })
    expect(await (await get('admin', '/revision')).json()).toMatchObject({ revision: 'rev1' })
  })

  it('opens and closes the port of an egress service with the policies', async () => {
    const service: EgressService = {
      name: 'payments',
      quarantined: undefined,
      listen: '127.0.0.1:0',
      host: undefined,
      callers: ['checkout'],
      allow: [],
      connectTimeoutMs: 1000,
      timeoutMs: 1000,
      retry: undefined,
      mask: { headers: [], jsonPaths: [], responses: false },
    }
    const deny = { mode: 'deny', environment: 'dev', reason: undefined } as const
    const callers = { checkout: { name: 'checkout', listener: 'egress', environment: undefined, mayChooseEnv: [] } }
    const policy = shop(1)
    const { running, folder, get, records } = await gateway({ policy })
    folder.next = { policy: { ...policy, revision: 'rev1', callers, egress: { payments: { service, targets: { dev: deny } } } } }
    await running.reload()
    expect((await get('egress:payments', '/v1/charges')).status).toBe(403)
    expect(records.at(-1)).toMatchObject({ wing: 'egress', listener: 'egress:payments', egress: { service: 'payments', mode: 'deny', caller: 'checkout' } })
    const { port } = running.addresses.find((one) => one.name === 'egress:payments') ?? { port: 0 }
    folder.next = { policy: { ...policy, revision: 'rev2' } }
    await running.reload()
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow('fetch failed')
  })

  it('lets a request that is under way end before it stops, and says no to readiness meanwhile', async () => {
    const hold = Promise.withResolvers<void>()
    const { running, get, url } = await gateway({ policy: shop(await upstream(hold.promise)) })
    const admin = url('admin')
    const pending = get('public', '/slow')
    await until(() => running.live.inFlight === 1)
    const closing = running.close()
    expect((await get('admin', '/readyz')).status).toBe(503)
    hold.resolve()
    expect(await (await pending).text()).toBe('shop /slow')
    await closing
    await expect(fetch(`${admin}/livez`)).rejects.toThrow('fetch failed')
  })

  it('cuts what is under way when it is told to hurry', async () => {
    const { running, get } = await gateway({ policy: shop(await upstream(new Promise(() => {}))) })
    const pending = get('public', '/never').catch((error: unknown) => error)
    await until(() => running.live.inFlight === 1)
    await running.close({ hurry: true })
    expect(await pending).toBeInstanceOf(Error)
    expect(running.live.inFlight).toBe(0)
  })

  it('exports a span per request, under the parent that the downstream named', async () => {
    const bodies: string[] = []
    const collector = createServer((request, response) => {
      let text = ''
      request.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      request.on('end', () => {
        bodies.push(text)
        response.end('{}')
      })
    })
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void collector.close())
    const otlp = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
    const { running, url } = await gateway({ policy: shop(await upstream()) }, { otlp })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01'
    await (await fetch(`${url('public')}/x`, { headers: { traceparent } })).text()
    await running.close()
    const spans = bodies.flatMap((body) => JSON.parse(body).resourceSpans[0].scopeSpans[0].spans)
    expect(spans).toEqual([
      expect.objectContaining({
        traceId: '0af7651916cd43dd8448eb211c80319c',
        parentSpanId: '00f067aa0ba902b7',
        spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
      }),
    ])
  })

  it('answers every request while 200 policies are published', async () => {
    const port = await upstream()
    const { running, folder, url } = await gateway({ policy: shop(port) })
    const stop = new AbortController()
    const statuses = new Map<number, number>()
    const client = async () => {
      while (!stop.signal.aborted) {
        const answer = await fetch(`${url('public')}/x`)
        await answer.text()
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      }
    }
    const clients = Array.from({ length: 4 }, client)
    for (let i = 1; i <= 200; i++) {
      folder.next = { policy: shop(port, { revision: `rev${i}` }) }
      expect(await running.reload()).toMatchObject({ outcome: 'published' })
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    stop.abort()
    await Promise.all(clients)
    expect([...statuses.keys()]).toEqual([200])
    expect(statuses.get(200)).toBeGreaterThan(20)
  })
})

/** Turns of the event loop, bounded by the test's own time. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve))
}

describe('signals', () => {
  function told() {
    const handlers = new Map<string, (...args: readonly unknown[]) => void>()
    const process: Signalling = { on: (event, handler) => handlers.set(event, handler), off: (event) => handlers.delete(event) }
    const done: string[] = []
    const gate = Promise.withResolvers<void>()
    const running = {
      reload: async () => void done.push('reload'),
      close: (options?: { readonly hurry?: boolean }) => {
        done.push(options?.hurry === true ? 'hurry' : 'close')
        return gate.promise
      },
      bug: (kind: string) => void done.push(kind),
    } as unknown as Running
    const status = serveUntilTold(running, process)
    return { tell: (event: string) => handlers.get(event)?.(new Error('x')), handlers, done, gate, status }
  }

  it('end the gateway at the first, hurry it at the second, and leave no handler behind', async () => {
    const { tell, done, gate, status, handlers } = told()
    tell('SIGHUP')
    tell('unhandledRejection')
    tell('SIGTERM')
    await Promise.resolve()
    tell('SIGINT')
    gate.resolve()
    expect(await status).toBe(0)
    expect(done).toEqual(['reload', 'unhandled_rejection', 'close', 'hurry'])
    expect(handlers.size).toBe(0)
  })

  it('end with status 1 after an error that nobody caught', async () => {
    const { tell, done, gate, status } = told()
    gate.resolve()
    tell('uncaughtException')
    expect(await status).toBe(1)
    expect(done).toEqual(['uncaught_exception', 'close'])
  })
})
