import { networkInterfaces } from 'node:os'
import type { Clock, OwnAddresses } from '../core/ports.ts'

const freshMs = 5000

/** This machine's addresses, read from the system at most every five seconds: interfaces come and go, but not per dial. */
export function createOwnAddresses(clock: Pick<Clock, 'ticks'>): OwnAddresses {
  let known: readonly string[] = []
  let readAt = Number.NEGATIVE_INFINITY
  return () => {
    if (clock.ticks() - readAt >= freshMs) {
      known = Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map(({ address }) => address.split('%', 1)[0] ?? address))
      readAt = clock.ticks()
    }
    return known
  }
}
