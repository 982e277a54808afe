import { once } from 'node:events'
import { Agent, get, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { realHello } from '../support/client-hello.ts'
import { type Served, sallyport, startServe } from '../support/command.ts'
import { type Gateway, openGateway } from '../support/gateway.ts'
import { type Keep, untilTheEnd } from '../support/keep.ts'
import { hasRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { openHttp } from '../support/shop.ts'

const keep = untilTheEnd()
const loopback = 'allowAddresses: ["127.0.0.0/8"]'
const patienceMs = 60_000

let held: ServerResponse[] = []
let sandbox = 0
let staging = 0
/** Says back what it hears. */
let echo = 0
let files: Readonly<Record<string, string>>

beforeAll(async () => {
  sandbox = await openHttp(keep, (request, response) => {
    if (request.url === '/held') held.push(response)
    else response.end('sandbox')
  })
  staging = await openHttp(keep, (_, response) => response.end('staging'))
  echo = await openEcho()
  files = { 'house.yaml': policies() }
})

async function openEcho(): Promise<number> {
  const server = createServer((socket) => void socket.on('error', () => {}).pipe(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  keep(() => void server.close())
  return (server.address() as AddressInfo).port // it is bound to an address
}

function policies(more = ''): string {
  return `sallyport: v1
environments: { dev: { class: nonprod }, test: { class: nonprod }, staging: { class: nonprod }, prod: { class: prod } }
listeners:
  egress: { address: 127.0.0.1:0, proxy: true }
  admin: { address: 127.0.0.1:0 }
callers:
  shop: { listener: egress }
  qa: { listener: "egress:payments", mayChooseEnv: [dev, test] }
egress:
  payments:
    listen: 127.0.0.1:0
    host: payments.egress.internal
    callers: [qa, shop]${more}
    environments:
      dev: { target: "http://127.0.0.1:${sandbox}", ${loopback} }
      test: { target: "http://127.0.0.1:${staging}", ${loopback} }
      prod: { target: https://api.pay.example }
  tunnelled:
    kind: proxy
    connect: true
    callers: [shop]
    environments:
      dev: { hosts: ["127.0.0.1"], ports: [${echo}], ${loopback} }
      test: { hosts: ["127.0.0.1"], ports: [${echo}], ${loopback} }
`
}

interface Said {
  readonly status: number
  readonly body: string
  readonly revision: string | undefined
  readonly environment: string | undefined
}

function call(port: number, path = '/', { agent = false, headers = {} }: { agent?: Agent | false; headers?: Record<string, string> } = {}): Promise<Said> {
  return new Promise((resolve, reject) => {
    const sent = get({ host: '127.0.0.1', port, path, agent, headers }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      const header = (name: string) => answer.headers[name] as string | undefined // none of these is a list
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body, revision: header('x-egress-rev'), environment: header('x-egress-env') }))
    })
    sent.on('error', reject)
  })
}

interface Asked {
  readonly admin: number
  readonly service?: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

async function ask({ admin, service = 'payments', body = {}, headers = {} }: Asked) {
  const { revision } = (await (await fetch(`http://127.0.0.1:${admin}/egress`)).json()) as { readonly revision: string }
  const answer = await fetch(`http://127.0.0.1:${admin}/egress/${service}/switch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'if-match': `"${revision}"`, ...headers },
    body: JSON.stringify({ by: 'ada', reason: 'a test', ...body }),
  })
  return { status: answer.status, said: (await answer.json()) as Record<string, unknown> }
}

/** Asks until it is answered so: on a busy machine the store or a replica may be late, which changes nothing. */
const insist = (asked: Asked, answer: object) =>
  vi.waitFor(
    async () => {
      const answered = await ask(asked)
      expect(answered).toMatchObject(answer)
      return answered
    },
    { timeout: patienceMs, interval: 20 },
  )

interface Loaded extends Said {
  readonly askedAt: number
  readonly saidAt: number
}

/** Calls that began after another had been answered by `fresh`, and were answered by the old target all the same. */
function stepsBack(all: readonly Loaded[], fresh: string): readonly Loaded[] {
  const first = Math.min(...all.filter(({ body }) => body === fresh).map(({ saidAt }) => saidAt))
  return all.filter(({ body, askedAt }) => body !== fresh && askedAt > first)
}

/** Four callers that go on at a pace that leaves the machine time to switch, and go to all ports in turn. `stop` answers everything they were told, in the order it was asked for, with the tick of the question. */
function load(...ports: readonly number[]): { readonly count: () => number; stop(): Promise<readonly Loaded[]> } {
  const said: Loaded[] = []
  const going = new AbortController()
  const callers = Array.from({ length: 4 }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    let turn = 0
    for (; !going.signal.aborted; await pause(1)) {
      const askedAt = performance.now()
      said.push({ ...(await call(ports[turn++ % ports.length] ?? 0, '/', { agent })), askedAt, saidAt: performance.now() })
    }
    agent.destroy()
  })
  return {
    count: () => said.length,
    async stop() {
      going.abort()
      await Promise.all(callers)
      return said
    },
  }
}

async function oneGateway(own: Keep = keep): Promise<Gateway & { readonly admin: Gateway['admin']; readonly adminPort: number; readonly payments: number }> {
  const gateway = await openGateway(own, files)
  return { ...gateway, adminPort: gateway.port('admin'), payments: gateway.port('egress:payments') }
}

const moreThan = (count: () => number, before: number) => vi.waitFor(() => expect(count()).toBeGreaterThan(before), { timeout: patienceMs, interval: 2 })

describe('switching an egress service at run time', () => {
  it('sends every call that begins after the answer to the new target, under load from four callers, and loses none', async () => {
    const { adminPort, payments } = await oneGateway()
    const callers = load(payments)
    await moreThan(callers.count, 50)
    const { status, said } = await ask({ admin: adminPort, body: { environment: 'test' } })
    const switchedAt = performance.now()
    expect([status, said['switched'], said['before'], said['after']]).toEqual([200, true, 'as the policies say', 'test'])
    await moreThan(callers.count, callers.count() + 50)
    const all = await callers.stop()
    expect(all.every(({ status: code }) => code === 200)).toBe(true)
    const after = all.filter(({ askedAt }) => askedAt > switchedAt)
    expect(after.length).toBeGreaterThan(40)
    expect(new Set(after.map(({ body, revision, environment }) => `${body} ${revision} ${environment}`))).toEqual(
      new Set([`staging ${String(said['revision'])} test`]),
    )
    expect(new Set(all.filter(({ body }) => body === 'sandbox').map(({ revision }) => revision)).size).toBe(1)
  })

  it('lets a call in flight finish on the old target, and says so before it is over', async () => {
    const { adminPort, payments } = await oneGateway()
    held = []
    const before = call(payments, '/held')
    await vi.waitFor(() => expect(held).toHaveLength(1))
    expect((await ask({ admin: adminPort, body: { environment: 'test' } })).said).toMatchObject({ switched: true, inFlight: 1 })
    expect((await call(payments)).body).toBe('staging')
    held[0]?.end('finished')
    expect(await before).toMatchObject({ status: 200, body: 'finished', environment: 'dev' })
  })

  it('leaves a call alone that chooses for itself, and goes back when it is told to', async () => {
    const { adminPort, payments } = await oneGateway()
    const first = await call(payments)
    await ask({ admin: adminPort, body: { environment: 'test' } })
    expect((await call(payments, '/', { headers: { 'x-egress-env': 'dev' } })).body).toBe('sandbox')
    expect((await ask({ admin: adminPort, body: { back: true } })).said).toMatchObject({ switched: true, before: 'test', after: 'as the policies say' })
    expect(await call(payments)).toEqual(first)
    expect(await ask({ admin: adminPort, body: { back: true } })).toMatchObject({ status: 409, said: { code: 'not_switched' } })
  })

  it('refuses what is beyond the ceiling, has no target, is unknown, was not looked at or comes from a web page, and changes nothing', async () => {
    const { adminPort: admin, payments } = await oneGateway()
    const cases: readonly (readonly [Omit<Asked, 'admin'>, number, string])[] = [
      [{ body: { environment: 'prod' } }, 409, 'env_ceiling'],
      [{ body: { environment: 'nowhere' } }, 409, 'env_ceiling'],
      [{ body: { environment: 'staging' } }, 409, 'no_target_for_env'],
      [{ body: { environment: 'test' }, service: 'other' }, 404, 'service_unknown'],
      [{ body: { environment: 'test' }, service: '__proto__' }, 404, 'service_unknown'],
      [{ body: { environment: 'test' }, headers: { 'if-match': '"0123456789abcdef"' } }, 412, 'revision_changed'],
      [{ body: { environment: 'test' }, headers: { 'if-match': '' } }, 428, 'revision_required'],
      [{ body: { environment: 'test' }, headers: { 'if-match': '*' } }, 428, 'revision_required'],
      [{ body: { environment: 'test' }, headers: { origin: 'http://localhost' } }, 403, 'forbidden'],
      [{ body: { environment: 'test' }, headers: { 'sec-fetch-site': 'same-origin' } }, 403, 'forbidden'],
      [{ body: { environment: 'test' }, headers: { 'content-type': 'text/plain' } }, 415, 'media_type_unsupported'],
      [{ body: { environment: 'test', reason: '' } }, 400, 'request_invalid'],
      [{ body: { environment: 'test', ttl: '8d' } }, 400, 'request_invalid'],
      [{ body: { environment: 'test', tll: '1h' } }, 400, 'request_invalid'],
      [{ body: {} }, 400, 'request_invalid'],
      [{ body: { environment: 'test', back: true } }, 400, 'request_invalid'],
    ]
    for (const [asked, status, code] of cases) expect({ asked, ...(await ask({ admin, ...asked })) }).toMatchObject({ asked, status, said: { code } })
    expect((await call(payments)).body).toBe('sandbox')
  })

  it('says in the journal who, why, what before and what after, of refusals too', async () => {
    const { adminPort, entry } = await oneGateway()
    await ask({ admin: adminPort, body: { environment: 'prod', reason: 'by mistake' } })
    const { said } = await ask({ admin: adminPort, body: { environment: 'test', reason: 'vendor migration', ttl: '1h' } })
    expect(await entry((one) => one['event'] === 'egress_switch' && one['outcome'] === 'env_ceiling')).toMatchObject({
      by: 'ada',
      reason: 'by mistake',
      wanted: 'prod',
    })
    expect(await entry((one) => one['event'] === 'egress_switch' && one['outcome'] === 'switched')).toMatchObject({
      by: 'ada',
      reason: 'vendor migration',
      from: '127.0.0.1',
      service: 'payments',
      before: 'as the policies say',
      after: 'test',
      revision: said['revision'],
      ttl_ms: 3_600_000,
    })
  })

  it('tries without doing it, and reverts by itself when its time is over', async () => {
    const { adminPort, payments, entry } = await oneGateway()
    expect((await ask({ admin: adminPort, body: { environment: 'test', dryRun: true } })).said).toMatchObject({ switched: false, dryRun: true, after: 'test' })
    expect((await call(payments)).body).toBe('sandbox')
    await ask({ admin: adminPort, body: { environment: 'test', ttl: '1s' } })
    expect((await call(payments)).body).toBe('staging')
    expect(await entry((one) => one['event'] === 'egress_switch' && one['by'] === 'ttl')).toMatchObject({ before: 'test', after: 'as the policies say' })
    expect((await call(payments)).body).toBe('sandbox')
  })

  it('outlives a reload, and refuses calls while the policies have no target for it', async () => {
    const { adminPort, payments, policies: folder, running } = await oneGateway(keep)
    await ask({ admin: adminPort, body: { environment: 'test' } })
    await folder.write('house.yaml', policies('\n    timeout: { total: 9s }'))
    expect((await running.reload()).outcome).toBe('published')
    const switched = await call(payments)
    expect(switched).toMatchObject({ body: 'staging', environment: 'test' })
    expect((await running.reload()).outcome).not.toBe('failed')
    await folder.write('house.yaml', policies().replace(/\n {6}test: .*/, ''))
    expect((await running.reload()).outcome).toBe('published')
    expect((await call(payments)).status).toBe(503)
    await ask({ admin: adminPort, body: { back: true } })
    expect((await call(payments)).body).toBe('sandbox')
  })
})

describe.skipIf(!hasRedis())('switching on several replicas around one Redis', () => {
  const prefix = 'sallyport:egress.switch:dev:'
  const open = (url: string) => openGateway(keep, files, { flags: { redis: url } })
  const payments = (gateway: Gateway) => gateway.port('egress:payments')

  async function redis(): Promise<RedisServer> {
    const server = await startRedis()
    keep(() => server.close())
    return server
  }

  it('moves all of them at one moment, so that no caller sees the old target after anybody saw the new one', { timeout: patienceMs }, async () => {
    const { url } = await redis()
    const gateways = [await open(url), await open(url), await open(url)]
    const [first, second] = gateways as [Gateway, Gateway]
    const callers = load(...gateways.map(payments))
    await moreThan(callers.count, 50)
    const { said } = await insist({ admin: first.port('admin'), body: { environment: 'test' } }, { said: { switched: true, replicas: 3, waiting: [] } })
    const switchedAt = performance.now()
    await moreThan(callers.count, callers.count() + 50)
    const there = await callers.stop()
    expect(there.every(({ status }) => status === 200)).toBe(true)
    expect(new Set(there.filter(({ askedAt }) => askedAt > switchedAt).map(({ body, revision }) => `${body} ${String(revision)}`))).toEqual(
      new Set([`staging ${String(said['revision'])}`]),
    )
    expect(stepsBack(there, 'staging')).toEqual([])
    // Back, by another one; and one that comes later knows.
    const late = await open(url)
    expect((await call(payments(late))).body).toBe('staging')
    await insist({ admin: second.port('admin'), body: { back: true } }, { said: { switched: true, replicas: 4 } })
    for (const gateway of [...gateways, late]) expect((await call(payments(gateway))).body).toBe('sandbox')
  })

  it('moves a replica of several worker processes with one of a single process', { timeout: patienceMs }, async () => {
    const { url } = await redis()
    const single = await open(url)
    const several = await startServe(keep, files, 'dev', { words: ['--workers', '2', '--lame-duck', '0s', '--redis', url], patienceMs })
    const callers = load(payments(single), several.port('egress:payments'))
    await moreThan(callers.count, 20)
    await insist({ admin: several.port('admin'), body: { environment: 'test' } }, { said: { switched: true, replicas: 2, waiting: [] } })
    await moreThan(callers.count, callers.count() + 50)
    const there = await callers.stop()
    expect(there.every(({ status }) => status === 200)).toBe(true)
    expect(stepsBack(there, 'staging')).toEqual([])
    await insist({ admin: single.port('admin'), body: { back: true } }, { said: { switched: true, replicas: 2 } })
    expect((await call(several.port('egress:payments'))).body).toBe('sandbox')
  })

  it('changes nothing when one of them does not answer, or cannot', { timeout: patienceMs }, async () => {
    const { url, admin } = await redis()
    const [first, second] = [await open(url), await open(url)]
    await admin.set(`${prefix}slot:9`, 'ghost')
    await insist({ admin: first.port('admin'), body: { environment: 'test' } }, { status: 409, said: { code: 'replica_silent' } })
    for (const gateway of [first, second]) expect((await call(payments(gateway))).body).toBe('sandbox')
    await admin.del(`${prefix}slot:9`)
    await insist({ admin: first.port('admin'), body: { environment: 'test' } }, { said: { switched: true, replicas: 2 } })
  })

  it('goes on as before when whoever proposed has died while all held their calls', { timeout: patienceMs }, async () => {
    const { url, admin } = await redis()
    const gateway = await open(url)
    const one = { id: '00000000', service: 'payments', environment: 'test', by: 'ghost', reason: 'dies', at: Date.now() }
    const proposal = { epoch: 'e1', switches: [one], by: 'ghost' }
    const [member] = (await admin.mget(`${prefix}slot:0`)) as [string]
    await admin.set(`${prefix}proposal`, JSON.stringify({ ...proposal, phase: 'prepare' }))
    const says = (word: string) => vi.waitFor(async () => expect(await admin.get(`${prefix}word:e1:${member}`)).toBe(word), { timeout: patienceMs })
    await says('ready')
    await admin.set(`${prefix}proposal`, JSON.stringify({ ...proposal, phase: 'hold' }))
    await says('holding')
    expect((await call(payments(gateway))).body).toBe('sandbox')
    expect(await admin.exists(`${prefix}decide:e1`, `${prefix}proposal`)).toBe(1)
  })

  it('follows a decision that it heard of too late, and ends a switch in time although the store is gone', { timeout: patienceMs }, async () => {
    const server = await redis()
    const gateway = await open(server.url)
    const one = { id: '0000000a', service: 'payments', environment: 'test', by: 'ghost', reason: 'is elsewhere', at: Date.now(), endsAt: Date.now() + 4000 }
    await server.admin.set(`${prefix}current`, JSON.stringify({ epoch: 'e2', switches: [one] }))
    await vi.waitFor(async () => expect((await call(payments(gateway))).body).toBe('staging'), { timeout: patienceMs, interval: 20 })
    await server.kill()
    await vi.waitFor(async () => expect((await call(payments(gateway))).body).toBe('sandbox'), { timeout: patienceMs, interval: 20 })
    expect(await ask({ admin: gateway.port('admin'), body: { environment: 'test' } })).toMatchObject({ status: 503, said: { code: 'store_unavailable' } })
    await server.restart()
  })
})

/** Makes services of the gateway's own listeners, and calls each twice: the codes of the refusals. One elsewhere answers. */
async function callOwnListeners({ port: portOf, policies: folder }: Pick<Served, 'port' | 'policies'>): Promise<readonly string[]> {
  const loops = ['admin', 'egress', 'egress:payments'].map((listener, i) => ({ host: `loop-${i}.internal`, port: portOf(listener) }))
  const services = [...loops, { host: 'no-loop.internal', port: sandbox }].map(
    ({ host, port }, i) => `  loop-${i}: { host: ${host}, callers: [shop], environments: { dev: { target: "http://127.0.0.1:${port}", ${loopback} } } }`,
  )
  await folder.write('loops.yaml', ['sallyport: v1', 'egress:', ...services, ''].join('\n'))
  const ask = (host: string) => call(portOf('egress'), '/', { headers: { host } })
  await vi.waitFor(async () => expect(await ask('no-loop.internal')).toMatchObject({ status: 200, body: 'sandbox' }), { timeout: patienceMs, interval: 50 })
  const said: string[] = []
  for (const { host } of [...loops, ...loops]) said.push((await ask(host)).body)
  return said.map((body) => (JSON.parse(body) as { readonly code: string }).code)
}

it('never calls its own listeners, whatever port they were bound to', { timeout: patienceMs }, async () => {
  expect(await callOwnListeners(await openGateway(keep, files))).toEqual(Array(6).fill('address_denied'))
})

describe('sallyport egress switch', () => {
  let served: Served
  beforeAll(async () => {
    served = await startServe(keep, files, 'dev', { words: ['--workers', '2', '--lame-duck', '0s'], patienceMs })
  }, patienceMs)

  it('switches every worker process before it says so, shows it in the list, and switches back', { timeout: patienceMs }, async () => {
    const url = `http://127.0.0.1:${served.port('admin')}`
    const callers = load(served.port('egress:payments'))
    await moreThan(callers.count, 50)
    const dry = await sallyport(['egress', 'switch', 'payments', '--env', 'test', '--reason', 'trial', '--dry-run', '--admin', url])
    expect([dry.status, dry.out]).toEqual([0, expect.stringContaining('Would switch payments: as the policies say → test')])
    const done = await sallyport([
      'egress',
      'switch',
      'payments',
      '--env',
      'test',
      '--reason',
      'vendor migration',
      '--by',
      'ada',
      '--ttl',
      '1h',
      '--admin',
      url,
    ])
    const switchedAt = performance.now()
    expect([done.status, done.out]).toEqual([
      0,
      expect.stringMatching(/^Switched payments: as the policies say → test, until .*Revision [0-9a-f]{16}\.[0-9a-f]{8}, on 1 gateway\./),
    ])
    await moreThan(callers.count, callers.count() + 100)
    const all = await callers.stop()
    const after = all.filter(({ askedAt }) => askedAt > switchedAt)
    expect(new Set(after.map(({ body }) => body))).toEqual(new Set(['staging']))
    expect(stepsBack(all, 'staging')).toEqual([])
    expect(all.every(({ status }) => status === 200)).toBe(true)
    const list = await sallyport(['egress', 'list', '--admin', url])
    expect(list.out).toMatch(/payments +test +live .* qa, shop +here, by ada until .*: vendor migration/)
    const explain = (env: string) =>
      sallyport(['egress', 'explain', 'payments', 'GET', '/', '--caller', 'shop', '--policies', served.policies.path, '--env', env, '--admin', url])
    expect((await explain('dev')).out).toMatch(/^ok +environment +test, chosen by the switch$/m)
    expect(await explain('test')).toMatchObject({ status: 1, err: expect.stringContaining('runs in dev') })
    const refused = await sallyport(['egress', 'switch', 'payments', '--env', 'prod', '--reason', 'no', '--admin', url])
    expect([refused.status, refused.err]).toEqual([1, expect.stringContaining('production is out of reach from a nonprod process')])
    expect((await sallyport(['egress', 'switch', 'payments', '--back', '--reason', 'over', '--admin', url])).status).toBe(0)
    expect((await call(served.port('egress:payments'))).body).toBe('sandbox')
  })

  it('drains the tunnels of every worker process', { timeout: patienceMs }, async () => {
    const hello = await realHello({ host: '127.0.0.1' })
    const open = async () => {
      const socket = connect({ port: served.port('egress'), host: '127.0.0.1' }).on('error', () => {})
      keep(() => void socket.destroy())
      socket.write(`CONNECT 127.0.0.1:${echo} HTTP/1.1\r\nHost: 127.0.0.1:${echo}\r\n\r\n`)
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /)
      socket.write(hello)
      expect((await once(socket, 'data'))[0]).toEqual(hello)
      return { ended: once(socket, 'end') }
    }
    const tunnels = await Promise.all([open(), open(), open(), open()])
    const url = `http://127.0.0.1:${served.port('admin')}`
    expect((await sallyport(['egress', 'switch', 'tunnelled', '--env', 'test', '--reason', 'over', '--admin', url])).status).toBe(0)
    await Promise.all(tunnels.map(({ ended }) => ended))
    // New connections go to the workers in turn: each had two.
    const drained = () => served.journal().filter((line) => line['kind'] === 'stream' && line['outcome'] === 'drained')
    await vi.waitFor(() => expect(drained()).toHaveLength(4), { timeout: patienceMs, interval: 20 })
  })

  it('never calls its own listeners, in whatever process and on whatever port they were bound', { timeout: patienceMs }, async () => {
    expect(await callOwnListeners(served)).toEqual(Array(6).fill('address_denied'))
    const reasons = () => served.journal().filter((line) => JSON.stringify(line).includes('is one of our own listeners'))
    await vi.waitFor(() => expect(reasons()).toHaveLength(6), { timeout: patienceMs, interval: 20 })
  })

  it('asks for a service, a place and a reason', async () => {
    for (const words of [[], ['payments'], ['payments', '--env', 'test'], ['payments', '--env', 'test', '--back', '--reason', 'x']])
      expect((await sallyport(['egress', 'switch', ...words])).status).toBe(2)
  })
})
