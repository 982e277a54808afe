import { setTimeout } from 'node:timers/promises'

/** Asks again and again until it does not reject, for so long at most; then rejects with the last reason. For what runs outside of tests too. */
export async function until<T>(holds: () => T | Promise<T>, ms = 20_000, everyMs = 25): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    try {
      return await holds()
    } catch (why) {
      if (performance.now() > deadline) throw why
      await setTimeout(everyMs)
    }
  }
}
