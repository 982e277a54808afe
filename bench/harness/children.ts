import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import type { Child } from '../model.ts'

/** Every process this run has started; none outlives it. */
export interface Children {
  /** Starts a process, on these CPUs where the machine can do that. Its standard input stays open until we end: programs of ours end with it. */
  spawn(command: string, args: readonly string[], cpus: string | undefined): Child
  /** Runs a process to its end and returns its standard output. @throws Error with what it complained of, or when it takes longer than `mostMs`. */
  run(command: string, args: readonly string[], cpus: string | undefined, mostMs: number): Promise<string>
  closeAll(): Promise<void>
}

const graceMs = 2000

/** A registry that ends its processes by their ids when this process exits, however that comes about. */
export function openChildren(): Children {
  const alive = new Map<number, Child>()
  const killAll = () => {
    for (const pid of alive.keys()) signal(pid, 'SIGKILL')
  }
  process.on('exit', killAll)
  return {
    spawn(command, args, cpus) {
      const child = startChild(command, args, cpus)
      alive.set(child.pid, child)
      void child.ended.then(() => alive.delete(child.pid))
      return child
    },
    async run(command, args, cpus, mostMs) {
      const [file, ...words] = pinned(command, args, cpus)
      const running = promisify(execFile)(file, words, { timeout: mostMs, killSignal: 'SIGKILL', maxBuffer: 16 * 1024 * 1024 })
      const { pid } = running.child
      if (pid !== undefined) alive.set(pid, { pid, ended: Promise.resolve(undefined), complaint: () => '', close: async () => signal(pid, 'SIGKILL') })
      try {
        return (await running).stdout
      } finally {
        if (pid !== undefined) alive.delete(pid)
      }
    },
    async closeAll() {
      await Promise.all(Array.from(alive.values(), (child) => child.close()))
      process.off('exit', killAll)
    },
  }
}

function startChild(command: string, args: readonly string[], cpus: string | undefined): Child {
  const [file, ...words] = pinned(command, args, cpus)
  const child = spawn(file, words, { stdio: ['pipe', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-4000)
  })
  const ended = new Promise<number | undefined>((resolve) => {
    child.once('exit', (status) => resolve(status ?? undefined))
    child.once('error', (error) => {
      complaint += error.message
      resolve(undefined)
    })
  })
  const pid = child.pid ?? 0
  return {
    pid,
    ended,
    complaint: () => complaint.trim(),
    async close() {
      if (pid === 0) return
      signal(pid, 'SIGTERM')
      const late = setTimeout(() => signal(pid, 'SIGKILL'), graceMs)
      await ended
      clearTimeout(late)
    },
  }
}

/** taskset(1) replaces itself by the command, so the process id stays that of the command. */
function pinned(command: string, args: readonly string[], cpus: string | undefined): [string, ...string[]] {
  return cpus === undefined ? [command, ...args] : ['taskset', '-c', cpus, command, ...args]
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // it has ended by itself
  }
}
