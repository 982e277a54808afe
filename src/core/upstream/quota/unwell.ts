/** After the second 503 in a row; the time doubles with each further one. Milliseconds. */
const firstMs = 500
/** A vendor that gives no time is left alone for no longer. */
const longestMs = 10_000

/**
 * What a vendor means that answers 503 and does not say until when (RFC 9110 section 15.6.4): once is a hiccup, twice in a row it is left alone for
 * a moment, and longer each time. Half of each pause is jitter, so that many gateways do not come back at one moment.
 */
export class Unwell {
  #inARow = 0
  #since = Number.NEGATIVE_INFINITY

  /** How long to leave it alone after this answer to a try that was sent at `sentAt`, milliseconds; undefined: not at all. `unit`: at random in [0, 1). */
  hear(status: number, sentAt: number, now: number, unit: number): number | undefined {
    // Tries that were under way together say one thing, however many they are.
    if (sentAt < this.#since) return undefined
    if (status !== 503) {
      this.#inARow = 0
      return undefined
    }
    this.#inARow += 1
    this.#since = now
    if (this.#inARow < 2) return undefined
    return Math.min(longestMs, firstMs * 2 ** (this.#inARow - 2)) * (0.5 + unit / 2)
  }
}
