import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { LoadedFolder, LoadRequest } from './load-folder.ts'

/** A load that takes longer, or more memory, is given up: the policies in force stay. */
const timeLimitMs = 60_000
const memoryLimitMb = 1024

// The program stands beside this file, in the source tree and in what was compiled from it.
const program = fileURLToPath(import.meta.url.endsWith('.ts') ? new URL('./load-program.ts', import.meta.url) : new URL('./load-program.js', import.meta.url))

/**
 * Loads the folder in a process of its own, so that a large parse never holds a request up, and what it took goes back when it is over: of a thread's
 * memory, most stays with the process for good. @throws Error when the process fails.
 */
export function loadInProcess(request: LoadRequest): Promise<LoadedFolder> {
  return new Promise((resolve, reject) => {
    // Standard output is the log's.
    const child = fork(program, [], {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${memoryLimitMb}`],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const timer = setTimeout(() => {
      reject(new Error(`the policies were not loaded within ${timeLimitMs / 1000} s`))
      child.kill('SIGKILL')
    }, timeLimitMs)
    const failed = (why: string) => {
      clearTimeout(timer)
      reject(new Error(`the process that loads the policies ${why}`))
    }
    child.once('message', (loaded) => resolve(loaded as LoadedFolder)) // the only message of the program, which then ends by itself
    child.once('error', (error) => failed(`failed: ${error.message}`))
    // Only the first settling counts: after a message this changes nothing.
    child.once('exit', (code, signal) => failed(`ended with ${signal ?? `status ${code}`}`))
    child.send(request, (error) => {
      if (error !== null) failed(`was not reached: ${error.message}`)
    })
  })
}
