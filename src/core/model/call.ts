import type { Body, Fields, Outbound, Passage, Upgrade } from './wire.ts'

/** A request to an HTTP upstream. */
export interface HttpCall {
  readonly kind: 'http'
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** What the upstream reads as Host or `:authority`. */
  readonly authority: string
  /** Path and query exactly as they go on the wire. */
  readonly target: string
  readonly headers: Fields
  readonly body: Body | undefined
  /**
   * Asks the upstream to change the protocol. A 101 that fits is the reply, with what the upstream says as its body, which ends when neither side has
   * more to say; nothing of the passage is read before. Any other answer is one like any other.
   */
  readonly upgrade?: (Upgrade & Passage) | undefined
}

/** A request to a gRPC upstream; messages are serialized protobuf without the five framing bytes. */
export interface GrpcCall {
  readonly kind: 'grpc'
  /** `/package.Service/Method` */
  readonly path: string
  readonly authority: string
  readonly metadata: Fields
  /** One message for unary and server-streaming calls; pulled one at a time otherwise. */
  readonly messages: Uint8Array | AsyncIterable<Uint8Array>
  /** The upstream answers with a stream of messages. */
  readonly serverStream: boolean
}

/** How a gRPC call ended (RFC-like status of grpc.io: `grpc-status`, `grpc-message`, `grpc-status-details-bin`). */
export interface GrpcStatus {
  readonly code: number
  readonly message: string
  readonly details: Uint8Array | undefined
  readonly trailers: Fields
}

/** An HTTP upstream's answer. Its body ends with an error, never cleanly, when the upstream broke off. */
export type HttpReply = { readonly kind: 'http' } & Outbound

/** A gRPC upstream's answer. `messages` ends cleanly whatever the status; `status` is known from then on. */
export interface GrpcReply {
  readonly kind: 'grpc'
  readonly metadata: Fields
  readonly messages: AsyncIterable<Uint8Array>
  readonly status: () => GrpcStatus
}

/** An upstream's answer, in the dialect it spoke. */
export type Reply = HttpReply | GrpcReply
