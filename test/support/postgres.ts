import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Keep } from './keep.ts'
import { isReal } from './real.ts'
import { freePort } from './redis.ts'
import { until } from './until.ts'

/** How to get the tests that this machine cannot run. */
export const postgresHint = 'postgresql is not installed: apt-get install -y postgresql'

/** Whether `postgres`, `initdb` and `psql` are there. @throws Error where they have to be and are not. */
export function hasPostgres(): boolean {
  return isReal(
    ['postgres', 'initdb', 'psql'].every((name) => spawnSync(name, ['--version']).status === 0),
    postgresHint,
  )
}

/** It does not run as root: nobody does it instead. */
const other = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

/** A real PostgreSQL on loopback whose `cluster_name` is `name`. Returns its port. */
export async function startPostgres(keep: Keep, name: string): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-postgres-'))
  keep(() => rmSync(directory, { recursive: true, force: true }))
  if (other.uid !== undefined) chownSync(directory, other.uid, other.gid)
  const data = join(directory, 'data')
  execFileSync('initdb', ['-D', data, '-U', 'postgres', '-A', 'trust', '-N', '--no-instructions'], { ...other, cwd: directory, stdio: 'ignore' })
  const port = await freePort()
  const settings = [`cluster_name=${name}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${directory}`, 'fsync=off', `port=${port}`]
  const child = spawn('postgres', ['-D', data, ...settings.flatMap((one) => ['-c', one])], { ...other, cwd: directory, stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()))
  keep(async () => {
    child.kill('SIGINT')
    await ended
  })
  await until(() => {
    if (spawnSync('psql', ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-c', 'select 1']).status !== 0) throw new Error('not ready')
  })
  return port
}

/** One session of psql. */
export interface Psql {
  /** Sends lines, and answers what is printed until a mark behind them is. Rejects when the session ends first. */
  ask(sql: string): Promise<string>
  readonly child: ChildProcess
  /** Settles when the session has ended. */
  readonly ended: Promise<void>
}

export function openPsql(keep: Keep, port: number): Psql {
  const child = spawn('psql', ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-AtqX'], {
    env: { ...process.env, PGSSLMODE: 'disable', PGGSSENCMODE: 'disable' },
  })
  let out = ''
  let marks = 0
  const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()))
  keep(() => void child.kill('SIGKILL'))
  child.stdin.on('error', () => {})
  child.stdout.setEncoding('utf8')
  const ask = (sql: string) =>
    new Promise<string>((resolve, reject) => {
      const mark = `mark ${(marks += 1)}\n`
      const take = (text: string) => {
        out += text
        const at = out.indexOf(mark)
        if (at < 0) return
        child.stdout.off('data', take)
        const said = out.slice(0, at).trim()
        out = out.slice(at + mark.length)
        resolve(said)
      }
      child.stdout.on('data', take)
      void ended.then(() => reject(new Error('the session has ended')))
      child.stdin.write(`${sql}\n\\echo ${mark}`)
    })
  return { ask, child, ended }
}
