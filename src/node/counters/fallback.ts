import { capacityOf } from '../../core/model/limit.ts'
import type { Clock, Descriptor, LimitSpec, Taken, TakenReading } from '../../core/ports.ts'
import { checkCosts } from './store-key.ts'
import { Table } from './table.ts'

/** Seconds are what Retry-After can say; the breaker probes the store as often. */
const retryMs = 1000

/**
 * Answers for limits whose shared store cannot be asked, each as its `onStoreFailure` says; all answers are `degraded`.
 *
 * - `local`: this process counts alone, against its share: the limit divided by the instances last seen, but never less than
 *   one request. It counts from zero when the store is lost. So N instances together let at most `max(limit, N × cost)` through as the
 *   limit's own algorithm has it, beside what the store had counted until then.
 * - `allow`: passes uncounted.
 * - `deny`: refuses, to be retried in a second.
 */
export class Fallback {
  readonly #table: Table
  readonly #instances: () => number

  constructor(clock: Pick<Clock, 'ticks' | 'now'>, keyCap: number, instances: () => number) {
    this.#table = new Table(clock, keyCap)
    this.#instances = instances
  }

  take(descriptors: readonly Descriptor[]): Taken {
    checkCosts(descriptors)
    return this.#answer(descriptors, (local) => this.#table.take(local))
  }

  peek(descriptors: readonly Descriptor[]): Taken {
    return this.#answer(descriptors, (local) => this.#table.peek(local))
  }

  /** Counts where this process counts alone; nothing where it passes or refuses uncounted. */
  charge(descriptors: readonly Descriptor[]): readonly TakenReading[] {
    const instances = Math.max(1, this.#instances())
    const local = descriptors.filter(({ limit }) => limit.onStoreFailure === 'local')
    // The share of a take: what is charged must not make it larger.
    const readings = this.#table.charge(local.map((descriptor) => shareOf(descriptor, instances, 1)))
    return descriptors.map(({ limit }) => degraded(limit, readings))
  }

  /** Forgets what this process counted alone for a key. */
  forget(descriptor: Descriptor): void {
    this.#table.forget(descriptor)
  }

  #answer(descriptors: readonly Descriptor[], count: (local: readonly Descriptor[]) => Taken): Taken {
    const denied = descriptors.find((descriptor) => descriptor.limit.onStoreFailure === 'deny')
    // A denied request counts nowhere: its local limits are read, not taken.
    const instances = Math.max(1, this.#instances())
    const local = descriptors.filter((descriptor) => descriptor.limit.onStoreFailure === 'local').map((descriptor) => shareOf(descriptor, instances))
    const counted = denied === undefined ? count(local) : this.#table.peek(local)
    const readings = descriptors.map(({ limit }) => degraded(limit, counted.readings))
    if (denied !== undefined) return { allowed: false, refusedBy: denied.limit.name, readings }
    return { ...counted, readings }
  }
}

/** One of so many equal parts of a limit, but never less than one request. A rate is shared by making its window longer: points stay whole. */
function shareOf(descriptor: Descriptor, instances: number, least: number = descriptor.cost): Descriptor {
  const { limit } = descriptor
  const share = (points: number) => Math.max(least, Math.floor(points / instances))
  const shared =
    limit.algorithm.kind === 'gcra' ? { windowMs: limit.windowMs * instances, burst: share(limit.burst) } : { points: share(capacityOf(limit)), burst: 0 }
  return { ...descriptor, limit: { ...limit, ...shared } }
}

function degraded(limit: LimitSpec, readings: readonly TakenReading[]): TakenReading {
  if (limit.onStoreFailure === 'deny') return { limit: limit.name, remaining: 0, resetMs: retryMs, degraded: true }
  const local = readings.find((reading) => reading.limit === limit.name)
  return { limit: limit.name, remaining: local?.remaining ?? capacityOf(limit), resetMs: local?.resetMs ?? 0, degraded: true }
}
