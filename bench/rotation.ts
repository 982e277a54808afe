import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Certificates, makeCertificates } from '../test/support/certificates.ts'
import { freePort } from '../test/support/redis.ts'
import { until } from '../test/support/until.ts'
import { type Gateway, startFleet } from './harness/fleet.ts'
import { type Keep, keeping } from './harness/keep.ts'
import { scratchFolder } from './harness/scratch.ts'
import { columns } from './report/table.ts'

/*
 * Certificates rotate under load: the listener's, the gateway's own towards the service, the service's, and both authorities, each time to ones of another
 * authority, over HTTP/1.1, HTTP/2 and gRPC. Gateway and service are processes of their own.
 * `node bench/rotation.ts [--rotations 6] [--concurrency 4]`; exit status 1 when a request failed, or when a certificate was never used.
 */
const { values } = parseArgs({ options: { rotations: { type: 'string', default: '6' }, concurrency: { type: 'string', default: '4' } } })
const [rotations, concurrency] = [Number(values.rotations), Number(values.concurrency)]

/** Requests that a connection is used for, so that there are handshakes all the time. */
const perConnection = 20
const ways = ['HTTP/1.1', 'HTTP/2', 'gRPC'] as const
const uses = ['listener public', 'cluster web', 'cluster web2', 'cluster orders']

interface Answer {
  /** `200`, or what went wrong. */
  readonly word: string
  /** Whose certificate the gateway showed. */
  readonly shown: string
  /** Whose the service saw. */
  readonly caller: string
}

/** One request over a connection that is there. */
type Ask = () => Promise<Answer>

const shownBy = (socket: TLSSocket) => socket.getPeerCertificate().fingerprint256

function overHttp1(port: number, ca: readonly string[]): { readonly ask: Ask; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask: Ask = () =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: '/web', agent, ca: [...ca], servername: 'service.test' }, (response) => {
        const shown = shownBy(response.socket as TLSSocket) // it is an https request
        response.resume().on('error', reject)
        response.on('end', () => resolve({ word: `${response.statusCode}`, shown, caller: String(response.headers['x-caller']) }))
      })
        .on('error', reject)
        .end()
    })
  return { ask, close: () => agent.destroy() }
}

function overHttp2(port: number, ca: readonly string[], grpc: boolean): { readonly ask: Ask; close(): void } {
  const session = connect(`https://127.0.0.1:${port}`, { ca: [...ca], servername: 'service.test' })
  session.on('error', () => {})
  const head = grpc
    ? { ':path': '/shop.v1.Orders/CreateOrder', ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
    : { ':path': '/web2', ':method': 'GET' }
  const ask: Ask = () =>
    new Promise((resolve, reject) => {
      const stream = session.request(head)
      const seen = { status: '', caller: '', code: '0' }
      stream.on('response', (fields) =>
        Object.assign(seen, { status: String(fields[':status']), caller: String(fields['x-caller']), code: String(fields['grpc-status'] ?? 0) }),
      )
      stream.on('trailers', (fields) => Object.assign(seen, { code: String(fields['grpc-status']) }))
      stream.on('error', reject).resume()
      stream.on('end', () =>
        resolve({ word: seen.code === '0' ? seen.status : `grpc ${seen.code}`, shown: shownBy(session.socket as TLSSocket), caller: seen.caller }),
      )
      stream.end(grpc ? Buffer.alloc(5) : undefined)
    })
  return { ask, close: () => session.close() }
}

interface Seen {
  readonly words: Map<string, number>
  readonly shown: Set<string>
  readonly callers: Set<string>
}

/** Asks on and on until it is told to stop. */
async function load(way: (typeof ways)[number], port: number, ca: readonly string[], seen: Seen, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const { ask, close } = way === 'HTTP/1.1' ? overHttp1(port, ca) : overHttp2(port, ca, way === 'gRPC')
    for (let i = 0; i < perConnection && !over.aborted; i += 1) {
      const { word, shown, caller } = await ask().catch((error: unknown) => ({ word: String(error), shown: '', caller: '' }))
      seen.words.set(word, (seen.words.get(word) ?? 0) + 1)
      if (word !== '200') continue
      seen.shown.add(shown)
      if (way !== 'gRPC') seen.callers.add(caller)
    }
    close()
  }
}

/** The files of one rotation after another. */
interface Files {
  path(name: string): string
  /** Puts files in place, each in one step. */
  put(files: Readonly<Record<string, string>>): Promise<void>
}

async function filesIn(keep: Keep): Promise<Files> {
  const folder = await scratchFolder(keep)
  const path = (name: string) => join(folder, name)
  return {
    path,
    async put(files) {
      for (const [name, text] of Object.entries(files)) {
        await writeFile(`${path(name)}.next`, text)
        await rename(`${path(name)}.next`, path(name))
      }
    },
  }
}

async function startService(files: Files, keep: Keep) {
  const ports = [await freePort(), await freePort()] as const
  const child = spawn(process.execPath, [fileURLToPath(new URL('programs/tls-backend.ts', import.meta.url)), ...ports.map(String), files.path('')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const end = () => void child.kill('SIGKILL')
  process.once('exit', end)
  keep(() => {
    process.off('exit', end)
    child.stdin.end()
  })
  const reload = async () => {
    const heard = once(child.stdout, 'data', { signal: AbortSignal.timeout(20_000) })
    child.stdin.write('\n')
    await heard
  }
  await reload()
  return { ports, reload }
}

function policy(files: Files, [http1, http2]: readonly [number, number]): Readonly<Record<string, unknown>> {
  const file = (name: string) => `file:${files.path(name)}`
  const tls = { serverName: 'service.test', ca: file('ca.pem'), certificate: file('client.crt'), key: file('client.key') }
  const access = { rules: [{ id: 'all', allow: { anonymous: true } }] }
  return {
    clusters: {
      web: { address: `127.0.0.1:${http1}`, tls },
      web2: { address: `127.0.0.1:${http2}`, protocol: 'h2', tls },
      orders: { address: `127.0.0.1:${http2}`, protocol: 'grpc', descriptors: 'shop.binpb', tls },
    },
    routes: {
      web: { match: { path: '/web' }, access, to: 'web' },
      web2: { match: { path: '/web2' }, access, to: 'web2' },
      orders: { match: { grpc: 'shop.v1.Orders' }, access: { rules: [{ id: 'all', allow: { anonymous: true, grpc: ['shop.v1.Orders/*'] } }] }, to: 'orders' },
    },
  }
}

/** What the gateway has taken up so far, by use. */
async function taken(gateway: Gateway): Promise<readonly number[]> {
  const text = await gateway.admin('/metrics')
  return uses.map((use) => Number(new RegExp(`certificate_reads_total\\{use="${use}",outcome="taken"\\} (\\d+)`).exec(text)?.[1] ?? 0))
}

const common = (generation: number) => `generation-${generation}`

/** One whole rotation: both authorities are trusted, then everybody shows the new certificate, then only the new one is trusted. */
async function rotate(
  gateway: Gateway,
  files: Files,
  service: { reload(): Promise<void> },
  from: Certificates,
  to: Certificates,
  generation: number,
): Promise<void> {
  const settle = async (put: Readonly<Record<string, string>>, which: readonly number[]) => {
    const before = await taken(gateway)
    await files.put(put)
    await until(async () => {
      const now = await taken(gateway)
      if (which.some((i) => (now[i] ?? 0) <= (before[i] ?? 0))) throw new Error(`not taken up: ${now.join()}, was ${before.join()}`)
    })
  }
  await files.put({ 'clients.pem': `${from.ca}\n${to.ca}` })
  await service.reload()
  await settle({ 'ca.pem': `${from.ca}\n${to.ca}` }, [1, 2, 3])
  await files.put({ 'server.crt': to.server.certificate, 'server.key': to.server.key })
  await service.reload()
  const client = await to.issue({ dns: 'client.test', common: common(generation) })
  const { certificate, key } = await to.issue({ dns: 'service.test', common: common(generation) })
  await settle({ 'client.crt': client.certificate, 'client.key': client.key, 'tls.crt': certificate, 'tls.key': key }, [0, 1, 2, 3])
  // What was begun with the old certificate may still be in its handshake.
  await pause(1_000)
  await files.put({ 'clients.pem': to.ca })
  await service.reload()
  await settle({ 'ca.pem': to.ca }, [1, 2, 3])
}

async function rotateAll(gateway: Gateway, files: Files, service: { reload(): Promise<void> }, all: readonly Certificates[]): Promise<void> {
  for (const [i, to] of all.entries()) {
    const from = all[i - 1]
    if (from !== undefined) await rotate(gateway, files, service, from, to, i)
  }
}

process.exitCode = await keeping(async (keep) => {
  const all = await Promise.all(Array.from({ length: rotations + 1 }, (_, i) => makeCertificates(`authority ${i}`)))
  const [first] = all
  if (first === undefined) return 2
  const files = await filesIn(keep)
  await files.put({
    'clients.pem': first.ca,
    'ca.pem': first.ca,
    'server.crt': first.server.certificate,
    'server.key': first.server.key,
    'client.crt': first.client.certificate,
    'client.key': first.client.key,
    'tls.crt': first.server.certificate,
    'tls.key': first.server.key,
  })
  const service = await startService(files, keep)
  const descriptors = await readFile(new URL('../policies/descriptors/shop.binpb', import.meta.url))
  const tls = { certificate: `file:${files.path('tls.crt')}`, key: `file:${files.path('tls.key')}` }
  const { gateways } = await startFleet(1, policy(files, service.ports), keep, { tls, files: { 'shop.binpb': descriptors } })
  const [gateway] = gateways
  if (gateway === undefined) return 2
  const seen = ways.map((): Seen => ({ words: new Map(), shown: new Set(), callers: new Set() }))
  const over = new AbortController()
  const trusted = all.map(({ ca }) => ca)
  const loads = ways.flatMap((way, i) => Array.from({ length: concurrency }, () => load(way, gateway.port, trusted, seen[i] as Seen, over.signal)))
  await pause(1_000)
  const begun = performance.now()
  const why = await rotateAll(gateway, files, service, all).catch((error: unknown) => String(error))
  await pause(1_000)
  over.abort()
  await Promise.all(loads)
  const rows = ways.map((way, i) => {
    const { words, shown, callers } = seen[i] as Seen
    const sum = Array.from(words.values()).reduce((a, b) => a + b, 0)
    return { way, sum, failed: sum - (words.get('200') ?? 0), shown: shown.size, callers: callers.size, words }
  })
  const seconds = ((performance.now() - begun) / 1_000).toFixed(0)
  process.stdout.write(`Node ${process.version}, ${rotations} rotations of everything in ${seconds} s, ${concurrency} connections each\n\n`)
  const table = rows.map(({ way, sum, failed, shown, callers }) => [way, `${sum}`, `${failed}`, `${shown}`, way === 'gRPC' ? '-' : `${callers}`])
  process.stdout.write(`${columns([['over', 'requests', 'failed', 'certificates of the listener', 'of the gateway'], ...table])}\n`)
  for (const { way, words, failed } of rows) if (failed > 0) process.stdout.write(`${way}: ${JSON.stringify(Object.fromEntries(words))}\n`)
  if (why !== undefined) process.stdout.write(`${why}\n`)
  return why === undefined && rows.every(({ way, failed, shown, callers }) => failed === 0 && shown > rotations && (way === 'gRPC' || callers > rotations))
    ? 0
    : 1
})
