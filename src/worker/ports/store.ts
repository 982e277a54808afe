import type { Store } from '../../core/ports.ts'
import { digest } from './digest.ts'

/**
 * Small values that outlive an isolate, in a cache of their own at this location; a location that has forgotten one asks again.
 * Keys are hashed into URLs of a name that cannot be reached from outside.
 */
export function createStore(environment: string): Store {
  const open = () => caches.open(`sallyport-${environment}`)
  const urlOf = async (key: string) => `https://store.sallyport.invalid/${await digest(key)}`
  return {
    async get(key) {
      const kept = await (await open()).match(await urlOf(key))
      return kept === undefined ? undefined : await kept.text()
    },
    async set(key, value, ttlMs) {
      const headers = { 'cache-control': `max-age=${Math.floor(ttlMs / 1000)}`, 'content-type': 'text/plain' }
      await (await open()).put(await urlOf(key), new Response(value, { headers }))
    },
  }
}
