import { Socket } from 'node:net'
import { createClock } from '../clock.ts'
import { StartError } from '../gateway/start.ts'
import { Asking } from './asking.ts'
import { storeDescriptor } from './descriptors.ts'
import type { Done, Order } from './orders.ts'
import { openWire } from './wire.ts'
import { Worker } from './worker.ts'

// The program of a worker process: orders come over its channel to the primary. When the primary is gone it ends at once.
const wire = openWire(new Socket({ fd: storeDescriptor, readable: true, writable: true }))
const worker = new Worker(new Asking(wire, createClock()), process.env)

// What is told to the whole group, as a terminal or a service manager does, the primary says to its workers in its own order.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
process.on('unhandledRejection', (reason) => worker.bug('unhandled_rejection', reason))
process.on('uncaughtException', (error) => {
  worker.bug('uncaught_exception', error)
  void worker.end(1)
})
process.on('message', (message: Order) => void carryOut(message))
process.exitCode = await worker.over
process.exit()

async function carryOut({ order, name, given }: Order): Promise<void> {
  tell(await done(order, name, given))
}

async function done(order: number, name: Order['name'], given: unknown): Promise<Done> {
  try {
    const hand = worker.hands[name] as (given: unknown) => Promise<unknown> // what the primary gives with this order
    return { done: order, is: await hand(given) }
  } catch (error) {
    return { done: order, failed: error instanceof Error ? error.message : String(error), diagnostics: error instanceof StartError ? error.diagnostics : [] }
  }
}

function tell(message: Done): void {
  if (process.connected) process.send?.(message)
}
