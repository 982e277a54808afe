import type { Arrival } from './model/exchange.ts'
import type { Outbound } from './model/wire.ts'
import type { Snapshot } from './snapshot.ts'

/** A snapshot with the requests that read it. It closes once it is out of force and the last of them is over. */
interface Held {
  readonly snapshot: Snapshot
  users: number
  closing: { readonly done: Promise<void>; readonly start: () => void } | undefined
}

/** The snapshot in force. A request reads it once and keeps it to its end; a reload never changes one under way. */
export class Live {
  #current: Held
  #inFlight = 0
  #idle: (() => void)[] = []
  #held: Promise<void> | undefined
  readonly #watching = new Set<() => void>()

  constructor(first: Snapshot) {
    this.#current = hold(first)
  }

  get current(): Snapshot {
    return this.#current.snapshot
  }

  /** Requests under way, over all snapshots. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Walks one request through the snapshot in force, which stays open until the request is over: answer and lifeline. */
  async walk(wing: 'ingress' | 'egress', arrival: Arrival): Promise<Outbound> {
    if (wing === 'egress' && this.#held !== undefined) await this.begin()
    const held = this.#enter()
    try {
      return await held.snapshot[wing](arrival)
    } finally {
      arrival.lifeline.onOver(() => this.#leave(held))
    }
  }

  /** Asks the snapshot in force about an egress call that is no request. It stays open until the answer is there. */
  async ask<T>(question: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    await this.begin()
    const held = this.#enter()
    try {
      return await question(held.snapshot)
    } finally {
      this.#leave(held)
    }
  }

  /**
   * Puts `next` in force for every request from now on. The promise settles when the previous snapshot has closed,
   * after the last request that read it; nobody needs to wait for it.
   * @throws what closing the previous snapshot threw.
   */
  publish(next: Snapshot): Promise<void> {
    const previous = this.#current
    this.#current = hold(next)
    for (const changed of this.#watching) changed()
    return retire(previous)
  }

  /**
   * Lets no egress call begin until what it returns is called: between processes that change together nobody is a step ahead. Calls wait, they
   * are not refused; those under way go on.
   */
  hold(): () => void {
    const gate = Promise.withResolvers<void>()
    const mine = gate.promise
    this.#held = mine
    return () => {
      if (this.#held === mine) this.#held = undefined
      gate.resolve()
    }
  }

  /** Settles when egress calls may begin: at once, unless they are held. */
  async begin(): Promise<void> {
    while (this.#held !== undefined) await this.#held
  }

  /** Calls `changed` whenever another snapshot is in force. Returns a way to stop. */
  watch(changed: () => void): () => void {
    this.#watching.add(changed)
    return () => void this.#watching.delete(changed)
  }

  /** Settles once no request is under way. */
  idle(): Promise<void> {
    return this.#inFlight === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Closes the snapshot in force when its last request is over. No request may come after. */
  close(): Promise<void> {
    return retire(this.#current)
  }

  /** Reads and counts in one turn of the event loop: no publish can come between. */
  #enter(): Held {
    const held = this.#current
    held.users += 1
    this.#inFlight += 1
    return held
  }

  #leave(held: Held): void {
    held.users -= 1
    this.#inFlight -= 1
    if (held.users === 0) held.closing?.start()
    if (this.#inFlight > 0) return
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }
}

function hold(snapshot: Snapshot): Held {
  return { snapshot, users: 0, closing: undefined }
}

function retire(held: Held): Promise<void> {
  if (held.closing !== undefined) return held.closing.done
  const gate = Promise.withResolvers<void>()
  const done = gate.promise.then(() => held.snapshot.close())
  held.closing = { done, start: gate.resolve }
  if (held.users === 0) gate.resolve()
  return done
}
