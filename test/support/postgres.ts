import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

interface PostgresWants {
  /** PEM of what the server shows: who comes without TLS does not come in. */
  readonly tls?: { readonly certificate: string; readonly key: string }
}

/** Made once: a copy is there in a third of the time. */
let template: string | undefined

function emptyData(): string {
  if (template !== undefined) return template
  const directory = ownFolder()
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const data = join(directory, 'data')
  execFileSync('initdb', ['-D', data, '-U', 'postgres', '-A', 'trust', '-N', '--no-instructions'], { ...other, cwd: directory, stdio: 'ignore' })
  template = data
  return data
}

function ownFolder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-postgres-'))
  if (other.uid !== undefined) chownSync(directory, other.uid, other.gid)
  return directory
}

/** A real PostgreSQL on loopback whose `cluster_name` is `name`. Returns its port. */
export async function startPostgres(keep: Keep, name: string, { tls }: PostgresWants = {}): Promise<number> {
  const directory = ownFolder()
  keep(() => rmSync(directory, { recursive: true, force: true }))
  const data = join(directory, 'data')
  execFileSync('cp', ['-a', emptyData(), data], { stdio: 'ignore' })
  const port = await freePort()
  const settings = [`cluster_name=${name}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${directory}`, 'fsync=off', `port=${port}`]
  if (tls !== undefined) settings.push('ssl=on', ...tlsSettings(directory, tls))
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

/** Its files, which nobody else may read. */
function tlsSettings(directory: string, { certificate, key }: NonNullable<PostgresWants['tls']>): readonly string[] {
  const write = (name: string, text: string) => {
    const file = join(directory, name)
    writeFileSync(file, text, { mode: 0o600 })
    if (other.uid !== undefined) chownSync(file, other.uid, other.gid)
    return file
  }
  return [
    `ssl_cert_file=${write('server.crt', certificate)}`,
    `ssl_key_file=${write('server.key', key)}`,
    `hba_file=${write('hba.conf', 'hostssl all all all trust\n')}`,
  ]
}

/** One session of psql. */
export interface Psql {
  /** Sends lines, and answers what is printed until a mark behind them is. Rejects when the session ends first. */
  ask(sql: string): Promise<string>
  readonly child: ChildProcess
  /** What it complained of so far. */
  complaint(): string
  /** Settles when the session has ended. */
  readonly ended: Promise<void>
}

/** `sslMode`: what psql does where it is told nothing is `prefer`. */
export function openPsql(keep: Keep, port: number, sslMode: 'disable' | 'prefer' | 'require' = 'disable'): Psql {
  const child = spawn('psql', ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-AtqX'], {
    env: { ...process.env, PGSSLMODE: sslMode, PGGSSENCMODE: 'disable' },
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
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
  return { ask, child, complaint: () => complaint, ended }
}
