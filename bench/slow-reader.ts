import { fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startOrders } from '../src/node/demo/mesh/orders.ts'
import { type Reader, readers } from './slow/readers.ts'

/*
 * An endless server stream of messages of 1 KiB to a reader of some kB/s, in each form, each through a gateway of its own. What must not
 * happen is that what the reader does not take is kept in memory: printed are the resident set and the heap (after a collection) over time,
 * and their slopes over the second half.
 */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, rate: { type: 'string', default: '32000' }, every: { type: 'string', default: '15' } },
})
const minutes = Number(values.minutes)
const rate = Number(values.rate)
const every = Number(values.every)

interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

/** One form under watch. */
interface Watched {
  readonly name: string
  readonly reader: Reader
  readonly measure: () => Promise<Memory>
  readonly samples: { readonly at: number; readonly rss: number; readonly heap: number }[]
  close(): void
}

const MiB = 1024 * 1024
const descriptors = fileURLToPath(new URL('../policies/descriptors/shop.binpb', import.meta.url))

async function policies(ordersPort: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-slow-'))
  const policy = {
    sallyport: 'v1',
    environments: { dev: { class: 'nonprod' } },
    listeners: { public: { address: '127.0.0.1:0' } },
    clusters: { orders: { sidecar: 'none', protocol: 'grpc', address: `127.0.0.1:${ordersPort}`, descriptors: 'shop.binpb' } },
    routes: { orders: { match: { grpc: 'shop.v1.Orders' }, access: { rules: [{ id: 'all', allow: { anonymous: true } }] }, to: 'orders' } },
  }
  await writeFile(join(folder, 'bench.json'), JSON.stringify(policy))
  await copyFile(descriptors, join(folder, 'shop.binpb'))
  return folder
}

async function watch(folder: string, [name, open]: (typeof readers)[number], prepare: boolean): Promise<Watched> {
  const child = fork(fileURLToPath(new URL('./programs/measured-gateway.ts', import.meta.url)), [folder], { execArgv: ['--expose-gc'], stdio: 'inherit' })
  const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }]
  if (prepare) await fill(port)
  return {
    name,
    reader: open(port, '/v1/orders:watch', rate),
    async measure() {
      child.send('measure')
      const [memory] = (await once(child, 'message')) as [Memory]
      return memory
    },
    samples: [],
    close: () => child.disconnect(),
  }
}

/** Every event carries order 7: with this note one of them is 1 KiB of JSON. */
async function fill(port: number): Promise<void> {
  const body = JSON.stringify({ note: 'x'.repeat(600) })
  const answer = await fetch(`http://127.0.0.1:${port}/v1/orders/7`, { method: 'PATCH', body, headers: { 'content-type': 'application/json' } })
  if (!answer.ok) throw new Error(await answer.text())
}

/** MiB per hour that a straight line through the second half of the samples climbs. */
function slope(samples: Watched['samples'], of: 'rss' | 'heap'): number {
  const half = samples.slice(Math.floor(samples.length / 2))
  const meanAt = half.reduce((sum, { at }) => sum + at, 0) / half.length
  const mean = half.reduce((sum, sample) => sum + sample[of], 0) / half.length
  const across = half.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0)
  return across === 0 ? 0 : (half.reduce((sum, sample) => sum + (sample.at - meanAt) * (sample[of] - mean), 0) / across) * 3600
}

function line(cells: readonly string[]): void {
  process.stdout.write(`${cells.map((cell, i) => (i === 0 ? cell.padEnd(18) : ` ${cell}`.padStart(13))).join('')}\n`)
}

const orders = await startOrders({ port: 0, version: 'orders', descriptors: await readFile(descriptors) })
const folder = await policies(orders.port)
const watched: Watched[] = []
for (const form of readers) watched.push(await watch(folder, form, watched.length === 0))
const startedAt = performance.now()
process.stdout.write(`Node ${process.version}, ${minutes} min, readers of ${rate} B/s, messages of 1 KiB without end\n\n`)
line(['form', 's', 'RSS MiB', 'heap MiB', 'taken KiB', ''])
for (let round = 0; round * every <= minutes * 60; round++) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, startedAt + round * every * 1000 - performance.now())))
  for (const { name, reader, measure, samples } of watched) {
    const { rss, heapUsed, external } = await measure()
    const at = (performance.now() - startedAt) / 1000
    samples.push({ at, rss: rss / MiB, heap: (heapUsed + external) / MiB })
    line([name, at.toFixed(0), (rss / MiB).toFixed(1), ((heapUsed + external) / MiB).toFixed(1), (reader.taken() / 1024).toFixed(0), reader.ended() ?? ''])
  }
}
process.stdout.write('\nsecond half\n')
line(['form', 'RSS MiB/h', 'heap MiB/h', 'taken KiB', ''])
for (const { name, reader, samples } of watched) {
  line([name, slope(samples, 'rss').toFixed(1), slope(samples, 'heap').toFixed(1), (reader.taken() / 1024).toFixed(0), reader.ended() ?? 'still reading'])
}
const broken = watched.filter(({ reader }) => reader.ended() !== undefined)
for (const { reader, close } of watched) {
  reader.close()
  close()
}
await orders.close()
await rm(folder, { recursive: true, force: true })
process.exitCode = broken.length > 0 ? 1 : 0
