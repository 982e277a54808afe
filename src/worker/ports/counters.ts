import type { Counters, Descriptor, Journal, TakenReading } from '../../core/ports.ts'

/** A `[[ratelimits]]` binding: says yes or no, per location, and nothing else. */
export interface RateLimitBinding {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>
}

/**
 * Coarse limits over rate-limit bindings, by limit name: `sliding` over 10 or 60 seconds, as near as a binding comes to it; no other
 * algorithm (`checkWorkerGround` refuses a policy that wants one). Each location counts for itself and no numbers are known, so none are told.
 * Limits are asked one after the other, and what earlier ones counted stays counted. A binding that fails follows the limit's
 * `onStoreFailure`: `deny` refuses; `local` and `allow` leave the request to the gateway behind, which counts it exactly.
 */
export function createBindingCounters(bindings: ReadonlyMap<string, RateLimitBinding>, journal: Journal): Counters {
  const ask = async (descriptor: Descriptor): Promise<'yes' | 'no' | 'unknown'> => {
    const binding = bindings.get(descriptor.limit.name)
    if (binding === undefined) throw new Error(`no binding counts the limit "${descriptor.limit.name}"`)
    try {
      for (let i = 0; i < descriptor.cost; i++) if (!(await binding.limit({ key: descriptor.key })).success) return 'no'
      return 'yes'
    } catch (error) {
      journal.write({ kind: 'event', level: 'error', event: 'limit_binding_failed', limit: descriptor.limit.name, error: String(error) })
      return 'unknown'
    }
  }
  return {
    async take(descriptors) {
      const readings: TakenReading[] = []
      for (const descriptor of descriptors) {
        const { name, windowMs, onStoreFailure } = descriptor.limit
        const said = await ask(descriptor)
        if (said === 'yes') continue
        const reading: TakenReading = { limit: name, remaining: 0, resetMs: windowMs, degraded: said === 'unknown', coarse: true }
        if (said === 'no' || onStoreFailure === 'deny') return { allowed: false, refusedBy: name, readings: [...readings, reading] }
        readings.push(reading)
      }
      return { allowed: true, refusedBy: undefined, readings }
    },
    charge() {
      throw new Error('a Worker does not see what an upstream says of costs')
    },
    peek() {
      throw new Error('a rate-limit binding cannot be asked without taking')
    },
  }
}
