/**
 * A map that remembers the keys used last and forgets the rest, with bounded memory and no timer. It keeps two generations:
 * a key that is read or written moves to the young one; when that is full the old one is dropped and the young one
 * grows old. So what was used among the last `cap / 2` keys is there, and never are there more than `cap`. A key counts
 * once per 64 characters begun, so that long keys do not make the bound void.
 */
export class Recent<V> {
  readonly #half: number
  #young = new Map<string, V>()
  #old = new Map<string, V>()
  #weight = 0

  /** @throws RangeError for a cap below 2. */
  constructor(cap: number) {
    if (!(cap >= 2)) throw new RangeError(`a cap of ${cap} keys holds nothing`)
    this.#half = Math.floor(cap / 2)
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: string, value: V): void {
    if (!this.#young.has(key)) {
      this.#old.delete(key)
      this.#makeRoom(key)
    }
    this.#young.set(key, value)
  }

  delete(key: string): void {
    this.#old.delete(key)
    if (this.#young.delete(key)) this.#weight -= weightOf(key)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  #makeRoom(key: string): void {
    const weight = weightOf(key)
    if (this.#weight + weight > this.#half && this.#young.size > 0) {
      this.#old = this.#young
      this.#young = new Map()
      this.#weight = 0
    }
    this.#weight += weight
  }
}

function weightOf(key: string): number {
  return 1 + (key.length >>> 6)
}
