import { Metadata, Server, ServerCredentials, type ServerDuplexStream, type ServerReadableStream, type ServerWritableStream, status } from '@grpc/grpc-js'
import { vi } from 'vitest'
import type { Keep } from './keep.ts'

/** One call as the odd service saw it. */
export interface OddStream {
  readonly method: string
  readonly metadata: Readonly<Record<string, string>>
  /** Milliseconds of `performance.now()` at which the service heard that the call was cancelled. */
  readonly cancelled: Promise<number>
}

/**
 * An Orders service whose streams do what the shop's never do. Chat gives every message back as it is, and fails over one that says "fail";
 * WatchOrders fails at once, after one event when one is asked for, and never when two are; ImportOrders never reads.
 */
export interface OddStreams {
  readonly port: number
  readonly calls: readonly OddStream[]
  call(count: number): Promise<OddStream>
}

/** WatchOrdersRequest with a count of one, and of two. */
export const watchAndFail: Buffer = Buffer.from([0x10, 1])
export const watchInSilence: Buffer = Buffer.from([0x10, 2])
/** OrderEvent with the sequence 1. */
const eventOne = Buffer.from([0x08, 1])

export async function openOddStreams(keep: Keep): Promise<OddStreams> {
  const calls: OddStream[] = []
  const whole = (bytes: Buffer) => bytes
  const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
    path: `/shop.v1.Orders/${name}`,
    requestStream,
    responseStream,
    requestSerialize: whole,
    requestDeserialize: whole,
    responseSerialize: whole,
    responseDeserialize: whole,
  })
  const see = (name: string, call: ServerWritableStream<Buffer, Buffer> | ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>) => {
    const cancelled = new Promise<number>((resolve) => void (call as NodeJS.EventEmitter).on('cancelled', () => resolve(performance.now())))
    const metadata = Object.fromEntries(Object.entries(call.metadata.getMap()).map(([key, value]) => [key, String(value)]))
    calls.push({ method: name, metadata, cancelled })
  }
  const server = new Server()
  server.addService(
    { Chat: method('Chat', true, true), WatchOrders: method('WatchOrders', false, true), ImportOrders: method('ImportOrders', true, false) },
    {
      Chat(call: ServerDuplexStream<Buffer, Buffer>) {
        see('Chat', call)
        call.on('data', (message: Buffer) => {
          if (message.includes('fail')) {
            const trailers = new Metadata()
            call.emit('error', { code: status.FAILED_PRECONDITION, details: 'not now', metadata: trailers })
          } else call.write(message)
        })
        call.on('end', () => call.end())
      },
      WatchOrders(call: ServerWritableStream<Buffer, Buffer>) {
        see('WatchOrders', call)
        if (call.request.equals(watchAndFail) || call.request.equals(watchInSilence)) call.write(eventOne)
        if (call.request.equals(watchInSilence)) return
        const begun = call.request.equals(watchAndFail)
        call.emit('error', begun ? { code: status.FAILED_PRECONDITION, details: 'not now' } : { code: status.NOT_FOUND, details: 'nothing to watch' })
      },
      ImportOrders(call: ServerReadableStream<Buffer, Buffer>) {
        see('ImportOrders', call)
      },
    },
  )
  keep(() => server.forceShutdown())
  const port = await new Promise<number>((bound, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => (error === null ? bound(at) : fail(error)))
  })
  const call = (count: number) =>
    vi.waitFor(
      () => {
        const seen = calls[count]
        if (seen === undefined) throw new Error(`call ${count} has not come`)
        return seen
      },
      { timeout: 10_000, interval: 2 },
    )
  return { port, calls, call }
}
