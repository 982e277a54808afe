import type { LimitShape } from '../../model/limit.ts'

export interface Limit extends LimitShape {
  readonly name: string
  readonly key: readonly LimitKeyPart[]
  /** What a request whose key part is missing does: counted under one shared key, or passes uncounted. */
  readonly missing: 'shared' | 'skip'
  readonly onStoreFailure: 'local' | 'allow' | 'deny'
  readonly mode: 'enforce' | 'audit'
  /** Asked before anybody is identified: its key is of client, host, route and headers. */
  readonly early?: true
  /** Counts answers 401 and 403 instead of requests, and is asked before anybody is identified, as `early` is. */
  readonly counts?: 'failures'
  /** A verified claim says how many points there are; `points` is for everybody else. Never under `gcra` or `concurrency`. */
  readonly claimed?: ClaimedPoints
}

/** `map`: the claim's value as text stands for a number. `number`: it is the number, an integer of at least 1, and counts for no more than the ceiling. */
export type ClaimedPoints =
  | { readonly kind: 'map'; readonly claim: string; readonly values: readonly { readonly value: string; readonly points: number }[] }
  | { readonly kind: 'number'; readonly claim: string; readonly ceiling: number }

export type LimitKeyPart =
  | { readonly kind: 'issuer' | 'subject' | 'clientId' | 'apiKey' | 'client.network' | 'client.address' | 'route' | 'host' }
  | { readonly kind: 'claim'; readonly path: string }
  | { readonly kind: 'header'; readonly name: string }
