import type { Redis } from 'ioredis'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { Descriptor, LimitSpec, TakenReading } from '../../core/ports.ts'
import { capacityOf, limitPrefix } from './store-key.ts'

/** Every key of the limit store starts so. */
export const redisPrefix = 'sallyport:limit'

/**
 * What rate-limiter-flexible runs per take, in place of its own script, which counts refused requests too.
 * KEYS[1] the counter; ARGV: cost, window in seconds, capacity. Answers what is (or, refused, would be) used, and milliseconds
 * to the end of the window. A cost below zero gives points back: never into a window that has ended, never below zero.
 */
const takeScript = `
local used = tonumber(redis.call('get', KEYS[1]) or '0')
local left = redis.call('pttl', KEYS[1])
local cost = tonumber(ARGV[1])
local window = 1000 * tonumber(ARGV[2])
if left == -1 then
  redis.call('pexpire', KEYS[1], window)
  left = window
end
if cost < 0 then
  if left < 0 then return { 0, 0 } end
  return { redis.call('decrby', KEYS[1], math.min(-cost, used)), left }
end
if used + cost > tonumber(ARGV[3]) then return { used + cost, math.max(left, 0) } end
if left < 0 then
  redis.call('set', KEYS[1], ARGV[1], 'PX', window)
  return { cost, window }
end
return { redis.call('incrby', KEYS[1], ARGV[1]), left }
`

/** What the store said of one descriptor. `why` of a failure: the error as it came. */
export type StoreAnswer =
  | { readonly kind: 'granted' | 'refused'; readonly descriptor: Descriptor; readonly reading: TakenReading }
  | { readonly kind: 'failed'; readonly why: unknown }

interface Built {
  readonly points: number
  readonly seconds: number
  readonly limiter: RateLimiterRedis
}

/**
 * One rate-limiter-flexible limiter per limit, all with the same script on the same client: the library defines its
 * script as a command of the client under one fixed name, so a limiter with another script would replace it for all.
 * Windows are whole seconds there; parts of a second are rounded up. Nothing here rejects.
 */
export class RedisLimiters {
  readonly #client: Redis
  readonly #limiters = new Map<string, Built>()

  constructor(client: Redis) {
    this.#client = client
    // The library defines its command when a limiter is built. A pipeline that is already waiting would not know it: ioredis then fails
    // the take, and throws where nobody can catch it. So the command stands before the first pipeline does.
    client.defineCommand('rlflxIncr', { numberOfKeys: 1, lua: takeScript })
  }

  /** One atomic step in the store: counts the cost when it fits, and nothing when it does not. */
  async take(descriptor: Descriptor): Promise<StoreAnswer> {
    try {
      const taken = await this.#limiter(descriptor.limit).consume(descriptor.key, descriptor.cost)
      return { kind: 'granted', descriptor, reading: readingOf(descriptor, taken.consumedPoints, taken.msBeforeNext) }
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) return { kind: 'failed', why: error }
      return { kind: 'refused', descriptor, reading: readingOf(descriptor, error.consumedPoints - descriptor.cost, error.msBeforeNext) }
    }
  }

  /** Gives back what a take was granted. A failure leaves the points taken until their window ends. */
  async giveBack(descriptor: Descriptor): Promise<void> {
    await this.#limiter(descriptor.limit)
      .reward(descriptor.key, descriptor.cost)
      .catch(() => undefined)
  }

  /** What a take would find. */
  async peek(descriptor: Descriptor): Promise<StoreAnswer> {
    try {
      const now = await this.#limiter(descriptor.limit).get(descriptor.key)
      const reading = readingOf(descriptor, now?.consumedPoints ?? 0, now?.msBeforeNext ?? 0)
      return { kind: reading.remaining < descriptor.cost ? 'refused' : 'granted', descriptor, reading }
    } catch (error) {
      return { kind: 'failed', why: error }
    }
  }

  #limiter(limit: LimitSpec): RateLimiterRedis {
    const points = capacityOf(limit)
    const seconds = Math.ceil(limit.windowMs / 1000)
    const built = this.#limiters.get(limit.name)
    if (built !== undefined && built.points === points && built.seconds === seconds) return built.limiter
    const keyPrefix = `${redisPrefix}:${limitPrefix(limit)}`
    const limiter = new RateLimiterRedis({ storeClient: this.#client, keyPrefix, points, duration: seconds, customIncrTtlLuaScript: takeScript })
    this.#limiters.set(limit.name, { points, seconds, limiter })
    return limiter
  }
}

function readingOf({ limit }: Descriptor, used: number, resetMs: number): TakenReading {
  return { limit: limit.name, remaining: Math.max(0, capacityOf(limit) - used), resetMs: Math.max(0, resetMs), degraded: false }
}
