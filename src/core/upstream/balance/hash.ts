/**
 * 32 bits of a text, the same on every instance, in every version and after every restart: FNV-1a over the UTF-16 code units (one step each)
 * from `seed`, then the finaliser of MurmurHash3, because FNV-1a alone leaves the high bits of similar short texts alike. Unsigned.
 */
export function hashText(text: string, seed = 0x811c9dc5): number {
  let hash = seed | 0
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix(hash ^ text.length)
}

/** The finaliser of MurmurHash3 (fmix32): every bit of the number changes about half of the bits of the result. Unsigned. */
export function mix(number: number): number {
  let mixed = number ^ (number >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** A further number from the same key, one for every `n`. Unsigned. */
export function again(hash: number, n: number): number {
  return mix(hash + Math.imul(n, 0x9e3779b9))
}

/** A second base, independent of the first. */
export const otherSeed = 0x2b7e1516
