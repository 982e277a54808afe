import { readdirSync, readFileSync } from 'node:fs'

/** CPU clock ticks, and the processes that a process has started. */
export interface ProcessTimes {
  readonly user: number
  readonly system: number
  /** Of children that have ended and were waited for. */
  readonly childUser: number
  readonly childSystem: number
}

/** One line of /proc/<pid>/stat (proc_pid_stat(5), fields 14 to 17). @throws Error when it is not one. */
export function parseStat(line: string): ProcessTimes {
  // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
  const [user, system, childUser, childSystem] = line
    .slice(line.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number)
  const times = { user: user ?? Number.NaN, system: system ?? Number.NaN, childUser: childUser ?? Number.NaN, childSystem: childSystem ?? Number.NaN }
  if (!line.includes(')') || Object.values(times).some((ticks) => !Number.isSafeInteger(ticks))) throw new Error('not a line of /proc/<pid>/stat')
  return times
}

/** `VmRSS` of /proc/<pid>/status in KiB; 0 for a process without memory of its own. */
export function parseResident(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0)
}

/** Ticks of all CPUs together since the machine started. */
export interface MachineTimes {
  readonly all: number
  /** Neither idle, nor waiting for a disk, nor stolen. */
  readonly busy: number
  /** Given to others by the hypervisor. */
  readonly stolen: number
}

/** The first line of /proc/stat (proc_stat(5)). Of its figures the fourth is idle, the fifth iowait, the eighth steal; guest time is part of user time. */
export function parseMachineTimes(stat: string): MachineTimes {
  const figures = (stat.split('\n')[0] ?? '').trim().split(/\s+/).slice(1, 9).map(Number)
  const all = figures.reduce((sum, ticks) => sum + ticks, 0)
  const [, , , idle = 0, waiting = 0, , , stolen = 0] = figures
  return { all, busy: all - idle - waiting - stolen, stolen }
}

/** `0-3,8` as numbers (cpuset(7), list format). */
export function parseCpuList(list: string): readonly number[] {
  return list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from, to] = part.split('-').map(Number) as [number, number | undefined]
      return Array.from({ length: (to ?? from) - from + 1 }, (_, index) => from + index)
    })
}

/** CPU ticks that a process and everything it started have used, living and ended alike. Processes that are gone count nothing. */
export function cpuTicks(pid: number): number {
  let ticks = 0
  for (const one of processTree(pid)) {
    const line = read(`/proc/${one}/stat`)
    if (line === undefined) continue
    const times = parseStat(line)
    ticks += times.user + times.system + times.childUser + times.childSystem
  }
  return ticks
}

/** Resident memory of the tree, in MiB. */
export function residentMiB(pid: number): number {
  return processTree(pid).reduce((sum, one) => sum + parseResident(read(`/proc/${one}/status`) ?? ''), 0) / 1024
}

function processTree(pid: number): readonly number[] {
  const found = [pid]
  for (const parent of found) for (const thread of threads(parent)) found.push(...parseChildren(read(`/proc/${parent}/task/${thread}/children`) ?? ''))
  return found
}

function parseChildren(text: string): readonly number[] {
  return text.split(' ').flatMap((word) => (/^\d+$/.test(word) ? [Number(word)] : []))
}

function threads(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return [] // it has ended
  }
}

/** A file of /proc, or undefined when its process has ended. */
export function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
