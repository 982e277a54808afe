import type { GrpcCall, HttpCall } from '../model/call.ts'
import type { Retry } from '../model/retry.ts'
import type { Body } from '../model/wire.ts'

/** A call, and whether it can be sent more than once. */
export interface Replayable<Call> {
  readonly call: Call
  readonly replayable: boolean
}

/** Bodies up to this many bytes are kept for a second try where the policies say nothing. */
const usualBytes = 64 * 1024

/** Keeps the body where another try may need it and its announced length is small; any other body streams through once. */
export async function keepForReplay<Call extends HttpCall | GrpcCall>(call: Call, retry: Pick<Retry, 'bodies'> | undefined): Promise<Replayable<Call>> {
  if (call.kind === 'grpc') return { call, replayable: call.messages instanceof Uint8Array }
  const { body } = call
  if (body === undefined) return { call, replayable: true }
  const keptBytes = retry?.bodies ?? usualBytes
  if (retry === undefined || body.length === undefined || body.length > keptBytes) return { call, replayable: false }
  return { call: { ...call, body: bodyFrom(await body.bytes(keptBytes)) }, replayable: true }
}

/** A body that is there already and can be read again and again. */
function bodyFrom(bytes: Uint8Array): Body {
  return {
    length: bytes.byteLength,
    bytes: () => bytes,
    async *chunks() {
      yield bytes
    },
  }
}
