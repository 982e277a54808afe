import type { Clock } from '../../core/ports.ts'
import type { Answer, Question } from './question.ts'
import type { Wire } from './wire.ts'

/** The process that was asked did not answer, or has gone. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError'
  readonly reason: 'timeout' | 'connection'

  constructor(reason: 'timeout' | 'connection') {
    super(reason === 'timeout' ? 'the primary process does not answer' : 'the primary process is gone')
    this.reason = reason
  }
}

interface Asked {
  readonly question: Question
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** It is on this machine and does little else: only one that is stopped is silent for so long. Milliseconds. */
const patienceMs = 1000

/**
 * Asks the primary process. All questions of one turn of the event loop travel together, and so do their answers. What is given to be held by an
 * answer that comes too late is given back.
 */
export class Asking {
  readonly #wire: Wire
  readonly #clock: Pick<Clock, 'after'>
  readonly #soon: (run: () => void) => void
  readonly #under = new Map<number, { readonly asked: readonly Asked[]; readonly timer: { cancel(): void } }>()
  #next: Asked[] = []
  #number = 0
  #gone = false

  /** `soon` runs something at the end of this turn. */
  constructor(wire: Wire, clock: Pick<Clock, 'after'>, soon: (run: () => void) => void = setImmediate) {
    this.#wire = wire
    this.#clock = clock
    this.#soon = soon
    wire.read(
      (line) => this.#hear(line),
      () => this.#end(),
    )
  }

  /** Rejects with UnansweredError, or with an Error that says what the other side said. */
  ask(question: Question): Promise<unknown> {
    if (this.#gone) return Promise.reject(new UnansweredError('connection'))
    return new Promise((resolve, reject) => {
      if (this.#next.length === 0) this.#soon(() => this.#flush())
      this.#next.push({ question, resolve, reject })
    })
  }

  #flush(): void {
    const asked = this.#next
    this.#next = []
    if (this.#gone) return fail(asked, 'connection')
    const number = ++this.#number
    // If this process had no time itself, the answer is here and not read yet: it is, before the end of the turn.
    const timer = this.#clock.after(patienceMs, () => this.#soon(() => this.#under.delete(number) && fail(asked, 'timeout')))
    this.#under.set(number, { asked, timer })
    this.#wire.send(JSON.stringify([number, asked.map(({ question }) => question)]))
  }

  #hear(line: string): void {
    const [number, answers, leases] = JSON.parse(line) as [number, readonly Answer[], readonly number[]] // written by the host
    const there = this.#under.get(number)
    if (there === undefined) {
      // Nobody waits for it any more.
      for (const lease of leases) void this.ask(['free', lease]).catch(() => undefined)
      return
    }
    this.#under.delete(number)
    there.timer.cancel()
    for (const [i, { resolve, reject }] of there.asked.entries()) {
      const answer = answers[i]
      if (answer !== undefined && 'is' in answer) resolve(answer.is)
      else reject(new Error(answer?.failed ?? 'no answer among those of the primary process'))
    }
  }

  #end(): void {
    this.#gone = true
    for (const { asked, timer } of this.#under.values()) {
      timer.cancel()
      fail(asked, 'connection')
    }
    this.#under.clear()
  }
}

function fail(asked: readonly Asked[], reason: 'timeout' | 'connection'): void {
  for (const { reject } of asked) reject(new UnansweredError(reason))
}
