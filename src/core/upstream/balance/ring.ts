import { again, hashText, mix, otherSeed } from './hash.ts'

/** What a table of consistent hashing needs to know of an endpoint. */
export interface Slotted {
  readonly name: string
  readonly weight: number
}

/** From the hash of a key to the endpoint it belongs to, as an index into the list it was built from. */
export interface HashTable {
  /**
   * The first endpoint that is accepted, beginning with the one the key belongs to: as if the others were not there. -1 when none is.
   */
  find(hash: number, accepts: (index: number) => boolean): number
}

/**
 * Points per endpoint. So many that the share of each endpoint is off by less than 2 % of everything even between two (more than three
 * standard deviations).
 */
const points = 4096

/**
 * All points together. Where so many endpoints would need more, each gets fewer, and one that leaves moves the points of others too: at
 * most another 1/n, from 64 endpoints on.
 */
const mostPoints = 64 * points

/**
 * A hash ring (Karger et al., 1997): every endpoint stands at many points of a circle, and a key belongs to the next point after its hash.
 * Whoever leaves gives up its own keys and no others. It depends on names and weights alone, not on the order of the list.
 */
export function buildRing(endpoints: readonly Slotted[]): HashTable {
  const order = endpoints.map((_, i) => i).sort((a, b) => ((endpoints[a]?.name ?? '') < (endpoints[b]?.name ?? '') ? -1 : 1))
  const heaviest = Math.max(...endpoints.map(({ weight }) => weight))
  const each = Math.max(1, Math.min(points, Math.floor(mostPoints / endpoints.length)))
  const counts = endpoints.map(({ weight }) => Math.max(1, Math.round((each * weight) / heaviest)))
  const total = counts.reduce((sum, count) => sum + count, 0)
  const marks = new Float64Array(total)
  let at = 0
  // One number per point, the place in its high bits and the owner's rank in its low 20: they are sorted together, and ties have one order.
  order.forEach((index, rank) => {
    const name = endpoints[index]?.name ?? ''
    const [first, second] = [hashText(name), hashText(name, otherSeed)]
    for (let i = 0; i < (counts[index] ?? 0); i += 1) marks[at++] = mix(first ^ again(second, i)) * 2 ** 20 + rank
  })
  marks.sort()
  const places = new Uint32Array(total)
  const owners = new Uint32Array(total)
  for (let i = 0; i < total; i += 1) {
    const mark = marks[i] as number
    const place = Math.floor(mark / 2 ** 20)
    places[i] = place
    owners[i] = order[mark - place * 2 ** 20] as number
  }
  // Where to begin to look, by the high bits of the hash: about two points further on is the answer.
  const bits = Math.max(1, Math.ceil(Math.log2(total)) - 1)
  const starts = new Uint32Array(2 ** bits)
  for (let bucket = 0, i = 0; bucket < starts.length; bucket += 1) {
    while (i < total && (places[i] ?? 0) < bucket * 2 ** (32 - bits)) i += 1
    starts[bucket] = i
  }
  return {
    find(hash, accepts) {
      let i = starts[hash >>> (32 - bits)] ?? 0
      while (i < total && (places[i] as number) < hash) i += 1
      for (let steps = 0; steps < total; steps += 1, i += 1) {
        if (i >= total) i = 0
        const owner = owners[i] as number
        if (accepts(owner)) return owner
      }
      return -1
    },
  }
}
