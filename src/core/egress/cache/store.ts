/** Something stored, and what it weighs. */
interface Held<T> {
  readonly value: T
  readonly resource: string
  readonly bytes: number
}

/** What a stored thing weighs beside its bytes: the objects around it. */
const overhead = 1_024

/** Resources share so many counters of changes: two that share one cost each other a store now and then, and nothing else. */
const counters = 1_024

/** Stored answers, as many as fit: the longest unused go first. Each belongs to a resource, all of which can be forgotten at once. */
export class CacheStore<T> {
  readonly #held = new Map<string, Held<T>>()
  readonly #keys = new Map<string, Set<string>>()
  readonly #changes = new Uint32Array(counters)
  #most: number
  #bytes = 0

  /** `most`: bytes. */
  constructor(most: number) {
    this.#most = most
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Bounds it anew. */
  limit(most: number): void {
    this.#most = most
    this.#evict()
  }

  get(key: string): T | undefined {
    const held = this.#held.get(key)
    if (held === undefined) return undefined
    this.#held.delete(key)
    this.#held.set(key, held)
    return held.value
  }

  /** A resource as it is now: what is learnt of it from here on may be stored, unless it changes meanwhile. */
  moment(resource: string): () => boolean {
    const at = place(resource)
    const before = this.#changes[at]
    return () => this.#changes[at] === before
  }

  set(key: string, resource: string, value: T, bytes: number): void {
    this.delete(key)
    const weight = bytes + overhead + 2 * (key.length + resource.length)
    if (weight > this.#most) return
    this.#held.set(key, { value, resource, bytes: weight })
    this.#bytes += weight
    const keys = this.#keys.get(resource) ?? new Set()
    keys.add(key)
    this.#keys.set(resource, keys)
    this.#evict()
  }

  delete(key: string): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    this.#held.delete(key)
    this.#bytes -= held.bytes
    const keys = this.#keys.get(held.resource)
    keys?.delete(key)
    if (keys?.size === 0) this.#keys.delete(held.resource)
  }

  /** The resource has changed: nothing that was known of it counts, nor what is under way. */
  forget(resource: string): void {
    const at = place(resource)
    this.#changes[at] = (this.#changes[at] ?? 0) + 1
    for (const key of Array.from(this.#keys.get(resource) ?? [])) this.delete(key)
  }

  #evict(): void {
    for (const key of this.#held.keys()) {
      if (this.#bytes <= this.#most) break
      this.delete(key)
    }
  }
}

function place(resource: string): number {
  let hash = 0
  for (let i = 0; i < resource.length; i++) hash = (Math.imul(hash, 31) + resource.charCodeAt(i)) | 0
  return (hash >>> 0) % counters
}
