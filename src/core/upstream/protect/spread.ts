/** Four to each doubling, from a tenth of a millisecond to half an hour. */
const buckets = 96
const perDoubling = 4
const smallestMs = 0.1

/** Fewer answers say nothing about their spread. */
const enough = 100

/** When so many are counted, all counts are halved: what was long ago fades. */
const most = 2_000

/** What was looked up stands for so many further answers. */
const standsFor = 32

/** Between these two a share of the answers ends, milliseconds. */
export interface Quantile {
  readonly fromMs: number
  readonly toMs: number
}

/** How the answer times of one place are spread, in buckets of a fifth. */
export class Spread {
  readonly #counts = new Float64Array(buckets)
  #total = 0
  #fresh = 0
  readonly #known = new Map<number, Quantile>()

  add(ms: number): void {
    this.#counts[bucketOf(ms)] = (this.#counts[bucketOf(ms)] ?? 0) + 1
    this.#total += 1
    this.#fresh += 1
    if (this.#fresh >= standsFor) {
      this.#fresh = 0
      this.#known.clear()
    }
    if (this.#total >= most) this.#halve()
  }

  /** Where this share of the answers (0 to 1) was there; undefined while too few have come. */
  quantile(share: number): Quantile | undefined {
    if (this.#total < enough) return undefined
    const known = this.#known.get(share)
    if (known !== undefined) return known
    const found = this.#find(share * this.#total)
    this.#known.set(share, found)
    return found
  }

  #find(rank: number): Quantile {
    let seen = 0
    let at = 0
    for (; at < buckets - 1; at += 1) {
      seen += this.#counts[at] as number
      if (seen >= rank && seen > 0) break
    }
    return { fromMs: at === 0 ? 0 : edge(at), toMs: edge(at + 1) }
  }

  #halve(): void {
    this.#total = 0
    for (let i = 0; i < buckets; i += 1) {
      this.#counts[i] = Math.floor((this.#counts[i] as number) / 2)
      this.#total += this.#counts[i] as number
    }
  }
}

function bucketOf(ms: number): number {
  if (ms < smallestMs) return 0
  return Math.min(buckets - 1, 1 + Math.floor(Math.log2(ms / smallestMs) * perDoubling))
}

/** Where a bucket above the first begins. */
function edge(bucket: number): number {
  return smallestMs * 2 ** ((bucket - 1) / perDoubling)
}
