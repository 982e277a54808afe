import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { untilListening } from './harness/ask.ts'
import { buildSallyport } from './harness/build.ts'
import { openChildren } from './harness/children.ts'
import { ticksPerSecond } from './harness/machine.ts'
import { measure } from './harness/measure.ts'
import { residentMiB } from './harness/proc.ts'
import { openLoad } from './load/load.ts'
import type { Child } from './model.ts'
import { spreadOf } from './report/statistics.ts'

/*
 * What several worker processes cost: CPU per request of all processes of the gateway together (the primary included), against one process without
 * a primary. The work is HTTP to HTTP, without limits and with one limit in memory, which workers ask the primary about. Ratios are taken within a
 * round; what is printed is the median.
 */
const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '64' },
  },
})
const [rounds, seconds, connections] = [Number(values.rounds), Number(values.seconds), Number(values.connections)]

interface Peer {
  readonly name: string
  readonly port: number
  readonly child: Child
  readonly micros: number[]
  readonly ratios: number[]
  readonly perSecond: number[]
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => void server.close(resolve))
  return port
}

function policies(port: number, backend: number, limited: boolean): string {
  return JSON.stringify({
    sallyport: 'v1',
    environments: { dev: { class: 'nonprod' } },
    listeners: { public: { address: `127.0.0.1:${port}` } },
    ...(limited && { limits: { all: { rate: '900000000/1m', key: ['client.network'] } } }),
    clusters: { catalog: { sidecar: 'none', protocol: 'http', address: `127.0.0.1:${backend}` } },
    routes: {
      catalog: {
        match: { path: '/catalog/{**}' },
        access: { rules: [{ id: 'all', allow: { anonymous: true } }] },
        ...(limited && { limits: ['all'] }),
        to: 'catalog',
      },
    },
  })
}

const children = openChildren()
const folder = await mkdtemp(join(tmpdir(), 'sallyport-workers-'))
try {
  const { command, kind } = await buildSallyport(folder, children)
  const hertz = await ticksPerSecond()
  const load = await openLoad('auto', children, undefined, folder)
  const backendPort = await freePort()
  const backend = children.spawn(process.execPath, [fileURLToPath(new URL('./programs/http-backend.ts', import.meta.url)), String(backendPort)], undefined)
  await untilListening(backendPort, backend, 'the service')

  const open = async (workers: string, limited: boolean): Promise<Peer> => {
    const name = `${workers === '1' ? 'one process' : `${workers} workers`}${limited ? ', a limit' : ''}`
    const port = await freePort()
    const place = join(folder, name)
    await mkdir(place)
    await writeFile(join(place, 'bench.json'), policies(port, backendPort, limited))
    const [program = process.execPath, ...words] = command
    const flags = [
      '--policies',
      place,
      '--env',
      'dev',
      '--strict',
      '--workers',
      workers,
      '--log-to',
      '/dev/null',
      '--log-format',
      'json',
      '--lame-duck',
      '0s',
      '--drain',
      '1s',
    ]
    const child = children.spawn(program, [...words, 'serve', ...flags], undefined)
    await untilListening(port, child, name)
    return { name, port, child, micros: [], ratios: [], perSecond: [] }
  }
  const pairs = [
    [await open('1', false), await open(values.workers, false)],
    [await open('1', true), await open(values.workers, true)],
  ] as const
  const request = { method: 'GET', path: '/catalog/b-1', headers: {}, body: '' } as const
  const run = async ({ port, child }: Peer, lasting: number) => {
    const round = await measure({ load, hertz }, { port, connections, seconds: lasting, request, tokens: ['none'], rate: undefined }, child.pid, backend.pid)
    if (round.errors > 0) throw new Error(`${round.errors} errors`)
    return round
  }
  for (const peer of pairs.flat()) await run(peer, 1)
  for (let round = 0; round < rounds; round++) {
    for (const pair of pairs) {
      const order = round % 2 === 0 ? pair : ([pair[1], pair[0]] as const)
      for (const peer of order) {
        const { cpuMicros, perSecond } = await run(peer, seconds)
        peer.micros.push(cpuMicros)
        peer.perSecond.push(perSecond)
      }
      for (const peer of pair) peer.ratios.push((peer.micros.at(-1) ?? 0) / (pair[0].micros.at(-1) ?? 1))
    }
  }
  const row = (cells: readonly string[]) => process.stdout.write(`${cells.map((cell, i) => (i === 0 ? cell.padEnd(22) : cell.padStart(14))).join('')}\n`)
  process.stdout.write(
    `Node ${process.version}, Sallyport run from ${kind === 'compiled' ? 'compiled output' : 'source'}, ${load.version}, ${connections} connections\n\n`,
  )
  row(['', 'CPU µs/req', 'min', 'max', '× one process', 'req/s', 'RSS MiB'])
  for (const { name, child, micros, ratios, perSecond } of pairs.flat()) {
    const { median, min, max } = spreadOf(micros)
    row([
      name,
      median.toFixed(1),
      min.toFixed(1),
      max.toFixed(1),
      spreadOf(ratios).median.toFixed(2),
      spreadOf(perSecond).median.toFixed(0),
      residentMiB(child.pid).toFixed(0),
    ])
  }
} finally {
  await children.closeAll()
  await rm(folder, { recursive: true, force: true })
}
