import type { Conversation } from '../conversation.ts'
import { createMessages } from './messages.ts'

export interface SessionOptions {
  /** Says something to the workload in the target's place. Given: the workload is told that there is no encryption on this side. */
  readonly answer: ((bytes: Buffer) => void) | undefined
}

const nothing = Buffer.alloc(0)
const no = Buffer.from('N')
const preambleLength = 8
/** SSLRequest and GSSENCRequest (message formats): both are answered with one byte. */
const encryptionCodes: ReadonlySet<number> = new Set([80_877_103, 80_877_104])
/** A start-up packet may have so many bytes (MAX_STARTUP_PACKET_LENGTH). */
const longestStartup = 10_000
const protocol3 = 3

const byte = (letter: string) => letter.charCodeAt(0)
const [query, functionCall, sync] = [byte('Q'), byte('F'), byte('S')]
const [copyDone, copyFail] = [byte('c'), byte('f')]
const extended: ReadonlySet<number> = new Set(['P', 'B', 'E', 'D', 'C', 'H'].map(byte))
const [readyForQuery, copyInResponse, copyBothResponse] = [byte('Z'), byte('G'), byte('W')]
const outsideTransaction = byte('I')

/**
 * A PostgreSQL session (protocol 3, message flow). It rests when the server has answered everything with ReadyForQuery and said there that no
 * transaction is open. Start-up and each Query, FunctionCall and Sync are answered with one; a workload may send many before it hears of the
 * first. What cannot be read, such as TLS of the workload's own, never rests.
 */
export function postgresConversation({ answer }: SessionOptions): Conversation {
  let stage: 'opening' | 'begun' | 'unreadable' = 'opening'
  /** Of the workload, before its start-up packet is known. */
  let held: Buffer = nothing
  let startupLeft = 0
  /** The target is asked by the workload itself whether it encrypts. */
  let asksForEncryption = false
  let hasSpoken = false
  /** What awaits a ReadyForQuery, oldest first: "S" for Sync. */
  let awaited: ('Q' | 'S')[] = []
  /** Messages of the extended protocol that no Sync has followed. */
  let unsynced = false
  /** The server takes rows from the workload, and no heed of Sync. */
  let copying = false
  let status = 0

  const near = createMessages((type) => {
    if (type === query || type === functionCall) awaited.push('Q')
    else if (type === sync && !copying) {
      awaited.push('S')
      unsynced = false
    } else if (type === copyDone || type === copyFail) copying = false
    else if (extended.has(type)) unsynced = true
  })
  const far = createMessages((type, first) => {
    if (type === readyForQuery) {
      awaited.shift()
      copying = false
      status = first
    } else if (type === copyInResponse || type === copyBothResponse) {
      // A Sync that came before is read as part of the rows, and passed over: the statement ends with the next one.
      if (awaited.includes('S')) unsynced = true
      awaited = awaited.filter((one) => one !== 'S')
      copying = true
    }
  })

  /** Reads packets of the opening until the session begins. */
  function open(chunk: Buffer): Buffer {
    const all = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    if (all.length < preambleLength) {
      held = all
      return nothing
    }
    held = nothing
    const [length, code] = [all.readUInt32BE(0), all.readUInt32BE(4)]
    if (length === preambleLength && encryptionCodes.has(code)) {
      const rest = all.subarray(preambleLength)
      if (answer !== undefined) {
        answer(no)
        return rest.length === 0 ? nothing : open(rest)
      }
      asksForEncryption = true
      if (rest.length === 0) return all
    } else if (code >>> 16 === protocol3 && length >= preambleLength && length <= longestStartup) {
      stage = 'begun'
      awaited.push('Q')
      startupLeft = length
      begun(all)
      return all
    }
    stage = 'unreadable'
    return all
  }

  function begun(chunk: Buffer): void {
    const at = Math.min(startupLeft, chunk.length)
    startupLeft -= at
    if (at < chunk.length && !near.read(chunk.subarray(at))) stage = 'unreadable'
  }

  return {
    fromNear(chunk) {
      hasSpoken = true
      if (stage === 'opening') return open(chunk)
      if (stage === 'begun') begun(chunk)
      return chunk
    },
    nearEnded: () => held,
    fromFar(chunk) {
      if (stage === 'opening' && asksForEncryption && chunk.length === 1 && chunk.equals(no)) asksForEncryption = false
      else if (stage !== 'begun' || !far.read(chunk)) stage = 'unreadable'
    },
    rests(quiet) {
      if (stage === 'opening') return quiet && !hasSpoken
      if (stage === 'unreadable' || startupLeft > 0 || !near.atBoundary || !far.atBoundary) return false
      return awaited.length === 0 && !unsynced && status === outsideTransaction
    },
  }
}
