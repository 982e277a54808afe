import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js'

/** New connections of one client network in a window. */
export interface ArrivalsLimit {
  readonly points: number
  readonly windowMs: number
}

/** Opens a count of the new connections of one listener: whether a network may have one more. What it returns never rejects. */
export type CountArrivals = (listener: string, limit: ArrivalsLimit) => (network: string) => Promise<boolean>

/**
 * Counts new connections per client network in this process, with rate-limiter-flexible: its memory store keeps a timer per key, which is right for
 * windows that end soon and keys that cost whoever makes them a connection each.
 */
export const countArrivals: CountArrivals = (_, { points, windowMs }) => {
  const limiter = new RateLimiterMemory({ points, duration: windowMs / 1000 })
  return (network) =>
    limiter.consume(network).then(
      () => true,
      () => false,
    )
}
