import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { vi } from 'vitest'
import { freePort } from './redis.ts'

/** One server of several, with a client for looking and meddling. */
export interface FleetServer {
  readonly port: number
  readonly admin: Redis
  kill(): Promise<void>
}

export interface Fleet {
  readonly url: string
  readonly servers: readonly FleetServer[]
  close(): Promise<void>
}

/** Three servers with all slots of a Cluster between them. */
export async function startCluster(): Promise<Fleet> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-cluster-'))
  const servers: FleetServer[] = []
  for (let i = 0; i < 3; i++) {
    const port = await freePort()
    const bus = await freePort()
    servers.push(
      await startServer(port, ['--cluster-enabled', 'yes', '--cluster-config-file', join(directory, `${port}.conf`), '--cluster-port', `${bus}`], directory),
    )
    const first = servers[0]
    if (i > 0 && first !== undefined) await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', port, bus)
  }
  const slots = [
    [0, 5460],
    [5461, 10922],
    [10923, 16383],
  ] as const
  for (const [i, server] of servers.entries()) await server.admin.call('CLUSTER', 'ADDSLOTSRANGE', ...(slots[i] ?? []))
  await vi.waitFor(
    async () => {
      for (const { admin } of servers) {
        const info = String(await admin.call('CLUSTER', 'INFO'))
        if (!info.includes('cluster_state:ok') || !info.includes('cluster_known_nodes:3')) throw new Error('not joined yet')
      }
    },
    { timeout: 20_000, interval: 50 },
  )
  return { url: `redis+cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, servers, close: () => closeAll(servers, directory) }
}

/** A primary, a replica, and one Sentinel that alone may decide. The servers come in that order, the Sentinel last. */
export async function startWatched(): Promise<Fleet> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-sentinel-'))
  const primary = await startServer(await freePort(), [], directory)
  const replica = await startServer(await freePort(), ['--replicaof', '127.0.0.1', `${primary.port}`], directory)
  await vi.waitFor(
    async () => {
      if (!(await replica.admin.info('replication')).includes('master_link_status:up')) throw new Error('not replicated yet')
    },
    { timeout: 20_000, interval: 50 },
  )
  const file = join(directory, 'sentinel.conf')
  const lines = [`sentinel monitor shop 127.0.0.1 ${primary.port} 1`, 'sentinel down-after-milliseconds shop 500', 'sentinel failover-timeout shop 2000']
  await writeFile(file, `${lines.join('\n')}\n`)
  const sentinel = await startServer(await freePort(), [], directory, [file, '--sentinel'])
  await vi.waitFor(
    async () => {
      if (((await sentinel.admin.call('SENTINEL', 'REPLICAS', 'shop')) as readonly unknown[]).length !== 1) throw new Error('the replica is not seen yet')
    },
    { timeout: 20_000, interval: 100 },
  )
  const servers = [primary, replica, sentinel]
  return { url: `redis+sentinel://127.0.0.1:${sentinel.port}/shop`, servers, close: () => closeAll(servers, directory) }
}

async function startServer(port: number, options: readonly string[], directory: string, before: readonly string[] = []): Promise<FleetServer> {
  const common = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory]
  const kept = before.length > 0 ? [] : ['--save', '', '--appendonly', 'no', '--dbfilename', `${port}.rdb`]
  const child = spawn('redis-server', [...before, ...common, ...kept, ...options], { stdio: ['ignore', 'ignore', 'inherit'] })
  const orphan = () => void child.kill('SIGKILL')
  process.once('exit', orphan)
  child.once('exit', () => process.off('exit', orphan))
  const admin = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50, maxRetriesPerRequest: 100 })
  admin.on('error', () => {})
  await admin.ping()
  return { port, admin, kill: () => end(child) }
}

async function closeAll(servers: readonly FleetServer[], directory: string): Promise<void> {
  for (const { admin } of servers) admin.disconnect()
  await Promise.all(servers.map((server) => server.kill()))
  await rm(directory, { recursive: true, force: true })
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}
