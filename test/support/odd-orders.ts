import { fromJson, toBinary } from '@bufbuild/protobuf'
import { Metadata, Server, ServerCredentials, type ServerUnaryCall, status } from '@grpc/grpc-js'
import { vi } from 'vitest'
import { builtinRegistry } from '../../src/core/protobuf.ts'
import type { Keep } from './keep.ts'

/** One call as the odd service saw it. */
export interface OddCall {
  /** Milliseconds left when it arrived. */
  readonly remainingMs: number
  readonly cancelled: Promise<void>
}

/**
 * An Orders service that does what the shop's never does: GetOrder is never answered, CancelOrder fails with error details and trailers of its
 * own. Both are unary.
 */
export interface OddOrders {
  readonly port: number
  readonly calls: readonly OddCall[]
  call(count: number): Promise<OddCall>
}

/** What it says when it fails, and the google.rpc.Status with an ErrorInfo it sends along, in bytes. */
export const oddMessage = 'too late: 100 % shipped'
export const oddDetails: Buffer = statusWithDetails()

export async function openOddOrders(keep: Keep): Promise<OddOrders> {
  const calls: OddCall[] = []
  const server = new Server()
  const whole = (bytes: Buffer) => bytes
  const unary = (name: string) => ({
    path: `/shop.v1.Orders/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: whole,
    requestDeserialize: whole,
    responseSerialize: whole,
    responseDeserialize: whole,
  })
  server.addService(
    { GetOrder: unary('GetOrder'), CancelOrder: unary('CancelOrder') },
    {
      GetOrder(call: ServerUnaryCall<Buffer, Buffer>) {
        const deadline = call.getDeadline()
        const remainingMs = (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now()
        calls.push({ remainingMs, cancelled: new Promise((resolve) => void call.on('cancelled', () => resolve())) })
      },
      CancelOrder(_call: unknown, answer: (error: object) => void) {
        const trailers = new Metadata()
        trailers.set('x-why', 'shipped already')
        trailers.set('grpc-status-details-bin', oddDetails)
        answer({ code: status.FAILED_PRECONDITION, details: oddMessage, metadata: trailers })
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

function statusWithDetails(): Buffer {
  const type = builtinRegistry.getMessage('google.rpc.Status')
  if (type === undefined) throw new Error('google.rpc.Status is not built in')
  const reason = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'SHIPPED', domain: 'shop.example' }
  return Buffer.from(
    toBinary(type, fromJson(type, { code: status.FAILED_PRECONDITION, message: oddMessage, details: [reason] }, { registry: builtinRegistry })),
  )
}
