import type { GrpcCall, GrpcReply } from '../../core/model/call.ts'
import type { CallOptions, Endpoint } from '../../core/ports.ts'
import type { DialPorts } from './dial.ts'
import { type Wire, wrongKind } from './wire.ts'

/** Loads what speaks gRPC, which is much: a process without gRPC clusters goes without. @throws Error when it cannot be loaded. */
export function loadGrpc(): Promise<typeof import('./grpc.ts')> {
  return import('./grpc.ts')
}

/** gRPC that is opened by its first call. */
export function openLateGrpc(endpoint: Endpoint, ports: DialPorts): Wire {
  let wire: Wire | undefined
  let closed = false
  const begin = async (call: GrpcCall, options: CallOptions): Promise<GrpcReply> => {
    const { openGrpc } = await loadGrpc()
    wire ??= openGrpc(endpoint, ports)
    const reply = wire.grpc(call, options)
    // Let go of while it was loaded: then it ends with what is under way.
    if (closed) wire.close()
    return reply
  }
  return {
    http: () => wrongKind(endpoint),
    grpc: (call, options) => (wire === undefined ? begin(call, options) : wire.grpc(call, options)),
    get connections() {
      return wire?.connections ?? 0
    },
    close() {
      closed = true
      wire?.close()
    },
  }
}
