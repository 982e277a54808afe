import type { JWK } from 'jose'

/** Audiences that tokens can be asked for, and what such a token is. */
export const resources = {
  /** What the gateways of the tests protect. */
  api: { url: 'https://api.example.com', scope: 'orders:read orders:write', format: 'jwt' },
  /** Somebody else's. */
  other: { url: 'https://other.example.com', scope: 'orders:read', format: 'jwt' },
  /** Tokens that say nothing, for introspection. */
  opaque: { url: 'https://opaque.example.com', scope: 'orders:read', format: 'opaque' },
} as const

/** Where the client `app` is sent after the login. Nothing listens there. */
export const callbackUrl = 'https://app.example.com/callback'

export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** Which client authenticates how; each has the secret `secretOf` gives. */
export const clientNames = ['basic', 'post', 'assertion', 'bound', 'certified', 'mutual', 'app', 'gateway'] as const
export type ClientName = (typeof clientNames)[number]

/** A client's secret, where it has one. */
export const secretOf = (name: ClientName): string => `the-secret-of-${name}-${'x'.repeat(32)}`

/** PEM texts for the listener that asks for client certificates. */
export interface ProviderTls {
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

/** Everything an issuer is made from; a process that was killed gets it again. */
export interface IssuerPlan {
  /** 0 the first time. */
  readonly port: number
  readonly tlsPort: number
  /** Private keys, the one that signs first. */
  readonly keys: readonly JWK[]
  /** Public key of the client `assertion`. */
  readonly clientKey: JWK
  readonly tls: ProviderTls | undefined
  /** Whether the token endpoint asks for a DPoP nonce. */
  readonly nonce: boolean
}

/**
 * What an issuer can be made to answer instead. `error` (500), `html` (200) take every request; `redirect`, `empty` and `huge` (60 MB) the
 * key set alone, so that discovery still works.
 */
export type ProviderFault = 'error' | 'html' | 'redirect' | 'empty' | 'huge'

export type Order =
  | { readonly do: 'open'; readonly plan: IssuerPlan }
  | { readonly do: 'keys'; readonly port: number; readonly keys: readonly JWK[] }
  | { readonly do: 'fail'; readonly port: number; readonly fault: ProviderFault | undefined }
  | { readonly do: 'hits'; readonly port: number }
  | { readonly do: 'logout'; readonly port: number; readonly client: ClientName; readonly subject: string }

/** How often each path was asked for, and how many bytes a fault had to send before it was hung up on. */
export interface Hits {
  readonly paths: Readonly<Record<string, number>>
  readonly bytes: number
}

export interface Answers {
  readonly open: { readonly port: number; readonly tlsPort: number }
  readonly keys: undefined
  readonly fail: undefined
  readonly hits: Hits
  /** The logout token that the provider sent. */
  readonly logout: string
}
