import type { Route } from '../model/route.ts'
import type { AccessPolicy } from './linked/access.ts'
import type { ApiKeySet } from './linked/api-keys.ts'
import type { Caller } from './linked/callers.ts'
import type { CertificateMapping } from './linked/certificates.ts'
import type { Cluster } from './linked/clusters.ts'
import type { Decider } from './linked/deciders.ts'
import type { GuardHost, LinkedEgress } from './linked/egress.ts'
import type { Issuer } from './linked/issuers.ts'
import type { Limit } from './linked/limits.ts'
import type { Listeners } from './linked/listeners.ts'
import type { Switched } from './linked/switched.ts'
import type { MintedToken, Resource, TokenExchange } from './linked/tokens.ts'

export type EnvironmentClass = 'nonprod' | 'prod'

/**
 * The policy documents after reading, checking and linking, for one environment class: of the other class it holds no
 * target and no secret reference, only the host names its guard must deny. Plain data: it can be hashed, cloned to another
 * thread, and bundled.
 */
export interface Policy {
  /** First 16 hex digits of SHA-256 over the linked policy. */
  readonly revision: string
  readonly environment: string
  readonly environmentClass: EnvironmentClass
  /** Declared environments of this class only. */
  readonly environments: readonly string[]
  readonly listeners: Listeners
  readonly store: { readonly redis: string | undefined }
  /** Reference to the key of debug tokens; undefined: nobody is told how a request was decided. */
  readonly debug: { readonly key: string | undefined }
  readonly issuers: Readonly<Record<string, Issuer>>
  readonly apiKeys: Readonly<Record<string, ApiKeySet>>
  readonly certificates: Readonly<Record<string, CertificateMapping>>
  readonly tokens: Readonly<Record<string, MintedToken>>
  readonly exchanges: Readonly<Record<string, TokenExchange>>
  readonly resources: Readonly<Record<string, Resource>>
  readonly clusters: Readonly<Record<string, Cluster>>
  readonly limits: Readonly<Record<string, Limit>>
  readonly access: Readonly<Record<string, AccessPolicy>>
  readonly deciders: Readonly<Record<string, Decider>>
  readonly routes: readonly Route[]
  readonly callers: Readonly<Record<string, Caller>>
  readonly egress: Readonly<Record<string, LinkedEgress>>
  /** In nonprod: every production host (and `guardHosts`), lower-case, with its port. Empty in prod. */
  readonly guards: readonly GuardHost[]
  /** Serialized FileDescriptorSets by path under the policies folder. */
  readonly descriptors: Readonly<Record<string, Uint8Array>>
  /** What was switched at run time; undefined for policies as they were loaded. No part of the revision of the files. */
  readonly switched?: Switched | undefined
}
