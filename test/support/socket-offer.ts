import type { Fault } from '../../src/core/model/fault.ts'
import type { Fields, SocketOffer } from '../../src/core/model/wire.ts'

/** A WebSocket without a socket: these messages come, then the end or the fault. */
export interface FakeSocketOffer extends SocketOffer {
  /** What the 101 said. */
  readonly head: () => Fields | undefined
  readonly limit: () => number | undefined
  /** Messages taken. */
  readonly taken: () => number
}

export function socketOffer(messages: readonly string[] = [], then?: Fault): FakeSocketOffer {
  let head: Fields | undefined
  let limit: number | undefined
  let taken = 0
  return {
    protocol: 'websocket',
    pass: () => ({ said: () => noBytes(), heard: () => {} }),
    get opened() {
      return head !== undefined
    },
    received: 0,
    open(given, most) {
      head = given
      limit = most
      return (async function* () {
        for (const message of messages) {
          taken += 1
          yield new TextEncoder().encode(message)
        }
        if (then !== undefined) throw then
      })()
    },
    head: () => head,
    limit: () => limit,
    taken: () => taken,
  }
}

async function* noBytes(): AsyncIterable<Uint8Array> {}
