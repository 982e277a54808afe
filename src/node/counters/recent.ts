/** What is kept of each limit, by key. */
type Generation<V> = Map<string, Map<string, V>>

/**
 * A map that remembers the keys used last and forgets the rest, with bounded memory and no timer. It keeps two generations:
 * a key that is read or written moves to the young one; when that is full the old one is dropped and the young one
 * grows old. So what was used among the last `cap / 2` keys is there, and never are there more than `cap`. A key counts
 * once per 64 characters begun, so that long keys do not make the bound void.
 *
 * Keys `of` one limit are apart from those of another. They share the bound; and nobody has to join the two into one string, which costs more than both look-ups.
 */
export class Recent<V> {
  readonly #half: number
  #young: Generation<V> = new Map()
  #old: Generation<V> = new Map()
  #weight = 0

  /** @throws RangeError for a cap below 2. */
  constructor(cap: number) {
    if (!(cap >= 2)) throw new RangeError(`a cap of ${cap} keys holds nothing`)
    this.#half = Math.floor(cap / 2)
  }

  get(key: string, of: string = ''): V | undefined {
    const young = this.#young.get(of)?.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(of)?.get(key)
    if (old !== undefined) this.set(key, old, of)
    return old
  }

  set(key: string, value: V, of: string = ''): void {
    if (this.#young.get(of)?.has(key) !== true) {
      this.#old.get(of)?.delete(key)
      this.#makeRoom(key)
    }
    const young = this.#young.get(of)
    if (young === undefined) this.#young.set(of, new Map([[key, value]]))
    else young.set(key, value)
  }

  delete(key: string, of: string = ''): void {
    this.#old.get(of)?.delete(key)
    if (this.#young.get(of)?.delete(key) === true) this.#weight -= weightOf(key)
  }

  get size(): number {
    return sizeOf(this.#young) + sizeOf(this.#old)
  }

  #makeRoom(key: string): void {
    const weight = weightOf(key)
    if (this.#weight + weight > this.#half && this.#weight > 0) {
      this.#old = this.#young
      this.#young = new Map()
      this.#weight = 0
    }
    this.#weight += weight
  }
}

function sizeOf(generation: Generation<unknown>): number {
  let size = 0
  for (const { size: some } of generation.values()) size += some
  return size
}

function weightOf(key: string): number {
  return 1 + (key.length >>> 6)
}
