import type { Snapshot } from './snapshot.ts'

/** The snapshot in force. A request reads `current` once; a reload never changes one under way. */
export class Live {
  #current: Snapshot

  constructor(first: Snapshot) {
    this.#current = first
  }

  get current(): Snapshot {
    return this.#current
  }

  /** Puts `next` in force for every request from now on, then lets the previous one drain. */
  async publish(next: Snapshot): Promise<void> {
    const previous = this.#current
    this.#current = next
    await previous.close()
  }
}
