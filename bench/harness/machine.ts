import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { cpuTicks, parseCpuList, parseMachineTimes, read } from './proc.ts'

/** Where the figures come from. */
export interface Machine {
  readonly cpu: string
  readonly cpus: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** Average number of runnable processes over the last minute, before the run: above 0.5 it is not a quiet machine. */
  readonly loadBefore: number
  /** CPU of the program under test, and those of everything else; undefined where they cannot be held apart. */
  readonly pinning: Pinning | undefined
}

export interface Pinning {
  readonly underTest: string
  readonly others: string
}

/** @throws Error where the machine cannot tell CPU times. */
export function describeMachine(): Machine {
  if (read('/proc/self/stat') === undefined) throw new Error('CPU time per request is read from /proc: the bench needs Linux')
  return {
    cpu: (cpus()[0]?.model ?? 'unknown').trim(),
    cpus: allowedCpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
    pinning: pinning(),
  }
}

function allowedCpus(): readonly number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(read('/proc/self/status') ?? '')?.[1]
  return list === undefined ? cpus().map((_, index) => index) : parseCpuList(list)
}

/** The last CPU for the program under test, the rest for the load and the backend. */
function pinning(): Pinning | undefined {
  const allowed = allowedCpus()
  if (allowed.length < 2 || findProgram('taskset') === undefined) return undefined
  return { underTest: String(allowed.at(-1)), others: allowed.slice(0, -1).join(',') }
}

/** What disturbed a measurement, as shares of all the CPU time there was. */
export interface Disturbance {
  /** Given to others by the hypervisor. */
  readonly steal: number
  /** Used by processes that are not of this run. */
  readonly foreign: number
}

/** Watches from now until the function is called. */
export function watchMachine(): () => Disturbance {
  const look = () => ({ ...parseMachineTimes(read('/proc/stat') ?? ''), own: cpuTicks(process.pid) })
  const before = look()
  return () => {
    const after = look()
    const all = Math.max(1, after.all - before.all)
    const foreign = after.busy - before.busy - (after.own - before.own)
    return { steal: (after.stolen - before.stolen) / all, foreign: Math.max(0, foreign) / all }
  }
}

/** Ticks per second of the figures in /proc. */
export async function ticksPerSecond(): Promise<number> {
  return Number(await outputOf('getconf', ['CLK_TCK'])) || 100
}

/** Full path of a program; looks where Debian puts servers too. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** What a program prints on both outputs, whatever its exit status; undefined when it cannot be run. */
export async function outputOf(command: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { timeout: 10_000 })
    return `${stdout}${stderr}`.trim()
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    const said = `${stdout ?? ''}${stderr ?? ''}`.trim()
    return said === '' ? undefined : said
  }
}
