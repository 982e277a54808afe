import type { Reply } from '../../model/call.ts'
import type { Outcome } from '../retry.ts'

/** The answer that an outcome is. @throws Fault where it is none */
export function standing(outcome: Outcome): Reply {
  if (outcome.kind === 'fault') throw outcome.fault
  return outcome.reply
}

/** Lets go of an answer nobody will read, so that its stream is closed. */
export async function discard(outcome: Outcome): Promise<void> {
  if (outcome.kind === 'fault') return
  const source = outcome.reply.kind === 'grpc' ? outcome.reply.messages : outcome.reply.body
  if (source === undefined || source instanceof Uint8Array) return
  await source[Symbol.asyncIterator]().return?.()
}
