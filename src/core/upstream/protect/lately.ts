/** After so long an answer counts for half as much, milliseconds. */
const halfLifeMs = 1_000

/** More than so many count as so many: what a storm of answers said is as old a few seconds later as what a few said. */
const most = 100

/** Less than this, and what was seen is too old to say anything. */
const least = 0.5

/** Where so large a share of the answers was quick, the place has become faster: it is far more than the one in a hundred that always is. */
const telling = 0.1

/** What the answers of the last seconds say of a place that is thought to be slow. */
export class Lately {
  #quick = 0
  #slow = 0
  #at = 0

  add(kind: 'quick' | 'slow', now: number): void {
    this.#fade(now)
    if (kind === 'quick') this.#quick += 1
    else this.#slow += 1
    const over = most / (this.#quick + this.#slow)
    if (over >= 1) return
    this.#quick *= over
    this.#slow *= over
  }

  /** Whether it is slow still, by evidence that is fresh. */
  isSlow(now: number): boolean {
    this.#fade(now)
    const all = this.#quick + this.#slow
    return all >= least && this.#quick < all * telling
  }

  #fade(now: number): void {
    const left = 2 ** ((this.#at - now) / halfLifeMs)
    this.#quick *= left
    this.#slow *= left
    this.#at = now
  }
}
