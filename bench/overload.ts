import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { freePort } from '../test/support/redis.ts'
import { openChildren } from './harness/children.ts'
import { percentile, spreadOf } from './report/statistics.ts'
import { columns } from './report/table.ts'

/*
 * Three times what a service can do, at random moments from callers who give up after a second, and then a service that slows to a crawl and comes back:
 * what comes of it without protection, and with `concurrency: adaptive`. Gateway and service are processes of their own. `node bench/overload.ts [--rounds 3]`;
 * exit status 1 when, with it, less than 80 % of what the service can do gets done under overload (the median of the rounds), when the crawling service
 * is not spared, or when it does not come back.
 */
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } })
const rounds = Number(values.rounds)

/** What the service can do, requests per second. */
const capacity = 100
const patienceMs = 1_000

const policy = (port: number, service: number, adaptive: boolean) => ({
  sallyport: 'v1',
  environments: { dev: { class: 'nonprod' } },
  listeners: { public: { address: `127.0.0.1:${port}` } },
  clusters: { web: { address: `127.0.0.1:${service}`, caps: { requests: 100_000 }, outlier: 'off', ...(adaptive ? { concurrency: 'adaptive' } : {}) } },
  routes: { web: { match: { path: '/{**}' }, access: { rules: [{ id: 'all', allow: { anonymous: true } }] }, timeout: '1s', to: 'web' } },
})

interface Counts {
  good: number
  refused: number
  late: number
  readonly refusedMs: number[]
}

async function load(agent: Agent, url: string, rate: number, forMs: number): Promise<Counts & { readonly perSecond: number }> {
  const counts: Counts = { good: 0, refused: 0, late: 0, refusedMs: [] }
  const running = new Set<Promise<void>>()
  const ask = async () => {
    const begun = performance.now()
    try {
      const answer = await request(url, { dispatcher: agent })
      await answer.body.dump()
      const tookMs = performance.now() - begun
      if (answer.statusCode === 200 && tookMs <= patienceMs * 1.1) counts.good += 1
      else if (answer.statusCode === 503) {
        counts.refused += 1
        counts.refusedMs.push(tookMs)
      } else counts.late += 1
    } catch {
      counts.late += 1
    }
  }
  const begun = performance.now()
  for (let due = begun; due < begun + forMs; due += (-Math.log(1 - Math.random()) / rate) * 1_000) {
    const wait = due - performance.now()
    if (wait > 1) await pause(wait)
    const one = ask().finally(() => running.delete(one))
    running.add(one)
  }
  await Promise.all(running)
  return { ...counts, perSecond: (counts.good / forMs) * 1_000 }
}

const children = openChildren()
const rows: (readonly string[])[] = [
  ['', 'good at 90 %', 'good at 3 x', '(least, most)', 'refused in (p99)', 'late at 3 x', 'good while it crawls', 'in line then', 'good after'],
]

interface Result {
  /** Good answers per second. */
  readonly usual: number
  readonly over: number
  readonly after: number
  /** Requests that wait at the service, or are worked on, at the end of its crawl. */
  readonly inLine: number
}

async function run(adaptive: boolean): Promise<Result> {
  const [port, servicePort] = [await freePort(), await freePort()]
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-overload-'))
  const service = spawn(process.execPath, [fileURLToPath(new URL('programs/slow-backend.ts', import.meta.url)), `${servicePort}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const agent = new Agent({ connections: 2_000 })
  try {
    await writeFile(join(folder, 'a.json'), JSON.stringify(policy(port, servicePort, adaptive)))
    const program = fileURLToPath(new URL('../src/node/cli/main.ts', import.meta.url))
    children.spawn(process.execPath, [program, 'serve', '--policies', folder, '--env', 'dev', '--log-to', '/dev/null', '--log-format', 'json'], undefined)
    const url = `http://127.0.0.1:${port}/x`
    const isUp = () =>
      request(url, { dispatcher: agent }).then(
        async ({ statusCode, body }) => {
          await body.dump()
          return statusCode === 200
        },
        () => false,
      )
    while (!(await isUp())) await pause(50)
    await load(agent, url, capacity * 0.5, 2_000)
    const usual = await load(agent, url, capacity * 0.9, 4_000)
    await load(agent, url, capacity * 3, 2_000)
    const laps: Awaited<ReturnType<typeof load>>[] = []
    while (laps.length < rounds) laps.push(await load(agent, url, capacity * 3, 6_000))
    const over = spreadOf(laps.map(({ perSecond }) => perSecond))
    service.stdin.write('clear\n')
    await pause(1_000)
    service.stdin.write('800\n')
    const crawl = await load(agent, url, capacity * 0.8, 6_000)
    service.stdin.write('line\n')
    const [heard] = (await once(service.stdout, 'data', { signal: AbortSignal.timeout(10_000) })) as [Buffer]
    const inLine = Number(heard.toString())
    service.stdin.write('100\n')
    service.stdin.write('clear\n')
    await load(agent, url, capacity * 0.8, 3_000)
    const after = await load(agent, url, capacity * 0.8, 4_000)
    const refusedMs = laps.flatMap((lap) => lap.refusedMs)
    const share = (perSecond: number) => `${((perSecond / capacity) * 100).toFixed(0)} %`
    rows.push([
      adaptive ? 'concurrency: adaptive' : 'no protection',
      `${usual.perSecond.toFixed(0)}/s`,
      `${over.median.toFixed(0)}/s`,
      `${share(over.min)} to ${share(over.max)}`,
      refusedMs.length === 0 ? '-' : `${percentile(refusedMs, 0.99).toFixed(0)} ms`,
      `${laps.reduce((sum, { late }) => sum + late, 0)}`,
      `${crawl.perSecond.toFixed(1)}/s of ${(capacity / 8).toFixed(1)}/s`,
      `${inLine}`,
      `${after.perSecond.toFixed(0)}/s of ${(capacity * 0.8).toFixed(0)}/s`,
    ])
    return { usual: usual.perSecond, over: over.median, after: after.perSecond, inLine }
  } finally {
    service.stdin.end()
    await agent.destroy()
    await children.closeAll()
    await rm(folder, { recursive: true, force: true })
  }
}

const bare = await run(false)
const adaptive = await run(true)
console.log(columns(rows))
const verdicts: readonly (readonly [what: string, holds: boolean])[] = [
  [`at 3 x it does ${((adaptive.over / capacity) * 100).toFixed(0)} % of what it can; asked for is 80 %`, adaptive.over >= 0.8 * capacity],
  [
    `without overload ${((adaptive.usual / bare.usual) * 100).toFixed(0)} % of what it does without protection; asked for is 90 %`,
    adaptive.usual >= 0.9 * bare.usual,
  ],
  [`while it crawls ${adaptive.inLine} are in its line, without protection ${bare.inLine}; asked for is half of that`, adaptive.inLine <= 0.5 * bare.inLine],
  [
    `after it ${((adaptive.after / capacity / 0.8) * 100).toFixed(0)} % of what is asked for gets done; asked for is 90 %`,
    adaptive.after >= 0.9 * capacity * 0.8,
  ],
]
console.log(verdicts.map(([what, holds]) => `${holds ? 'holds' : 'MISSED'}: ${what}`).join('\n'))
process.exitCode = verdicts.every(([, holds]) => holds) ? 0 : 1
