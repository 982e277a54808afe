import { Worker } from 'node:worker_threads'
import type { LoadedFolder, LoadRequest } from './load-folder.ts'

/** A load that takes longer, or more memory, is given up: the policies in force stay. */
const timeLimitMs = 60_000
const memoryLimitMb = 1024

// The worker stands beside this file, in the source tree and in what was compiled from it.
const entry = import.meta.url.endsWith('.ts') ? new URL('./load-worker.ts', import.meta.url) : new URL('./load-worker.js', import.meta.url)

/** Loads the folder in a thread of its own, so that a large parse never holds a request up. @throws Error when the thread fails. */
export function loadInThread(request: LoadRequest): Promise<LoadedFolder> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entry, { workerData: request, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: memoryLimitMb } })
    const timer = setTimeout(() => {
      reject(new Error(`the policies were not loaded within ${timeLimitMs / 1000} s`))
      void worker.terminate()
    }, timeLimitMs)
    worker.once('message', (loaded: LoadedFolder) => {
      resolve(loaded)
      void worker.terminate()
    })
    worker.once('error', reject)
    worker.once('exit', (code) => {
      clearTimeout(timer)
      // Only the first settling counts: after a message this changes nothing.
      reject(new Error(`the thread that loads the policies ended with status ${code}`))
    })
  })
}
