import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('faulty-server.ts', import.meta.url))

/** `cut`: half of a body whose length was announced, then a reset. */
export type Mode = 'ok' | '503' | 'cut'

/** A service in a process of its own, which can be harmed. */
export interface FaultyEndpoint {
  readonly port: number
  say(mode: Mode): Promise<void>
  freeze(): void
  thaw(): void
  kill(): Promise<void>
  /** On the same port. */
  restart(): Promise<void>
  close(): Promise<void>
}

export async function startFaultyEndpoint(): Promise<FaultyEndpoint> {
  let child = await start(0)
  const port = child.port
  const end = async () => {
    if (child.process.exitCode !== null || child.process.signalCode !== null) return
    const gone = once(child.process, 'exit')
    child.process.kill('SIGKILL')
    await gone
  }
  return {
    port,
    say: (mode) => child.say(mode),
    freeze: () => void child.process.kill('SIGSTOP'),
    thaw: () => void child.process.kill('SIGCONT'),
    kill: end,
    async restart() {
      await end()
      child = await start(port)
    },
    close: end,
  }
}

async function start(port: number): Promise<{ readonly process: ChildProcess; readonly port: number; say(mode: Mode): Promise<void> }> {
  const process_ = spawn(process.execPath, [program, `${port}`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: process_.stdout })
  const [first] = (await once(lines, 'line', { signal: AbortSignal.timeout(20_000) })) as [string]
  return {
    process: process_,
    port: Number(first),
    async say(mode) {
      const heard = once(lines, 'line', { signal: AbortSignal.timeout(20_000) })
      process_.stdin.write(`${mode}\n`)
      await heard
    },
  }
}
