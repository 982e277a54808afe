import type { Asked, Identified } from '../../../model/exchange.ts'
import type { Ask } from '../ask.ts'

/** What a rehearsal takes for a decision point's answer; `down`: it does not answer. */
export type StatedAnswer = 'allow' | 'deny' | 'down'

/** Answers for decision points from what is stated of each request; what is not stated is allowed, and marked as unasked. Reaches nothing. */
export function buildStatedAsk(statedOf: (x: Identified) => Readonly<Record<string, StatedAnswer>>): Ask {
  return async (x, { name, mode, onFailure }) => {
    const stated = statedOf(x)
    const answer = Object.hasOwn(stated, name) ? stated[name] : undefined
    const about = { decider: name, reason: undefined, tookMs: 0, audit: mode === 'audit' }
    const asked: Asked =
      answer === 'down'
        ? { ...about, outcome: onFailure === 'allow' ? 'failed_open' : 'failed_closed', source: 'stated', problem: 'it is stated to be down' }
        : { ...about, outcome: answer === 'deny' ? 'denied' : 'allowed', source: answer === undefined ? 'unasked' : 'stated', problem: undefined }
    return { asked, status: undefined, challenge: undefined, given: [] }
  }
}
