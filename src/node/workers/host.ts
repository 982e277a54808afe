import type { Shared } from '../../core/ports.ts'
import type { AskedCounters } from '../counters.ts'
import type { CountArrivals } from '../listeners.ts'
import { type Answer, type Question, readDescriptor, type WrittenDescriptor, writeTaken } from './question.ts'
import type { Wire } from './wire.ts'

/** What all worker processes have together. */
export interface Common {
  readonly counters: AskedCounters
  readonly shared: Shared
  readonly arrivals: CountArrivals
}

/** What is held for one worker, by lease. */
class Held {
  readonly #releases = new Map<number, () => void>()
  #gone = false

  add(lease: number, release: () => void): void {
    if (this.#gone) release()
    else this.#releases.set(lease, release)
  }

  free(lease: number): boolean {
    this.#releases.get(lease)?.()
    return this.#releases.delete(lease)
  }

  freeAll(): void {
    this.#gone = true
    for (const release of this.#releases.values()) release()
    this.#releases.clear()
  }
}

/** Answers what worker processes ask of what they share. It belongs to the primary process; what a worker holds is free when that is gone. */
export class Host {
  readonly #common: Common
  readonly #arrivals = new Map<string, ReturnType<CountArrivals>>()
  #lease = 0

  constructor(common: Common) {
    this.#common = common
  }

  /** Answers a worker until it is gone. */
  serve(wire: Wire): void {
    const held = new Held()
    wire.read(
      (line) => void this.#answer(line, wire, held),
      () => held.freeAll(),
    )
  }

  async #answer(line: string, wire: Wire, held: Held): Promise<void> {
    const [number, questions] = JSON.parse(line) as [number, readonly Question[]] // written by `Asking`
    const leases: number[] = []
    // All of them begin in this turn and in their order, so what is counted in memory is counted now.
    const answers = await Promise.all(questions.map((question) => this.#one(question, held, leases)))
    wire.send(JSON.stringify([number, answers, leases]))
  }

  async #one(question: Question, held: Held, leases: number[]): Promise<Answer> {
    try {
      return { is: (await this.#say(question, held, leases)) ?? null }
    } catch (error) {
      return { failed: error instanceof Error ? error.message : String(error) }
    }
  }

  #say(question: Question, held: Held, leases: number[]): Promise<unknown> {
    const { shared } = this.#common
    switch (question[0]) {
      case 'take':
        return this.#take(question[1], held, leases)
      case 'charge':
        return this.#charge(question[1])
      case 'peek':
        return this.#peek(question[1])
      case 'forget':
        return this.#common.counters.forget(readDescriptor(question[1]))
      case 'free':
        return Promise.resolve(held.free(question[1]))
      case 'claim':
        return shared.claim(question[1], question[2])
      case 'get':
        return shared.get(question[1])
      case 'delete':
        return shared.delete(question[1])
      case 'set':
        return shared.set(question[1], question[2], question[3] ?? undefined)
      case 'arrive':
      default:
        return this.#arrive(question)
    }
  }

  async #take(written: readonly WrittenDescriptor[], held: Held, leases: number[]): Promise<unknown> {
    const taken = await this.#common.counters.take(written.map(readDescriptor))
    if (taken.release === undefined) return writeTaken(taken, 0)
    const lease = ++this.#lease
    held.add(lease, taken.release)
    leases.push(lease)
    return writeTaken(taken, lease)
  }

  async #charge(written: readonly WrittenDescriptor[]): Promise<unknown> {
    return writeTaken({ refusedBy: undefined, readings: await this.#common.counters.charge(written.map(readDescriptor)) }, 0)
  }

  async #peek(written: readonly WrittenDescriptor[]): Promise<unknown> {
    return writeTaken(await this.#common.counters.peek(written.map(readDescriptor)), 0)
  }

  /** A limit that says other numbers since the policies changed counts anew. */
  #arrive([, listener, points, windowMs, network]: Extract<Question, readonly ['arrive', ...unknown[]]>): Promise<boolean> {
    const name = `${listener} ${points} ${windowMs}`
    const count = this.#arrivals.get(name) ?? this.#common.arrivals(listener, { points, windowMs })
    this.#arrivals.set(name, count)
    return count(network)
  }
}
