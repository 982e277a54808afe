import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('faulty-server.ts', import.meta.url))

/** `cut`: half of a body whose length was announced, then a reset. */
export type Mode = 'ok' | '503' | '503 late' | 'cut'

/** A service in a process of its own, which can be harmed. */
export interface FaultyEndpoint {
  readonly port: number
  /** How often each `METHOD PATH` has reached it, over all its lives. */
  readonly got: ReadonlyMap<string, number>
  say(mode: Mode): Promise<void>
  freeze(): void
  thaw(): void
  kill(): Promise<void>
  /** On the same port. */
  restart(): Promise<void>
  close(): Promise<void>
}

export async function startFaultyEndpoint(): Promise<FaultyEndpoint> {
  const got = new Map<string, number>()
  const take = (request: string) => void got.set(request, (got.get(request) ?? 0) + 1)
  let child = await start(0, take)
  const port = child.port
  const end = async () => {
    if (child.process.exitCode !== null || child.process.signalCode !== null) return
    const gone = once(child.process, 'exit')
    child.process.kill('SIGKILL')
    await gone
  }
  return {
    port,
    got,
    say: (mode) => child.say(mode),
    freeze: () => void child.process.kill('SIGSTOP'),
    thaw: () => void child.process.kill('SIGCONT'),
    kill: end,
    async restart() {
      await end()
      child = await start(port, take)
    },
    close: end,
  }
}

interface Running {
  readonly process: ChildProcess
  readonly port: number
  say(mode: Mode): Promise<void>
}

async function start(port: number, take: (request: string) => void): Promise<Running> {
  const process_ = spawn(process.execPath, [program, `${port}`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting: ((word: string) => void)[] = []
  createInterface({ input: process_.stdout }).on('line', (line) => {
    if (line.startsWith('got ')) take(line.slice(4))
    else waiting.shift()?.(line)
  })
  const heard = () =>
    new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('a faulty endpoint does not answer')), 20_000)
      waiting.push((word) => {
        clearTimeout(late)
        resolve(word)
      })
    })
  return {
    process: process_,
    port: Number(await heard()),
    async say(mode) {
      process_.stdin.write(`${mode}\n`)
      await heard()
    },
  }
}
