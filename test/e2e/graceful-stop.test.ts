import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Served, startServe } from '../support/command.ts'
import { untilTheEnd } from '../support/keep.ts'
import { house, openHttp, openOrders, shopDescriptors, type WatchedOrders } from '../support/shop.ts'

const keep = untilTheEnd()
const anyone = 'access: { rules: [{ id: all, allow: { anonymous: true } }] }'
let orders: WatchedOrders
let files: Readonly<Record<string, string | Buffer>>

beforeAll(async () => {
  orders = await openOrders(keep)
  // Every answer takes a while, so that at any moment some are under way.
  const web = await openHttp(keep, (_, response) => void setTimeout(() => response.end('web'), 15))
  files = {
    'house.yaml': house,
    'shop.binpb': shopDescriptors,
    'shop.yaml': `sallyport: v1
clusters:
  orders: { protocol: grpc, address: "127.0.0.1:${orders.port}", descriptors: shop.binpb }
  web: { address: "127.0.0.1:${web}" }
routes:
  orders: { match: { grpc: shop.v1.Orders }, ${anyone}, timeout: 20s, to: orders }
  web: { match: { path: /web }, ${anyone}, timeout: 5s, to: web }
`,
  }
})

/** What became of the requests of all clients. */
interface Tally {
  served: number
  readonly failed: unknown[]
}

type Client = (port: number, tally: Tally, stop: AbortSignal) => Promise<void>

/** Asks again and again over one connection, and over a new one when the answer says so. */
const overHttp1: Client = async (port, tally, stop) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  keep(() => agent.destroy())
  while (!stop.aborted) {
    const text = await new Promise<string>((resolve, reject) => {
      const sent = request({ port, host: '127.0.0.1', path: '/web', agent }, (answer) => void readAll(answer).then(resolve, reject))
      sent.on('error', reject).end()
    }).catch((error: unknown) => error)
    if (text === 'web') tally.served += 1
    else tally.failed.push(text)
  }
}

async function readAll(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of answer.setEncoding('utf8')) text += String(part)
  if (!answer.complete) throw new Error('half an answer')
  return text
}

/** The same over HTTP/2: a new connection only after the old one was told to go away. */
const overHttp2: Client = async (port, tally, stop) => {
  while (!stop.aborted) {
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    const closed = new Promise<void>((resolve) => void session.once('close', resolve))
    session.on('error', (error) => tally.failed.push(error))
    while (!stop.aborted && !session.closed && !session.destroyed) {
      const stream = session.request({ ':path': '/web' })
      let text = ''
      stream.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      const error = await new Promise<unknown>((resolve) => {
        stream.on('error', resolve)
        stream.on('close', () => resolve(undefined))
      })
      if (error === undefined && text === 'web') tally.served += 1
      else tally.failed.push(error ?? text)
    }
    session.close()
    await closed
  }
}

/** An NDJSON stream: its text so far, and whether it ended whole. */
async function openStream(port: number, path: string) {
  const sent = request({ port, host: '127.0.0.1', path, agent: false }).end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  const first = once(answer, 'data')
  const whole = readAll(answer)
  whole.catch(() => {}) // whoever is interested waits for it
  await first
  return { whole }
}

const serve = (words: readonly string[]): Promise<Served> => startServe(keep, files, 'dev', { words })
const readiness = async (served: Served): Promise<number> => (await fetch(`http://127.0.0.1:${served.port('admin')}/readyz`)).status

describe('sallyport serve, told to stop', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('by %s while requests and a stream are under way: none fails, exit status 0', async (signal) => {
    const served = await serve(['--lame-duck', '1200ms', '--drain', '10s'])
    const port = served.port('public')
    const tally: Tally = { served: 0, failed: [] }
    const stop = new AbortController()
    const clients = [overHttp1, overHttp1, overHttp1, overHttp1, overHttp2, overHttp2].map((client) => client(port, tally, stop.signal))
    const { whole } = await openStream(port, '/v1/orders:watch?count=100&interval_ms=15')
    await expect.poll(() => tally.served, { timeout: 5000, interval: 5 }).toBeGreaterThan(30)

    served.child.kill(signal)
    await served.entry((line) => line['event'] === 'stopping')
    // Whoever balances load is told first. Until it has noticed, requests come and are served, over new connections too.
    expect(await readiness(served)).toBe(503)
    const told = tally.served
    await expect.poll(() => tally.served, { timeout: 5000, interval: 1 }).toBeGreaterThan(told + 24)
    stop.abort()
    await Promise.all(clients)
    expect(tally.failed).toEqual([])

    const lines = (await whole).trimEnd().split('\n')
    expect(lines).toHaveLength(100)
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ sequence: '100' })
    const { status, err } = await served.ended
    expect([status, err]).toEqual([0, ''])
    const journal = served.journal()
    expect(journal.filter((line) => line['kind'] === 'request' && line['status'] !== 200)).toEqual([])
    expect(journal.filter((line) => line['kind'] === 'request')).toHaveLength(tally.served + 1)
    expect(journal.at(-1)).toMatchObject({ event: 'stopped' })
  })

  it('a second time, cuts what is left and ends at once', async () => {
    const served = await serve(['--lame-duck', '20s', '--drain', '20s'])
    const before = orders.calls.length
    const { whole } = await openStream(served.port('public'), '/v1/orders:watch?interval_ms=20')
    const call = await orders.call(before)
    served.child.kill('SIGTERM')
    await served.entry((line) => line['event'] === 'stopping')
    const second = performance.now()
    served.child.kill('SIGTERM')
    expect((await served.ended).status).toBe(0)
    expect(performance.now() - second).toBeLessThan(2000)
    await expect(whole).rejects.toThrow(/aborted|reset|half/)
    await call.cancelled
  })
})

describe('sallyport serve, told to reload', () => {
  it('by SIGHUP: it looks at the policies at once', async () => {
    const served = await serve(['--lame-duck', '0s'])
    const at = async () => (await fetch(`http://127.0.0.1:${served.port('public')}/elsewhere`)).status
    expect(await at()).toBe(404)
    // The watch waits for a pause, and this folder does not pause: what happens, the signal has done.
    const noise = setInterval(() => void writeFile(join(served.policies.path, '.noise'), ''), 15)
    keep(() => clearInterval(noise))
    await served.policies.write('shop.yaml', String(files['shop.yaml']).replace('path: /web', 'path: /elsewhere'))
    served.child.kill('SIGHUP')
    await served.entry((line) => line['event'] === 'policy_published')
    expect(await at()).toBe(200)
    clearInterval(noise)
    served.child.kill('SIGTERM')
    expect((await served.ended).status).toBe(0)
  })
})
