import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { type FaultyEndpoint, startFaultyEndpoint } from '../test/support/faulty-endpoint.ts'
import { freePort } from '../test/support/redis.ts'
import { openChildren } from './harness/children.ts'
import { columns } from './report/table.ts'

/*
 * One of two endpoints fails under load, each fault in turn: how many idempotent requests fail, how long until the endpoint is ejected and until it
 * is back, and how long requests take meanwhile. Gateway and endpoints are processes of their own.
 * `node bench/endpoints.ts [--requests 10000] [--concurrency 16] [--balance round_robin]`; exit status 1 when a request failed that should not have.
 */

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    concurrency: { type: 'string', default: '16' },
    balance: { type: 'string', default: 'round_robin' },
  },
})
const [requests, concurrency] = [Number(values.requests), Number(values.concurrency)]

interface Fault {
  readonly name: string
  /**
   * How requests may end that fell to it before it was ejected: half an answer that flows cannot be asked for again. Undefined: none may fail.
   */
  readonly mayEnd: 'broken' | undefined
  harm(end: FaultyEndpoint): Promise<void> | void
  heal(end: FaultyEndpoint): Promise<void> | void
}

const faults: readonly Fault[] = [
  { name: 'killed', mayEnd: undefined, harm: (end) => end.kill(), heal: (end) => end.restart() },
  { name: 'frozen', mayEnd: undefined, harm: (end) => end.freeze(), heal: (end) => end.thaw() },
  { name: 'restarted', mayEnd: undefined, harm: (end) => end.restart(), heal: () => {} },
  { name: 'answers 503', mayEnd: undefined, harm: (end) => end.say('503'), heal: (end) => end.say('ok') },
  { name: 'resets in mid-body', mayEnd: 'broken', harm: (end) => end.say('cut'), heal: (end) => end.say('ok') },
]

interface Sample {
  readonly word: '200' | 'LIE' | 'broken' | `${number}`
  readonly at: number
  readonly tookMs: number
}

async function ask(agent: Agent, url: string): Promise<Sample> {
  const at = performance.now()
  const word = await wordOf(agent, url)
  return { word, at, tookMs: performance.now() - at }
}

async function wordOf(agent: Agent, url: string): Promise<Sample['word']> {
  try {
    const answer = await request(url, { dispatcher: agent })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) return `${answer.statusCode}`
    return text.endsWith(' whole') ? '200' : 'LIE'
  } catch {
    return 'broken'
  }
}

const policy = (port: number, admin: number, ends: readonly FaultyEndpoint[]) => ({
  sallyport: 'v1',
  environments: { dev: { class: 'nonprod' } },
  listeners: { public: { address: `127.0.0.1:${port}` }, admin: { address: `127.0.0.1:${admin}` } },
  clusters: {
    web: { endpoints: { static: ends.map((end) => `127.0.0.1:${end.port}`) }, balance: values.balance, outlier: { ejectFor: '1s', maxEjectFor: '2s' } },
  },
  routes: {
    web: {
      match: { path: '/{**}' },
      access: { rules: [{ id: 'all', allow: { anonymous: true } }] },
      timeout: '2s',
      retry: { attempts: 3, budget: '100%' },
      to: 'web',
    },
  },
})

async function run(fault: Fault): Promise<{ readonly cells: readonly string[]; readonly failed: boolean }> {
  const children = openChildren()
  const ends = await Promise.all([startFaultyEndpoint(), startFaultyEndpoint()])
  const [victim] = ends
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-endpoints-'))
  const agent = new Agent({ connections: concurrency })
  try {
    const [port, admin] = [await freePort(), await freePort()]
    await writeFile(join(folder, 'a.json'), JSON.stringify(policy(port, admin, ends)))
    const program = fileURLToPath(new URL('../src/node/cli/main.ts', import.meta.url))
    children.spawn(
      process.execPath,
      [program, 'serve', '--policies', folder, '--env', 'dev', '--strict', '--log-to', '/dev/null', '--log-format', 'json'],
      undefined,
    )
    const url = `http://127.0.0.1:${port}/x`
    while ((await wordOf(agent, url)) !== '200') await pause(50)
    const health = async () => {
      const answer = await request(`http://127.0.0.1:${admin}/endpoints`)
      const { endpoints } = (await answer.body.json()) as { endpoints: { endpoint: string; health: string }[] }
      return endpoints.find(({ endpoint }) => endpoint.endsWith(`:${victim.port}`))?.health
    }
    const samples: Sample[] = []
    const over = new AbortController()
    const load = Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (!over.signal.aborted) samples.push(await ask(agent, url))
      }),
    )
    const until = async (wanted: string, most: number): Promise<number> => {
      const begun = performance.now()
      while (performance.now() - begun < most && (await health()) !== wanted) await pause(10)
      return performance.now() - begun
    }
    while (samples.length < requests / 4) await pause(20)
    const control = samples.splice(0)
    const harmedAt = performance.now()
    await fault.harm(victim)
    const ejectedMs = fault.name === 'restarted' ? undefined : await until('ejected', 20_000)
    const ejectedAt = performance.now()
    while (samples.length < requests) await pause(20)
    const healedAt = performance.now()
    await fault.heal(victim)
    const backMs = await until('healthy', 20_000)
    over.abort()
    await load
    const bad = samples.filter(({ word }) => word !== '200')
    const meanwhile = samples.filter(({ at }) => at > ejectedAt && at < healedAt)
    const count = (word: string) => bad.filter((one) => one.word === word).length
    const failed = bad.some(({ word }) => word !== fault.mayEnd)
    const cells = [
      fault.name,
      `${bad.length} of ${samples.length}`,
      `${count('LIE')}`,
      ejectedMs === undefined ? '-' : `${Math.round(ejectedAt - harmedAt)} ms`,
      `${Math.round(backMs)} ms`,
      `${p99(control)} ms`,
      `${p99(meanwhile)} ms`,
    ]
    return { cells, failed }
  } finally {
    await agent.destroy()
    await children.closeAll()
    for (const end of ends) await end.close()
    await rm(folder, { recursive: true, force: true })
  }
}

function p99(samples: readonly Sample[]): string {
  const times = samples.map(({ tookMs }) => tookMs).sort((a, b) => a - b)
  return (times[Math.floor(times.length * 0.99)] ?? 0).toFixed(1)
}

const rows: (readonly string[])[] = [['one of two is', 'failed', 'look whole', 'ejected after', 'back after', 'p99 before', 'p99 while out']]
for (const fault of faults) {
  const { cells, failed } = await run(fault)
  rows.push(cells)
  if (failed) process.exitCode = 1
}
console.log(columns(rows))
