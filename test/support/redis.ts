import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Certificates } from './certificates.ts'
import { isReal } from './real.ts'

/** A real redis-server of the test's own, on loopback, in a directory of its own. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** A plain client for looking and meddling. */
  readonly admin: Redis
  /** Ends the process at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again on the same port, with what it kept: nothing, unless it is told to. */
  restart(): Promise<void>
  /** Stops it from running without closing anything (SIGSTOP). */
  freeze(): void
  thaw(): void
  /** Ends the process and removes its directory. */
  close(): Promise<void>
}

export interface RedisWants {
  /** Every write is in a file before it is answered, and there again after a restart. */
  readonly kept?: boolean
  /** Lines of a configuration file, before everything else. */
  readonly file?: readonly string[]
  readonly args?: readonly string[]
  /** Nothing is spoken but TLS, by this server and to others. */
  readonly tls?: Certificates | undefined
}

/** How to get the tests that this machine cannot run. */
export const redisHint = 'redis-server is not installed: apt-get install -y redis-server'

/** Whether `redis-server` is there. @throws Error where it has to be and is not. */
export function hasRedis(): boolean {
  return isReal(spawnSync('redis-server', ['--version']).status === 0, redisHint)
}

/** Starts a server on a free port and waits until it answers. */
export async function startRedis({ kept = false, file, args = [], tls }: RedisWants = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-redis-'))
  const port = await freePort()
  const before = file === undefined ? [] : [join(directory, 'redis.conf')]
  const [config] = before
  if (config !== undefined) await writeFile(config, `${file?.join('\n')}\n`)
  const persistence = file === undefined ? ['--save', '', '--appendonly', kept ? 'yes' : 'no', '--appendfsync', kept ? 'always' : 'no'] : []
  // A primary waits five seconds for further replicas before it sends what it holds, unless it is told not to.
  const sync = file === undefined ? ['--repl-diskless-sync-delay', '0'] : []
  const listening = tls === undefined ? ['--port', `${port}`] : await tlsArguments(port, tls, directory)
  const all = [...before, ...listening, '--bind', '127.0.0.1', '--dir', directory, '--daemonize', 'no', ...sync, ...persistence, ...args]
  let child = await launch(all)
  const address = { host: '127.0.0.1', port, ...(tls === undefined ? {} : { tls: { ca: tls.ca } }) }
  const admin = new Redis({ ...address, lazyConnect: true, maxRetriesPerRequest: 100, retryStrategy: (times) => Math.min(50 * times, 200) })
  admin.on('error', () => {})
  await admin.connect()
  return {
    port,
    url: `redis${tls === undefined ? '' : 's'}://127.0.0.1:${port}`,
    admin,
    kill: () => end(child),
    async restart() {
      child = await launch(all)
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async close() {
      admin.disconnect()
      await end(child)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function tlsArguments(port: number, { ca, server }: Certificates, directory: string): Promise<readonly string[]> {
  const files = { ca: join(directory, 'ca.pem'), cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  await writeFile(files.ca, ca)
  await writeFile(files.cert, server.certificate)
  await writeFile(files.key, server.key)
  const trust = ['--tls-cert-file', files.cert, '--tls-key-file', files.key, '--tls-ca-cert-file', files.ca, '--tls-auth-clients', 'no']
  return ['--port', '0', '--tls-port', `${port}`, '--tls-replication', 'yes', '--tls-cluster', 'yes', ...trust]
}

async function launch(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  // A test process that dies must not leave a server behind.
  const orphan = () => void child.kill('SIGKILL')
  process.once('exit', orphan)
  child.once('exit', () => process.off('exit', orphan))
  await new Promise<void>((resolve, reject) => {
    let said = ''
    const ended = (code: number | null) => reject(new Error(`redis-server ended with ${code}:\n${said}`))
    child.once('error', reject)
    child.once('exit', ended)
    child.stdout?.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-4000)
      // A Sentinel says what it watches.
      if (!/Ready to accept connections|\+monitor/.test(said)) return
      child.off('exit', ended)
      child.stdout?.removeAllListeners('data').resume()
      resolve()
    })
  })
  return child
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}
