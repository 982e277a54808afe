export interface Listeners {
  readonly public: PublicListener | undefined
  readonly egress: EgressListener | undefined
  readonly admin: { readonly address: Address } | undefined
}

export interface EgressListener {
  readonly address: Address
  /** Undefined: clear text. */
  readonly tls?: ListenerTls | undefined
  /** Absolute-form requests and CONNECT are taken there too. */
  readonly proxy?: boolean | undefined
}

export interface Address {
  readonly host: string
  readonly port: number
}

export interface PublicListener {
  readonly address: Address
  readonly protocols: readonly ('http/1.1' | 'h2')[]
  readonly tls: ListenerTls | undefined
  /** CIDRs of peers that may say X-Forwarded-For or Forwarded. */
  readonly trustedProxies: readonly string[]
  readonly limits: ListenerLimits
}

export interface ListenerTls {
  /** References to PEM text. */
  readonly certificate: string
  readonly key: string
  readonly clientAuth: 'none' | 'optional' | 'required'
  readonly clientCa: string | undefined
}

export interface ListenerLimits {
  readonly headerBytes: number
  readonly headerCount: number
  readonly bodyBytes: number
  /** Time for the whole request to arrive. */
  readonly requestMs: number
  readonly idleMs: number
  /** How many connections one client network may open; undefined for any. The window is whole seconds. */
  readonly newConnections?: { readonly points: number; readonly windowMs: number } | undefined
}
