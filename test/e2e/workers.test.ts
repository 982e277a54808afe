import { Agent, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { type Served, sallyportProcess, signalGroup, startServe } from '../support/command.ts'
import { policiesFolder } from '../support/gateway.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openHttp, openOrders, shopDescriptors } from '../support/shop.ts'

const keep = untilTheEnd()
const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
/** Several processes start at once, on a machine that has other things to do. */
const patienceMs = 60_000

/** Answers of the service that wait to be let go. */
let held: ServerResponse[] = []
let files: Readonly<Record<string, string | Buffer>>

beforeAll(async () => {
  const web = await openHttp(keep, (request, response) => {
    if (request.url?.startsWith('/held') === true) held.push(response)
    else setTimeout(() => response.end('web'), 5)
  })
  const orders = await openOrders(keep)
  files = {
    'house.yaml': house,
    'shop.binpb': shopDescriptors,
    'shop.yaml': `sallyport: v1
limits:
  few: { rate: 100/1h, key: [client.network] }
  places: { concurrent: 8, key: [client.network] }
clusters:
  web: { sidecar: none, address: "127.0.0.1:${web}" }
  orders: { sidecar: none, protocol: grpc, address: "127.0.0.1:${orders.port}", descriptors: shop.binpb }
routes:
  few: { match: { path: /few }, ${anyone}, limits: [few], to: web }
  held: { match: { path: /held }, ${anyone}, limits: [places], timeout: 60s, to: web }
  web: { match: { path: /web }, ${anyone}, to: web }
  orders: { match: { grpc: shop.v1.Orders }, ${anyone}, timeout: 30s, to: orders }
`,
  }
})

const serve = (workers: number, words: readonly string[] = ['--lame-duck', '0s']): Promise<Served> =>
  startServe(keep, files, 'dev', { words: ['--workers', String(workers), ...words], patienceMs })

/** One request over a connection of its own: its status, or why there is none. */
function ask(served: Served, path: string, agent: Agent | false = false): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = get({ port: served.port('public'), host: '127.0.0.1', path, agent }, (answer: IncomingMessage) => {
      answer.resume()
      answer.once('close', () => resolve(answer.complete ? (answer.statusCode ?? 0) : 'half an answer'))
    })
    sent.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

async function tally(asked: readonly Promise<number | string>[]): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {}
  for (const status of await Promise.all(asked)) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

const admin = async (served: Served, path: string): Promise<string> => (await fetch(`http://127.0.0.1:${served.port('admin')}${path}`)).text()
const started = (served: Served) => served.journal().filter((line) => line['event'] === 'worker_started')
const heldSoFar = (count: number) => vi.waitFor(() => expect(held).toHaveLength(count), { timeout: patienceMs, interval: 5 })
const letGo = () => {
  for (const response of held) response.end('held')
  held = []
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function ended(served: Served) {
  served.child.kill('SIGTERM')
  return (await served.ended).status
}

describe('four worker processes', { timeout: 180_000 }, () => {
  let served: Served
  beforeAll(async () => {
    served = await serve(4)
  }, patienceMs)

  it('share one port, and one count in memory: of 400 requests at once exactly 100 pass', async () => {
    expect(served.port('public')).toBeGreaterThan(0)
    expect(served.journal().filter((line) => line['event'] === 'listening')).toHaveLength(3)
    expect(await tally(Array.from({ length: 400 }, () => ask(served, '/few')))).toEqual({ 200: 100, 429: 300 })
  })

  it('speak as one on the admin listener, and write whole lines', async () => {
    const metrics = await admin(served, '/metrics')
    expect(metrics).toContain('sallyport_requests_total{wing="ingress",route="few",method="GET",status="200"} 100\n')
    expect(metrics).toContain('sallyport_requests_total{wing="ingress",route="few",method="GET",status="429"} 300\n')
    expect(metrics).toContain('sallyport_request_duration_seconds_count{wing="ingress",route="few"} 400\n')
    expect(metrics.match(/^sallyport_policy_revision_info/gm)).toHaveLength(1)
    expect(JSON.parse(await admin(served, '/readyz'))).toMatchObject({ status: 'ready', workers: { wanted: 4, serving: 4 } })
    expect(await admin(served, '/')).toContain('4 of 4')
    await vi.waitFor(() => expect(served.journal().filter((line) => line['route'] === 'few')).toHaveLength(400), { timeout: 10_000 })
  })

  it('lose with one of them that is killed only what it had under way, and its places are free', async () => {
    const asked: Promise<number | string>[] = []
    // One after the other, so that each worker has some.
    for (let i = 1; i <= 8; i++) {
      asked.push(ask(served, '/held'))
      await heldSoFar(i)
    }
    expect(await ask(served, '/held')).toBe(429)
    const [first] = started(served)
    process.kill(Number(first?.['pid']), 'SIGKILL')
    await served.entry((line) => line['event'] === 'worker_ended' && line['pid'] === first?.['pid'] && line['how'] === 'SIGKILL')
    const again = Array.from({ length: 8 }, () => ask(served, '/held'))
    let refused = 0
    for (const one of again) void one.then((status) => (refused += status === 429 ? 1 : 0))
    await vi.waitFor(() => expect(held.length + refused).toBe(16), { timeout: patienceMs, interval: 5 })
    const lost = 8 - refused
    letGo()
    expect(lost).toBeGreaterThan(0)
    expect(await tally(again)).toEqual({ 200: lost, 429: refused })
    expect(await tally(asked)).toEqual({ 200: 8 - lost, ECONNRESET: lost })
    await vi.waitFor(() => expect(started(served)).toHaveLength(5), { timeout: patienceMs })
    // What it had counted is not lost.
    expect(await admin(served, '/metrics')).toContain('route="few",method="GET",status="429"} 300\n')
    expect(await tally(Array.from({ length: 40 }, () => ask(served, '/few')))).toEqual({ 429: 40 })
    expect(JSON.parse(await admin(served, '/readyz'))).toMatchObject({ workers: { wanted: 4, serving: 4 } })
  })

  it('end when they are told to, with status 0', async () => {
    expect(await ended(served)).toBe(0)
    expect(served.journal().at(-1)).toMatchObject({ event: 'stopped' })
    expect(served.journal().filter((line) => line['event'] === 'stopped')).toHaveLength(1)
  })
})

describe('two worker processes', { timeout: 180_000 }, () => {
  /** Asks on and on until told to stop, over connections that are kept. */
  const load = (served: Served, stop: AbortSignal) => {
    const counts: Record<string, number> = {}
    const client = async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      keep(() => agent.destroy())
      while (!stop.aborted) {
        const status = await ask(served, '/web', agent)
        counts[status] = (counts[status] ?? 0) + 1
      }
    }
    return { counts, done: Promise.all([client(), client(), client(), client()]) }
  }

  it('take new policies all or none, no request fails meanwhile; and they end with their primary', async () => {
    const served = await serve(2)
    const stop = new AbortController()
    const { counts, done } = load(served, stop.signal)
    const shop = String(files['shop.yaml'])
    for (let i = 1; i <= 4; i++) {
      await served.policies.write('shop.yaml', shop.replace('path: /few', `path: /few-${i}`))
      served.child.kill('SIGHUP')
      await vi.waitFor(() => expect(served.journal().filter((line) => line['event'] === 'policy_published')).toHaveLength(i), { timeout: 20_000 })
      // New connections go to both.
      expect(await tally(Array.from({ length: 4 }, () => ask(served, `/few-${i}`)))).toEqual({ 200: 4 })
    }
    const port = createServer()
    await new Promise<void>((resolve) => void port.listen(0, '127.0.0.1', resolve))
    keep(() => void port.close())
    const { port: taken } = port.address() as { readonly port: number }
    await served.policies.write('house.yaml', house.replace('egress: { address: "127.0.0.1:0" }', `egress: { address: "127.0.0.1:${taken}" }`))
    await served.policies.write('shop.yaml', shop)
    served.child.kill('SIGHUP')
    await served.entry((line) => line['event'] === 'policy_diagnostic' && line['code'] === 'listener_unavailable')
    expect(await tally(Array.from({ length: 4 }, () => ask(served, '/few-4')))).toEqual({ 200: 4 })
    expect(JSON.parse(await admin(served, '/readyz'))).toMatchObject({ status: 'ready', lastLoad: { outcome: 'failed' } })
    stop.abort()
    await done
    expect(Object.keys(counts)).toEqual(['200'])
    expect(counts['200']).toBeGreaterThan(50)
    const pids = started(served).map((line) => Number(line['pid']))
    expect(pids.map(isAlive)).toEqual([true, true])
    served.child.kill('SIGKILL')
    await vi.waitFor(() => expect(pids.map(isAlive)).toEqual([false, false]), { timeout: 20_000 })
  })

  it('drain when the whole group is told to stop: neither requests nor a stream are cut', async () => {
    const served = await serve(2, ['--lame-duck', '1s', '--drain', '20s'])
    const stop = new AbortController()
    const { counts, done } = load(served, stop.signal)
    const stream = ask(served, '/v1/orders:watch?count=60&interval_ms=50')
    await vi.waitFor(() => expect(counts['200']).toBeGreaterThan(20), { timeout: 20_000 })
    signalGroup(served.child, 'SIGTERM')
    await served.entry((line) => line['event'] === 'stopping')
    expect((await fetch(`http://127.0.0.1:${served.port('admin')}/readyz`)).status).toBe(503)
    const told = counts['200'] ?? 0
    await vi.waitFor(() => expect(counts['200']).toBeGreaterThan(told + 10), { timeout: 10_000, interval: 5 })
    stop.abort()
    await done
    expect(Object.keys(counts)).toEqual(['200'])
    expect(await stream).toBe(200)
    expect((await served.ended).status).toBe(0)
    expect(served.journal().at(-1)).toMatchObject({ event: 'stopped' })
  })

  it('are given up when one ends young again and again: status 1, and the reason', async () => {
    const served = await serve(2)
    const killed = new Set<unknown>()
    const over = served.ended.then(() => true)
    while (!(await Promise.race([over, new Promise<false>((resolve) => void setTimeout(() => resolve(false), 20))]))) {
      for (const line of started(served)) {
        if (line['worker'] !== 0 || killed.has(line['pid'])) continue
        killed.add(line['pid'])
        process.kill(Number(line['pid']), 'SIGKILL')
      }
    }
    const { status, err } = await served.ended
    expect([status, killed.size]).toEqual([1, 6])
    expect(err).toMatch(/^Sallyport ends: worker 0 ended 6 times in a row, each within 10 s of its start, the last time \(process \d+\) by SIGKILL\n$/)
    expect(served.journal().flatMap((line) => (line['event'] === 'worker_ended' ? [line['again_ms']] : []))).toEqual([0, 200, 400, 800, 1600])
  })

  it('do not start where an address is taken: it is said once, with status 1', async () => {
    const port = createServer()
    await new Promise<void>((resolve) => void port.listen(0, '127.0.0.1', resolve))
    keep(() => void port.close())
    const { port: taken } = port.address() as { readonly port: number }
    const { path } = await policiesFolder(keep, {
      ...files,
      'house.yaml': house.replace('public: { address: "127.0.0.1:0" }', `public: { address: "127.0.0.1:${taken}" }`),
    })
    const { status, out, err } = await sallyportProcess(['serve', '--env', 'dev', '--policies', path, '--workers', '2', '--log-format', 'json'])
    expect([status, err]).toEqual([1, `Sallyport did not start: listener public cannot be bound to 127.0.0.1:${taken}: EADDRINUSE.\n`])
    expect(out.match(/start_failed/g)).toHaveLength(1)
    expect(out).toContain('"code":"listener_unavailable"')
  })
})
