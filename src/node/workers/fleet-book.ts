import type { LimitBook } from '../counters.ts'
import type { Hand } from './hand.ts'

/** A worker looks into its store, which may be this process, as patiently. Milliseconds. */
const patienceMs = 3000

/** What the workers count in, be it the memory of the primary or a store: one worker asks it, and all of them forget what they remember beside it. */
export function openFleetBook(serving: () => readonly Hand[]): LimitBook {
  const oneOf = (hands: readonly Hand[]): Hand => {
    const [hand] = hands
    if (hand === undefined) throw new Error('no worker serves')
    return hand
  }
  return {
    look: async (descriptor) => oneOf(serving()).order('lookAtLimit', descriptor, patienceMs),
    async forget(descriptor) {
      const hands = serving()
      const asked = oneOf(hands)
      const found = await asked.order('forgetLimit', { descriptor, here: false }, patienceMs)
      // One that is silent does it when it wakes; one that is gone remembers nothing.
      await Promise.allSettled(hands.filter((hand) => hand !== asked).map((hand) => hand.order('forgetLimit', { descriptor, here: true }, patienceMs)))
      return found
    },
  }
}
