import type { Running } from './main.ts'

/** What a process tells: `process` itself, or a double. */
export interface Signalling {
  on(event: string, listener: (...args: readonly unknown[]) => void): unknown
  off(event: string, listener: (...args: readonly unknown[]) => void): unknown
}

/** What signals are told to. `failed` settles when it cannot go on serving. */
export interface Told extends Pick<Running, 'reload' | 'close' | 'bug'> {
  readonly failed?: Promise<unknown>
}

/**
 * Serves until the process is told to stop, and returns its exit status. SIGTERM and SIGINT drain; a second one cuts what is left. SIGHUP looks at
 * the policies folder. An unhandled rejection is counted as a bug and serving goes on; after an uncaught exception nothing is certain any
 * more, so the gateway drains and the status is 1.
 */
export async function serveUntilTold(running: Told, process: Signalling): Promise<number> {
  const end = Promise.withResolvers<number>()
  let told = false
  const stop = (status: number) => {
    if (told) void running.close({ hurry: true })
    told = true
    end.resolve(status)
  }
  const handlers: readonly (readonly [event: string, handler: (...args: readonly unknown[]) => void])[] = [
    ['SIGTERM', () => stop(0)],
    ['SIGINT', () => stop(0)],
    ['SIGHUP', () => void running.reload()],
    ['unhandledRejection', (reason) => running.bug('unhandled_rejection', reason)],
    [
      'uncaughtException',
      (error) => {
        running.bug('uncaught_exception', error)
        stop(1)
      },
    ],
  ]
  for (const [event, handler] of handlers) process.on(event, handler)
  void running.failed?.then(() => stop(1))
  const status = await end.promise
  await running.close()
  for (const [event, handler] of handlers) process.off(event, handler)
  return status
}
