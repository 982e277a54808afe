import type { BreakerRule } from './breaker.ts'
import type { Retry } from './retry.ts'

/** A third party's logical name here, and what may be asked of it. Plain facts; nothing of any environment. */
export interface EgressService {
  readonly name: string
  readonly quarantined: string | undefined
  /** `host:port` of its own listener. */
  readonly listen: string | undefined
  /** Host name that stands for it on the shared egress listener. */
  readonly host: string | undefined
  /** Names of callers. */
  readonly callers: readonly string[]
  /** Empty means every method and path. `audit`: lets pass what no other rule does, and the record says so. */
  readonly allow: readonly { readonly id: string; readonly methods: readonly string[]; readonly path: string; readonly audit?: true }[]
  readonly connectTimeoutMs: number
  readonly timeoutMs: number
  readonly retry: Retry | undefined
  /** Of each environment; undefined for none. */
  readonly breaker?: BreakerRule | undefined
  /** `generate`: POST and PATCH without a key get one. `header`: lower-case. */
  readonly idempotency?: { readonly header: string; readonly generate: boolean } | undefined
  readonly quota?: VendorQuota | undefined
  /** Undefined: nothing is stored. */
  readonly cache?: ResponseCache | undefined
  /** `jsonPaths`: members of JSON bodies that cassettes and, with `responses`, answers do not show. */
  readonly mask: { readonly headers: readonly string[]; readonly jsonPaths: readonly string[]; readonly responses: boolean }
  /** Set on TCP services, whose own listener carries bytes; undefined for HTTP. */
  readonly stream?: StreamSettings | undefined
  /** Set on services that are called through the forward proxy. */
  readonly proxy?: ProxySettings | undefined
}

/** How much of a service's answers each process stores. */
export interface ResponseCache {
  /** All together. */
  readonly bytes: number
  /** Largest body. */
  readonly entryBytes: number
}

/** What was agreed with a vendor, per environment. */
export interface VendorQuota {
  /** Calls (every try is one) in any window of its time. */
  readonly vendor: { readonly points: number; readonly windowMs: number; readonly shareBy: 'caller' | 'none' } | undefined
  readonly cost:
    | {
        /** Of the currency. */
        readonly perCall: number
        readonly currency: string
        /** Calls per calendar month (UTC) that the cap pays for; undefined: no cap. */
        readonly calls: number | undefined
      }
    | undefined
  /** A call waits no longer for the vendor or the quota. Milliseconds. */
  readonly maxRetryAfterMs: number
  readonly onStoreFailure: 'local' | 'deny'
}

/** What a TCP service is. Durations in milliseconds. */
export interface StreamSettings {
  readonly protocol: 'postgres' | undefined
  readonly maxConnections: number
  readonly idleMs: number
  readonly lifetimeMs: number
  /** Undefined: connections to a target that is no longer in force stay. */
  readonly drainMs: number | undefined
}

/** What callers of the forward proxy may do beside requests in the clear. */
export interface ProxySettings {
  /** Undefined: no tunnels. */
  readonly tunnels: StreamSettings | undefined
  /** A tunnel without a whole ClientHello after so long is closed. Milliseconds. */
  readonly clientHelloMs: number
}
