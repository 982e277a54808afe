/**
 * Where a subject stands on the circle of a split: a number in [0, 1) that is the same on every instance, in every
 * version and after every restart. `salt` (the route's name) keeps a subject that is first on one route from being
 * first on all of them.
 *
 * Definition, for anyone who wants to compute it elsewhere: FNV-1a, 32 bits (offset basis 0x811c9dc5, prime 0x01000193),
 * over `salt`, a zero character, `subject`, each UTF-16 code unit as two bytes, low byte first; then the finaliser of
 * MurmurHash3 (fmix32), because FNV-1a alone leaves the high bits of similar short texts alike; divided by 2^32.
 */
export function bucketOf(salt: string, subject: string): number {
  const hash = fnv1a(fnv1a(0x811c9dc5, `${salt}\0`), subject)
  return (fmix32(hash) >>> 0) / 4_294_967_296
}

/** Where the draws of one destination begin: FNV-1a of its name, as above. */
export function seedOf(name: string): number {
  return fnv1a(0x811c9dc5, name)
}

/** What a destination draws for a bucket, in (0, 1): the 32 bits of the bucket, mixed with the destination's seed, mixed again. */
export function drawOf(seed: number, bucket: number): number {
  const hash = fmix32(Math.imul(fmix32((bucket * 4_294_967_296) ^ seed), 0x9e3779b1) + seed)
  return ((hash >>> 0) + 0.5) / 4_294_967_296
}

function fnv1a(start: number, text: string): number {
  let hash = start
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  return hash
}

function fmix32(hash: number): number {
  let mixed = hash ^ (hash >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
