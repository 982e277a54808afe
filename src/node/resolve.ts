import { type LookupAddress, promises } from 'node:dns'
import { isIP } from 'node:net'
import type { Clock, Resolve } from '../core/ports.ts'

/** Asks the system for every address of a name. */
export type Lookup = (host: string) => Promise<readonly LookupAddress[]>

interface Known {
  readonly addresses: readonly string[]
  /** Monotonic milliseconds. */
  readonly freshUntil: number
  readonly usableUntil: number
}

const freshMs = 5_000
const staleMs = 10 * 60_000
const limitMs = 2_000
/** A flood of names must not fill the memory: the oldest fall out. */
const mostNames = 1_000

/**
 * Host names to addresses over the system's resolver. An IP literal answers itself. An answer is current for 5 s; when the resolver fails,
 * hangs for 2 s or has nothing, the last good answer serves for up to 10 minutes. One question per name at a time.
 */
export function createResolve(clock: Clock, lookup: Lookup = systemLookup): Resolve {
  const known = new Map<string, Known>()
  const asking = new Map<string, Promise<readonly string[]>>()

  async function ask(host: string): Promise<readonly string[]> {
    try {
      const addresses = [...new Set((await within(clock, lookup(host), host)).map((answer) => answer.address))]
      if (addresses.length === 0) throw new Error(`${host} has no address`)
      remember(host, addresses)
      return addresses
    } catch (error) {
      const last = known.get(host)
      if (last !== undefined && last.usableUntil > clock.ticks()) return last.addresses
      throw error
    }
  }

  function remember(host: string, addresses: readonly string[]): void {
    known.delete(host)
    known.set(host, { addresses, freshUntil: clock.ticks() + freshMs, usableUntil: clock.ticks() + staleMs })
    if (known.size <= mostNames) return
    const oldest = known.keys().next()
    if (oldest.done !== true) known.delete(oldest.value)
  }

  return async (host) => {
    if (isIP(host) !== 0) return [host]
    const there = known.get(host)
    if (there !== undefined && there.freshUntil > clock.ticks()) return there.addresses
    const under = asking.get(host)
    if (under !== undefined) return under
    const answer = ask(host).finally(() => asking.delete(host))
    asking.set(host, answer)
    return answer
  }
}

function systemLookup(host: string): Promise<LookupAddress[]> {
  return promises.lookup(host, { all: true, order: 'verbatim' })
}

function within<T>(clock: Clock, answer: Promise<T>, host: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limitMs, () => reject(new Error(`the resolver did not answer for ${host} in ${limitMs} ms`)))
    answer.then(resolve, reject).finally(() => timer.cancel())
  })
}
