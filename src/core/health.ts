import type { Route } from './model/route.ts'
import type { Policy } from './policy/policy.ts'
import type { Lasting } from './ports.ts'

/** The service that health is asked of, and the destination that stands for the gateway itself in a split. */
export const healthService = 'grpc.health.v1.Health'

/** grpc.health.v1.HealthCheckResponse.ServingStatus; the gateway never says UNKNOWN. */
export type Health = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN'

/** The one board of this process. */
export function healthBoard(lasting: Lasting): HealthBoard {
  return lasting('health.board', () => new HealthBoard())
}

/**
 * How the process and the services behind it stand, for whoever asks: grpc.health.v1 on a route, and the admin listener. It outlives
 * snapshots, so that who watches sees reloads. Not ready until told.
 */
export class HealthBoard {
  #ready = false
  #ended = false
  #services: ReadonlyMap<string, boolean> = new Map()
  readonly #watchers = new Set<() => void>()

  /** Whether the process takes requests: not before it serves, nor once it is told to stop. */
  setReady(ready: boolean): void {
    this.#ready = ready
    this.#tell()
  }

  /** Takes the services of the policy in force. */
  follow(policy: Policy): void {
    this.#services = servicesOf(policy)
    this.#tell()
  }

  /** Nobody is told anything any more: who watches should ask elsewhere. */
  end(): void {
    this.#ended = true
    this.#tell()
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Of a service, or with an empty name of the process. While that is not ready, no service is. */
  of(service: string): Health {
    if (service !== '' && !this.#services.has(service)) return 'SERVICE_UNKNOWN'
    return this.#ready && (service === '' || this.#services.get(service) === true) ? 'SERVING' : 'NOT_SERVING'
  }

  /** The process first, then every service by name. */
  all(): readonly (readonly [service: string, health: Health])[] {
    return ['', ...[...this.#services.keys()].sort()].map((service) => [service, this.of(service)])
  }

  /** Calls `heard` whenever something may have changed. Returns the way to forget it. */
  watch(heard: () => void): () => void {
    this.#watchers.add(heard)
    return () => void this.#watchers.delete(heard)
  }

  #tell(): void {
    for (const heard of this.#watchers) heard()
  }
}

/** Every gRPC service that a route takes, and whether requests for it have somewhere to go. */
function servicesOf(policy: Policy): ReadonlyMap<string, boolean> {
  const services = new Map<string, boolean>()
  for (const route of policy.routes) {
    const service = route.match.grpc?.service
    if (service !== undefined) services.set(service, services.get(service) === true || isServed(policy, route))
  }
  return services
}

/** A split serves while one of its destinations does: which one a request gets is not known here. */
function isServed({ clusters }: Policy, { quarantined, answer, split }: Route): boolean {
  if (quarantined !== undefined) return false
  return answer !== undefined || split.some(({ cluster }) => clusters[cluster] !== undefined && clusters[cluster].quarantined === undefined)
}
