import { again, hashText, otherSeed } from './hash.ts'
import type { HashTable, Slotted } from './ring.ts'

/** A prime, as Envoy has it: about a hundred places each for 650 endpoints. */
const size = 65_537

/** How often a key is hashed again before everybody is looked at in turn. */
const rehashes = 64

/**
 * Maglev's table (Eisenbud et al., NSDI 2016, section 3.4): every endpoint has its own order of the places of one table, and they take turns to
 * fill it, by weight. Shares are more even than on a ring, and a change of the list moves a few more keys. An endpoint that is not accepted
 * gives up its own keys and no others: they are hashed again. It depends on names and weights alone, not on the order of the list.
 */
export function buildMaglev(endpoints: readonly Slotted[]): HashTable {
  const order = endpoints.map((_, i) => i).sort((a, b) => ((endpoints[a]?.name ?? '') < (endpoints[b]?.name ?? '') ? -1 : 1))
  const heaviest = Math.max(...endpoints.map(({ weight }) => weight))
  const turns = order.map((index) => {
    const { name, weight } = endpoints[index] as Slotted
    const skip = (hashText(name, otherSeed) % (size - 1)) + 1
    return { index, at: hashText(name) % size, skip, gain: weight / heaviest, owed: 0 }
  })
  const table = new Uint32Array(size)
  const taken = new Uint8Array(size)
  for (let filled = 0; filled < size; ) {
    for (const turn of turns) {
      turn.owed += turn.gain
      if (turn.owed < 1 || filled === size) continue
      turn.owed -= 1
      while (taken[turn.at] === 1) turn.at = (turn.at + turn.skip) % size
      taken[turn.at] = 1
      table[turn.at] = turn.index
      filled += 1
    }
  }
  return {
    find(hash, accepts) {
      for (let n = 0, at = hash; n < rehashes; n += 1, at = again(hash, n)) {
        const owner = table[at % size] as number
        if (accepts(owner)) return owner
      }
      for (let i = 0; i < order.length; i += 1) {
        const owner = order[(hash + i) % order.length] as number
        if (accepts(owner)) return owner
      }
      return -1
    },
  }
}
