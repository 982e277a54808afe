import { createHash } from 'node:crypto'
import type { Descriptor, LimitSpec } from '../../core/ports.ts'
import { limitScript } from './limit-script.ts'
import type { Periods } from './periods.ts'
import type { RedisClient } from './redis-client.ts'
import { limitPrefix, redisPrefix } from './store-key.ts'

/** How long places are held for an instance that gives no sign any more. Milliseconds. */
export const leaseMs = 30_000

/** What the store said of descriptors that it answered together. */
export interface StoreAnswer {
  readonly descriptors: readonly Descriptor[]
  /** Of the first limit that is over; undefined when all fit, and a take has taken. */
  readonly refusedBy: string | undefined
  readonly standings: readonly StoreStanding[]
}

export interface StoreStanding {
  readonly fits: boolean
  readonly remaining: number
  readonly resetMs: number
  /** Points beyond the cost that left the store, to be spent within `stockMs` of the asking. */
  readonly more: number
}

/** `charge` takes whether it fits or not; `give` puts back what a take had; `renew` holds places on. */
export type StoreMode = 'take' | 'charge' | 'peek' | 'give' | 'renew'

/** Runs the one script. It is called by its digest and sent whole when the store does not know it: new, flushed, or another node after a failover. */
export class RedisLimits {
  readonly #client: RedisClient
  readonly #periods: Periods
  readonly #script: string
  readonly #digest: string

  constructor(client: RedisClient, periods: Periods, script: string = limitScript()) {
    this.#client = client
    this.#periods = periods
    this.#script = script
    this.#digest = createHash('sha1').update(script).digest('hex')
    // Before anything is asked, so that the first flood is not one of scripts. The nodes of a Cluster learn it one by one.
    if (!client.isCluster) client.on('ready', () => void client.script('LOAD', script).catch(() => undefined))
  }

  /** One atomic step over all of them; a take may have `wanted` points more of each, as far as the store spares them. In a Cluster they must share one slot, as those with the same key do. Rejects with the client's error. */
  async run(mode: StoreMode, descriptors: readonly Descriptor[], lease: string, wallMs: number, wanted: readonly number[] = []): Promise<StoreAnswer> {
    const keys = descriptors.map(redisKey)
    const args = descriptors.flatMap((descriptor, i) => [...this.#argumentsOf(descriptor, lease, wallMs), `${wanted[i] ?? 0}`])
    return answerOf(await this.#call(keys.length, [...keys, mode, ...args]), descriptors)
  }

  async #call(count: number, rest: readonly string[]): Promise<unknown> {
    try {
      return await this.#client.evalsha(this.#digest, count, ...rest)
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return this.#client.eval(this.#script, count, ...rest)
    }
  }

  #argumentsOf({ limit, cost }: Descriptor, lease: string, wallMs: number): readonly string[] {
    const { algorithm, points, windowMs, burst } = limit
    const held = algorithm.kind === 'concurrency'
    const text = algorithm.kind === 'calendar' ? this.#periods.around(algorithm.per, algorithm.zone, wallMs) : held ? lease : ''
    return [algorithm.kind, `${cost}`, `${points}`, `${(held ? leaseMs : windowMs) * 1000}`, `${burst}`, text]
  }
}

/**
 * Where a descriptor is counted. What is in braces decides the slot of a Cluster, so limits with the same key stand together; an algorithm
 * has keys of its own, for what it keeps is no other's.
 */
export function redisKey(descriptor: Descriptor): string {
  return `${redisPrefix}:${letterOf(descriptor.limit)}:${limitPrefix(descriptor.limit)}:{${descriptor.key}}`
}

function letterOf({ algorithm }: LimitSpec): string {
  return { gcra: 'g', sliding: 's', calendar: 'c', concurrency: 'p' }[algorithm.kind]
}

/** @throws Error for an answer that the script does not give. */
function answerOf(reply: unknown, descriptors: readonly Descriptor[]): StoreAnswer {
  const numbers = Array.isArray(reply) ? reply.map(Number) : []
  if (numbers.length !== 1 + 4 * descriptors.length || numbers.some(Number.isNaN)) throw new Error('the store answered what no limit says')
  const standings = descriptors.map((_, i) => {
    const [fits, remaining = 0, resetMs = 0, more = 0] = numbers.slice(4 * i + 1, 4 * i + 5)
    return { fits: fits === 1, remaining, resetMs, more }
  })
  return { descriptors, refusedBy: numbers[0] === 0 ? undefined : descriptors[(numbers[0] ?? 0) - 1]?.limit.name, standings }
}
