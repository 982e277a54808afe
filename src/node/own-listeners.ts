import type { Address } from '../core/policy/linked/listeners.ts'
import type { RunningListener } from './gateway/listener-set.ts'

/** Where this gateway listens. */
export interface OwnListenerBook {
  readonly all: () => readonly Address[]
  /** Knows a listener of this process until it is closed. Returns it, to be closed in its place. */
  opened(listener: RunningListener): RunningListener
  /** Where other processes of this gateway listen. */
  elsewhere(addresses: readonly Address[]): void
}

export function createOwnListeners(): OwnListenerBook {
  const here = new Set<Address>()
  let there: readonly Address[] = []
  return {
    all: () => [...here, ...there],
    opened(listener) {
      const { host, port } = listener
      const address = { host, port }
      here.add(address)
      return { host, port, close: (graceful) => listener.close(graceful).finally(() => here.delete(address)) }
    },
    elsewhere(addresses) {
      there = addresses
    },
  }
}
