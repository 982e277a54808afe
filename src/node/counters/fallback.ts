import type { Clock, Descriptor, LimitSpec, Taken, TakenReading } from '../../core/ports.ts'
import { capacityOf, checkCosts } from './store-key.ts'
import { Windows } from './windows.ts'

/** Seconds are what Retry-After can say; the breaker probes the store as often. */
const retryMs = 1000

/**
 * Answers for limits whose shared store cannot be asked, each as its `onStoreFailure` says; all answers are `degraded`.
 *
 * - `local`: this process counts alone, against its share: the limit divided by the instances last seen, but never less than
 *   one request. Its windows start empty when the store is lost. So N instances together let at most `max(limit, N × cost)`
 *   through per window during an outage, beside what the store had counted in the window in which it was lost.
 * - `allow`: passes uncounted.
 * - `deny`: refuses, to be retried in a second.
 */
export class Fallback {
  readonly #windows: Windows
  readonly #instances: () => number

  constructor(clock: Pick<Clock, 'ticks'>, keyCap: number, instances: () => number) {
    this.#windows = new Windows(clock, keyCap)
    this.#instances = instances
  }

  take(descriptors: readonly Descriptor[]): Taken {
    checkCosts(descriptors)
    return this.#answer(descriptors, (local) => this.#windows.take(local, this.#share))
  }

  peek(descriptors: readonly Descriptor[]): Taken {
    return this.#answer(descriptors, (local) => this.#windows.peek(local, this.#share))
  }

  readonly #share = ({ limit, cost }: Descriptor) => Math.max(cost, Math.floor(capacityOf(limit) / Math.max(1, this.#instances())))

  #answer(descriptors: readonly Descriptor[], count: (local: readonly Descriptor[]) => Taken): Taken {
    const denied = descriptors.find((descriptor) => descriptor.limit.onStoreFailure === 'deny')
    // A denied request counts nowhere: its local limits are read, not taken.
    const local = descriptors.filter((descriptor) => descriptor.limit.onStoreFailure === 'local')
    const counted = denied === undefined ? count(local) : this.#windows.peek(local, this.#share)
    const readings = descriptors.map(({ limit }) => degraded(limit, counted))
    if (denied !== undefined) return { allowed: false, refusedBy: denied.limit.name, readings }
    return { allowed: counted.allowed, refusedBy: counted.refusedBy, readings }
  }
}

function degraded(limit: LimitSpec, counted: Taken): TakenReading {
  if (limit.onStoreFailure === 'deny') return { limit: limit.name, remaining: 0, resetMs: retryMs, degraded: true }
  const local = counted.readings.find((reading) => reading.limit === limit.name)
  return { limit: limit.name, remaining: local?.remaining ?? capacityOf(limit), resetMs: local?.resetMs ?? 0, degraded: true }
}
