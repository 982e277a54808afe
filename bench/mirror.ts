import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, createServer, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { orderOf, percentile, ratiosWithin, spreadOf } from './report/statistics.ts'

/*
 * What a mirror costs the request it copies: the same requests, at one fixed rate, to a route without a mirror, to one that copies every
 * request, and to one that compares every answer too. One gateway and two services, each a process of its own; in turn within each round,
 * ratios taken within a round. A request's time counts from when it was due. With --alternate the routes are asked request by request, so that
 * whatever else the machine does hits them alike: that shows what a copied request itself pays, and not what the copies cost the others.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '4' },
    rate: { type: 'string', default: '250' },
    service: { type: 'string', default: '5' },
    serve: { type: 'string' },
    alternate: { type: 'boolean', default: false },
  },
})

/** Plays a service that takes so many milliseconds. */
async function serve(delayMs: number): Promise<void> {
  const body = JSON.stringify({
    sku: 'b-1',
    title: 'The Art of the Gate',
    price: '19.90',
    authors: ['A. Warden', 'B. Porter'],
    pages: 312,
    tags: ['gates', 'locks'],
  })
  const server = createServer((_, response) => {
    const answer = () => response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
    if (delayMs === 0) answer()
    else setTimeout(answer, delayMs)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined })
  process.once('disconnect', () => process.exit())
}

async function portOf(child: ChildProcess): Promise<number> {
  const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }]
  return port
}

const routes = ['plain', 'copied', 'compared'] as const

async function policies(service: number, shadow: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-mirror-'))
  const route = (name: string, mirror: object) => ({
    match: { path: `/${name}` },
    access: { rules: [{ id: 'all', allow: { anonymous: true } }] },
    to: 'service',
    ...mirror,
  })
  const policy = {
    sallyport: 'v1',
    environments: { dev: { class: 'nonprod' } },
    listeners: { public: { address: '127.0.0.1:0' } },
    clusters: { service: { address: `127.0.0.1:${service}` }, shadow: { address: `127.0.0.1:${shadow}` } },
    routes: {
      plain: route('plain', {}),
      copied: route('copied', { mirror: { cluster: 'shadow' } }),
      compared: route('compared', { mirror: { cluster: 'shadow', diff: { percent: '100%' } } }),
    },
  }
  await writeFile(join(folder, 'bench.json'), JSON.stringify(policy))
  return folder
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 })

function ask(port: number, route: string, dueAt: number): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: `/${route}`, agent }, (response) => {
      response.resume()
      response.once('end', () => (response.statusCode === 200 ? resolve(performance.now() - dueAt) : reject(new Error(`status ${response.statusCode}`))))
    }).once('error', reject)
  })
}

/** Milliseconds of every request of one lap, which asks several routes in turn: by route. */
async function lap(port: number, names: readonly string[], rate: number, seconds: number): Promise<readonly (readonly number[])[]> {
  const asked: Promise<number>[] = []
  const begun = performance.now()
  for (let i = 0; i < rate * seconds; i++) {
    const dueAt = begun + (i * 1_000) / rate
    const early = dueAt - performance.now()
    if (early > 0) await pause(early)
    asked.push(ask(port, names[i % names.length] ?? '', dueAt))
  }
  const all = await Promise.all(asked)
  return names.map((_, at) => all.filter((__, i) => i % names.length === at))
}

async function main(): Promise<void> {
  const [rounds, seconds, rate] = [Number(values.rounds), Number(values.seconds), Number(values.rate)]
  const self = fileURLToPath(import.meta.url)
  const services = [0, 1].map(() => fork(self, ['--serve', values.service]))
  const ports = await Promise.all(services.map(portOf))
  const folder = await policies(ports[0] ?? 0, ports[1] ?? 0)
  const gateway = fork(fileURLToPath(new URL('./programs/measured-gateway.ts', import.meta.url)), [folder], { stdio: 'inherit' })
  try {
    const port = await portOf(gateway)
    await lap(port, routes, rate, 6)
    const laps = new Map<string, { readonly p50: number[]; readonly p99: number[] }>(routes.map((route) => [route, { p50: [], p99: [] }]))
    for (let round = 0; round < rounds; round++) {
      const groups = values.alternate ? [routes] : orderOf(round, routes.length).map((i) => [routes[i] ?? 'plain'])
      for (const group of groups) {
        const times = await lap(port, group, rate, seconds)
        for (const [i, route] of group.entries()) {
          laps.get(route)?.p50.push(percentile(times[i] ?? [], 0.5))
          laps.get(route)?.p99.push(percentile(times[i] ?? [], 0.99))
        }
      }
    }
    const plain = laps.get('plain') ?? { p50: [], p99: [] }
    process.stdout.write(`${rate} requests/s, a service of ${values.service} ms, ${rounds} rounds of ${seconds} s\n`)
    for (const [route, { p50, p99 }] of laps) {
      const ratio = (list: readonly number[], reference: readonly number[]) => spreadOf(ratiosWithin(list, reference)).median.toFixed(3)
      const figures = [
        `p50 ${spreadOf(p50).median.toFixed(2)} ms`,
        `p99 ${spreadOf(p99).median.toFixed(2)} ms`,
        `× ${ratio(p50, plain.p50)}`,
        `× ${ratio(p99, plain.p99)}`,
      ]
      process.stdout.write(`${route.padEnd(10)}${figures.map((cell) => cell.padStart(14)).join('')}\n`)
    }
  } finally {
    agent.destroy()
    for (const child of [gateway, ...services]) child.kill()
    await rm(folder, { recursive: true, force: true })
  }
}

await (values.serve === undefined ? main() : serve(Number(values.serve)))
