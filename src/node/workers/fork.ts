import cluster from 'node:cluster'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { storeDescriptor } from './descriptors.ts'
import { type Hand, openHand } from './hand.ts'
import { relayLines } from './relay.ts'
import { openWire, type Wire } from './wire.ts'

// The program stands beside this file, in the source tree and in what was compiled from it.
const program = fileURLToPath(import.meta.url.endsWith('.ts') ? new URL('./program.ts', import.meta.url) : new URL('./program.js', import.meta.url))

export interface ForkParts {
  /** Takes what the process writes to its standard output, in whole lines. */
  readonly lines: (lines: string) => void
  /** Serves what the process asks. */
  readonly serve: (wire: Wire) => void
}

/**
 * Starts worker processes of this one, which share its listeners: new connections go to them in turn. Standard error is ours; what they write to
 * standard output comes to `lines`.
 */
export function openFork({ lines, serve }: ForkParts): () => Hand {
  cluster.setupPrimary({ exec: program, args: [], serialization: 'advanced', stdio: ['ignore', 'pipe', 'inherit', 'ipc', 'pipe'] })
  return () => {
    const worker = cluster.fork()
    const child = worker.process
    if (child.stdout !== null) relayLines(child.stdout, lines)
    serve(openWire(child.stdio[storeDescriptor] as Socket)) // both ways, as node:child_process makes every pipe above 2
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      // After `exit`, when what it wrote has been read.
      child.once('close', (status: number | null, signal: string | null) => resolve(signal ?? `status ${status}`))
    })
    const { hand, hear } = openHand({
      pid: child.pid ?? 0,
      // A process that is gone says so by its end.
      post: (order) => void (worker.isConnected() && worker.send(order, undefined, () => {})),
      ended,
      kill: () => void child.kill('SIGKILL'),
    })
    worker.on('message', hear)
    return hand
  }
}
