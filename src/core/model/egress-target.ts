import type { Credential } from './credential.ts'
import type { MockBook } from './mock-book.ts'

/** Where an egress service lives in one environment. */
export type EgressTarget =
  | {
      readonly mode: 'live'
      readonly environment: string
      /** `https://host[:port]`, canonical, with an optional path prefix in `basePath`. */
      readonly origin: string
      readonly scheme: 'http' | 'https'
      readonly host: string
      readonly port: number
      readonly basePath: string
      readonly credential: Credential | undefined
      /** CIDRs that the address guard lets pass beside global unicast. */
      readonly allowAddresses: readonly string[]
      /** The operator knows that this target shares an address and port with a production one. */
      readonly sharesAddressWithProd: boolean
      /** PEM bundle reference (`file:…`) that replaces the system's roots. */
      readonly ca: string | undefined
      /** One place that the forward proxy may go to: the service whose production hosts it may be, where its operator says so. */
      readonly sharesHostsOf?: string | undefined
      /** What the gateway shows of itself: references to PEM text. */
      readonly certificate?: { readonly certificate: string; readonly key: string } | undefined
      readonly faults?: EgressFaults | undefined
      /** Mode record: every answer is written down. Nonprod only. */
      readonly record?: CassetteUse | undefined
      /** Who may fetch the credential itself, which is a short-lived one. */
      readonly vend?: { readonly callers: readonly string[] } | undefined
    }
  | StreamTarget
  | ProxyTarget
  | { readonly mode: 'mock'; readonly environment: string; readonly mock: MockBook; readonly faults?: EgressFaults | undefined }
  | { readonly mode: 'replay'; readonly environment: string; readonly cassette: CassetteUse; readonly faults?: EgressFaults | undefined }
  | { readonly mode: 'deny'; readonly environment: string; readonly reason: string | undefined }

/** Faults that are injected in nonprod, each into its share of the calls (0 to 1). */
export interface EgressFaults {
  readonly latency: { readonly share: number; readonly ms: number } | undefined
  readonly reset: { readonly share: number } | undefined
  readonly status: { readonly share: number; readonly status: number } | undefined
  /** `bytes` per second. */
  readonly bandwidth: { readonly share: number; readonly bytes: number } | undefined
}

/** A folder of recorded answers, and what makes a request the one that was recorded. */
export interface CassetteUse {
  readonly name: string
  /** Lower-case names of request headers that count. */
  readonly headers: readonly string[]
  /** Whether the request's body counts. */
  readonly body: boolean
}

/** The mode as people call it: a target that records is a live one. */
export function modeOf(target: EgressTarget): EgressTarget['mode'] | 'record' {
  return target.mode === 'live' && target.record !== undefined ? 'record' : target.mode
}

/** Where the bytes of a TCP service go. */
export interface StreamTarget {
  readonly mode: 'tcp'
  readonly environment: string
  readonly host: string
  readonly port: number
  /** TLS, verified against `host`: from the first byte, or as the protocol begins it. */
  readonly tls: boolean
  readonly ca: string | undefined
  readonly allowAddresses: readonly string[]
  readonly sharesAddressWithProd: boolean
  /** The workload brings its own, inside the stream. */
  readonly credential: undefined
  /** As of a live target. */
  readonly sharesHostsOf?: string | undefined
}

/** Where the forward proxy may go in one environment. */
export interface ProxyTarget {
  readonly mode: 'proxy'
  readonly environment: string
  /** Names in lower case, `*.x` for one label in place of the star, addresses. */
  readonly hosts: readonly string[]
  readonly ports: readonly number[]
  readonly allowAddresses: readonly string[]
  /** The operator knows that these are hosts of the same service in production too. */
  readonly sharesAddressWithProd: boolean
}

/** What the guards need to know of a target. */
export type GuardedTarget = Pick<LiveTarget | StreamTarget, 'host' | 'credential' | 'allowAddresses' | 'sharesAddressWithProd' | 'sharesHostsOf'>

export type LiveTarget = Extract<EgressTarget, { mode: 'live' }>
