import type { Counters, Descriptor } from '../../core/ports.ts'
import type { Standing } from './algorithms/standing.ts'

/** What is counted where a gateway counts: somebody may look, and give a key back what it used. */
export interface LimitBook {
  /** How a descriptor stands there, whatever this process remembers of it. Takes nothing. Rejects when nobody answers. */
  look(descriptor: Descriptor): Promise<Standing>
  /**
   * Forgets what is counted for a descriptor's key, here too; false when nothing was. Places that requests under way hold stay theirs: in memory they
   * are kept, in a shared store taken again within 10 s. Rejects when nobody answers: what was forgotten then is not known.
   */
  forget(descriptor: Descriptor): Promise<boolean>
}

/** Counters with their book. */
export interface KeptCounters extends Counters, LimitBook {
  /** Forgets what this process remembers of a key beside the counters it asks: refusals, points in advance, its own share. Somebody else has reset the key. */
  forgetHere(descriptor: Descriptor): void
}

/** How one descriptor stands, from counters that look for themselves. */
export async function lookIn(counters: Counters, descriptor: Descriptor): Promise<Standing> {
  const { allowed, readings } = await counters.peek([descriptor])
  const [reading] = readings
  if (reading === undefined) throw new Error('the counters did not say how the limit stands')
  return { fits: allowed, remaining: reading.remaining, resetMs: reading.resetMs }
}
