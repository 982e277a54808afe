import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { isReal } from './real.ts'

/** A real redis-server of the test's own, on loopback, in a directory of its own, without persistence. */
export interface RedisServer {
  readonly url: string
  /** A plain client for looking and meddling. */
  readonly admin: Redis
  /** Ends the process at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>
  /** Stops it from running without closing anything (SIGSTOP). */
  freeze(): void
  thaw(): void
  /** Ends the process and removes its directory. */
  close(): Promise<void>
}

/** How to get the tests that this machine cannot run. */
export const redisHint = 'redis-server is not installed: apt-get install -y redis-server'

/** Whether `redis-server` is there. @throws Error where it has to be and is not. */
export function hasRedis(): boolean {
  return isReal(spawnSync('redis-server', ['--version']).status === 0, redisHint)
}

/** Starts a server on a free port and waits until it answers. */
export async function startRedis(): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-redis-'))
  const port = await freePort()
  let child = await launch(port, directory)
  const admin = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: (times) => Math.min(50 * times, 200) })
  admin.on('error', () => {})
  await admin.connect()
  return {
    url: `redis://127.0.0.1:${port}`,
    admin,
    kill: () => end(child),
    async restart() {
      child = await launch(port, directory)
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

async function launch(port: number, directory: string): Promise<ChildProcess> {
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory, '--daemonize', 'no']
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  // A test process that dies must not leave a server behind.
  const orphan = () => void child.kill('SIGKILL')
  process.once('exit', orphan)
  child.once('exit', () => process.off('exit', orphan))
  await new Promise<void>((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`redis-server ended with ${code}`))
    child.once('error', reject)
    child.once('exit', ended)
    child.stdout?.on('data', (text: Buffer) => {
      if (!text.includes('Ready to accept connections')) return
      child.off('exit', ended)
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
