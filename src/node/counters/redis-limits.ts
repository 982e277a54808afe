import { createHash } from 'node:crypto'
import type { Descriptor } from '../../core/ports.ts'
import { type Asked, createCallWriter, readAnswers, type StoreAnswer, type StoreMode } from './limit-call.ts'
import { limitScript } from './limit-script.ts'
import type { Periods } from './periods.ts'
import type { RedisClient } from './redis-client.ts'

/** So many requests in one call at most: more save nothing, and a call keeps the store from everybody else for as long as it takes, a few hundred microseconds. */
const mostAtOnce = 32

interface Waiting extends Asked {
  readonly resolve: (answer: StoreAnswer) => void
  readonly reject: (why: unknown) => void
}

/**
 * Runs the one script. It is called by its digest and sent whole when the store does not know it: new, flushed, or another node after a failover.
 *
 * What is asked in one turn of the event loop goes in one call, in the order of the asking: a call costs the store more than what it decides. While no
 * other call is under way, nobody waits for the end of the turn. The nodes of a Cluster have slots of their own, so there everything is a call.
 */
export class RedisLimits {
  readonly #client: RedisClient
  readonly #write: ReturnType<typeof createCallWriter>
  readonly #script: string
  readonly #digest: string
  #waiting: Waiting[] = []
  #underWay = 0

  constructor(client: RedisClient, periods: Periods, script: string = limitScript(), space?: string) {
    this.#client = client
    this.#write = createCallWriter(periods, space)
    this.#script = script
    this.#digest = createHash('sha1').update(script).digest('hex')
    // Before anything is asked, so that the first flood is not one of scripts. The nodes of a Cluster learn it one by one.
    if (!client.isCluster) client.on('ready', () => void client.script('LOAD', script).catch(() => undefined))
  }

  /** One atomic step over all of them; a take may have `wanted` points more of each, as far as the store spares them. In a Cluster they must share one slot, as those with the same key do. Rejects with the client's error. */
  run(mode: StoreMode, descriptors: readonly Descriptor[], lease: string, wallMs: number, wanted: readonly number[] = []): Promise<StoreAnswer> {
    if (descriptors.length === 0) return Promise.resolve({ descriptors, refusedBy: undefined, standings: [] })
    return new Promise((resolve, reject) => {
      const waiting = { mode, descriptors, lease, wallMs, wanted, resolve, reject }
      if (this.#client.isCluster) void this.#send([waiting])
      else if (this.#waiting.push(waiting) === 1) this.#flushSoon()
    })
  }

  #flushSoon(): void {
    if (this.#underWay > 0) setImmediate(() => this.#flush())
    else process.nextTick(() => this.#flush())
  }

  #flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (let from = 0; from < waiting.length; from += mostAtOnce) void this.#send(waiting.slice(from, from + mostAtOnce))
  }

  /** A call that fails has failed for each that is in it. */
  async #send(asked: readonly Waiting[]): Promise<void> {
    this.#underWay++
    try {
      const { keys, text } = this.#write(asked)
      const answers = readAnswers(await this.#call(keys.length, [...keys, text]), asked)
      for (const [i, { resolve }] of asked.entries()) {
        const answer = answers[i]
        if (answer !== undefined) resolve(answer)
      }
    } catch (why) {
      for (const { reject } of asked) reject(why)
    } finally {
      this.#underWay--
    }
  }

  async #call(count: number, rest: readonly string[]): Promise<unknown> {
    try {
      return await this.#client.evalsha(this.#digest, count, ...rest)
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return this.#client.eval(this.#script, count, ...rest)
    }
  }
}
