import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js'
import type { Journal, JournalRecord } from '../../core/ports.ts'

/** So many losses a minute are told one by one; the metric knows them all. */
const tellingsPerMinute = 6

/**
 * Tells the journal when the store is lost and when it is back. A store that fails now and then would fill the log with nothing else, so what
 * goes on after some losses in a minute is left out: a loss, and the return that belongs to it.
 *
 * rate-limiter-flexible counts here: for one key in a fixed minute of one process, its memory store is just right.
 */
export class Notices {
  readonly #journal: Journal
  readonly #limiter = new RateLimiterMemory({ points: tellingsPerMinute, duration: 60 })
  #told: Promise<boolean> = Promise.resolve(false)

  constructor(journal: Journal) {
    this.#journal = journal
  }

  lost(reason: string): void {
    this.#told = this.#limiter.consume('store').then(
      () => true,
      () => false,
    )
    void this.#write({ event: 'limit_store_lost', reason })
  }

  back(): void {
    void this.#write({ event: 'limit_store_back' })
  }

  async #write(record: JournalRecord): Promise<void> {
    if (await this.#told) this.#journal.write(record)
  }
}
