import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/ports.ts'
import type { RedisClient } from './redis-client.ts'
import { redisPrefix } from './store-key.ts'

const everyMs = 1000
const aliveSeconds = 15

/** KEYS[1] the set of instances by last sign of life; ARGV: our id, seconds a sign holds. By the store's clock, which all share. */
const signScript = `
local now = tonumber(redis.call('time')[1])
redis.call('zremrangebyscore', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('zadd', KEYS[1], now, ARGV[1])
redis.call('expire', KEYS[1], ARGV[2])
return redis.call('zcard', KEYS[1])
`

/**
 * How many instances share the store, as last seen there: each gives a sign of life when it connects and every second; one
 * that is silent for 15 s is gone. 1 until the store has answered once; while it is away the last number stands.
 */
export class Presence {
  readonly #client: RedisClient
  readonly #clock: Pick<Clock, 'after'>
  readonly #signed: (sign: Promise<void>) => void
  readonly #id = randomUUID()
  #timer: { cancel(): void } | undefined
  #instances = 1
  #left = false

  /** `signed` is given every sign of life that is under way. */
  constructor(client: RedisClient, clock: Pick<Clock, 'after'>, signed: (sign: Promise<void>) => void) {
    this.#signed = signed
    this.#client = client
    this.#clock = clock
    client.on('ready', () => this.#signOn())
  }

  get instances(): number {
    return this.#instances
  }

  /** Takes our sign away, so that the others need not wait for it to fade. Never rejects. */
  async leave(): Promise<void> {
    this.#left = true
    this.#timer?.cancel()
    await this.#client.zrem(key, this.#id).catch(() => 0)
  }

  /** Gives a sign now, which only a store that takes writes takes. Rejects with the client's error. */
  async sign(): Promise<void> {
    const seen: unknown = await this.#client.eval(signScript, 1, key, this.#id, aliveSeconds)
    if (typeof seen === 'number' && seen >= 1) this.#instances = seen
  }

  #signOn(): void {
    if (this.#left) return
    this.#timer?.cancel()
    this.#timer = this.#clock.after(everyMs, () => this.#signOn())
    // While the client is not connected this fails at once, and the next connection signs again.
    const sign = this.sign()
    this.#signed(sign)
    void sign.catch(() => undefined)
  }
}

const key = `${redisPrefix}:instances`
