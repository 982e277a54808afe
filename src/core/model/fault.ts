interface FaultShape {
  /** HTTP status. */
  readonly http: number
  /** gRPC status code. */
  readonly grpc: number
  /** The same request may succeed later or elsewhere. */
  readonly retryable: boolean
  /** Short and constant: the `title` of the problem document (RFC 9457 section 3.1.4). */
  readonly title: string
}

/** Every way the gateway itself can refuse or lose a request: one row fixes all dialects. */
export const faultCatalogue = {
  request_invalid: { http: 400, grpc: 3, retryable: false, title: 'Invalid request' },
  path_ambiguous: { http: 400, grpc: 3, retryable: false, title: 'Ambiguous path' },
  host_invalid: { http: 400, grpc: 3, retryable: false, title: 'Invalid host' },
  credential_invalid: { http: 400, grpc: 16, retryable: false, title: 'Malformed or repeated credential' },
  body_invalid: { http: 400, grpc: 3, retryable: false, title: 'Invalid body' },
  compression_invalid: { http: 400, grpc: 13, retryable: false, title: 'Invalid compression' },
  unauthenticated: { http: 401, grpc: 16, retryable: false, title: 'Credential required' },
  token_invalid: { http: 401, grpc: 16, retryable: false, title: 'Invalid token' },
  api_key_invalid: { http: 401, grpc: 16, retryable: false, title: 'Invalid API key' },
  proof_invalid: { http: 401, grpc: 16, retryable: false, title: 'Invalid proof of possession' },
  certificate_invalid: { http: 403, grpc: 7, retryable: false, title: 'Client certificate not accepted' },
  forbidden: { http: 403, grpc: 7, retryable: false, title: 'Forbidden' },
  scope_insufficient: { http: 403, grpc: 7, retryable: false, title: 'Insufficient scope' },
  cors_denied: { http: 403, grpc: 7, retryable: false, title: 'Cross-origin request denied' },
  policy_error: { http: 403, grpc: 7, retryable: false, title: 'Policy could not be evaluated' },
  route_not_found: { http: 404, grpc: 12, retryable: false, title: 'No such route' },
  method_not_allowed: { http: 405, grpc: 12, retryable: false, title: 'Method not allowed' },
  not_acceptable: { http: 406, grpc: 3, retryable: false, title: 'No acceptable form' },
  request_timeout: { http: 408, grpc: 4, retryable: true, title: 'Request took too long to arrive' },
  body_too_large: { http: 413, grpc: 8, retryable: false, title: 'Body too large' },
  target_too_long: { http: 414, grpc: 3, retryable: false, title: 'Request target too long' },
  media_type_unsupported: { http: 415, grpc: 3, retryable: false, title: 'Unsupported media type' },
  rate_limited: { http: 429, grpc: 8, retryable: true, title: 'Rate limit reached' },
  headers_too_large: { http: 431, grpc: 8, retryable: false, title: 'Header fields too large' },
  client_closed: { http: 499, grpc: 1, retryable: false, title: 'Downstream went away' },
  internal: { http: 500, grpc: 13, retryable: false, title: 'Internal error' },
  not_implemented: { http: 501, grpc: 12, retryable: false, title: 'Not implemented' },
  upstream_protocol: { http: 502, grpc: 14, retryable: false, title: 'Upstream broke its protocol' },
  upstream_reset: { http: 502, grpc: 14, retryable: true, title: 'Upstream broke off' },
  upstream_message_too_large: { http: 502, grpc: 8, retryable: false, title: 'Upstream message too large' },
  upstream_unavailable: { http: 503, grpc: 14, retryable: true, title: 'Upstream unavailable' },
  idp_unavailable: { http: 503, grpc: 14, retryable: true, title: 'Identity provider unavailable' },
  key_store_unavailable: { http: 503, grpc: 14, retryable: true, title: 'Store of API keys unavailable' },
  revocations_unavailable: { http: 503, grpc: 14, retryable: true, title: 'Revocation list unavailable' },
  proof_store_unavailable: { http: 503, grpc: 14, retryable: true, title: 'Store of used proofs unavailable' },
  decision_unavailable: { http: 503, grpc: 14, retryable: true, title: 'Decision point unavailable' },
  limiter_unavailable: { http: 503, grpc: 14, retryable: true, title: 'Rate limit store unavailable' },
  overloaded: { http: 503, grpc: 14, retryable: true, title: 'Overloaded' },
  circuit_open: { http: 503, grpc: 14, retryable: true, title: 'Upstream left alone' },
  config_quarantined: { http: 503, grpc: 14, retryable: false, title: 'Configuration quarantined' },
  drained: { http: 503, grpc: 14, retryable: true, title: 'Connection drained' },
  deadline_exhausted: { http: 504, grpc: 4, retryable: false, title: 'Too little time left' },
  deadline_exceeded: { http: 504, grpc: 4, retryable: false, title: 'Deadline exceeded' },
  caller_unknown: { http: 403, grpc: 7, retryable: false, title: 'Unknown caller' },
  service_unknown: { http: 404, grpc: 12, retryable: false, title: 'No such egress service' },
  egress_denied: { http: 403, grpc: 7, retryable: false, title: 'Egress denied' },
  env_denied: { http: 403, grpc: 7, retryable: false, title: 'Environment denied' },
  env_invalid: { http: 400, grpc: 3, retryable: false, title: 'Invalid environment' },
  address_denied: { http: 403, grpc: 7, retryable: false, title: 'Address denied' },
  no_target_for_env: { http: 503, grpc: 14, retryable: false, title: 'No target for this environment' },
  credential_unavailable: { http: 503, grpc: 14, retryable: true, title: 'Credential unavailable' },
  quota_exceeded: { http: 429, grpc: 8, retryable: true, title: 'Quota at the vendor used' },
  cost_exceeded: { http: 429, grpc: 8, retryable: false, title: 'Monthly cost cap reached' },
  vendor_paused: { http: 503, grpc: 14, retryable: true, title: 'Vendor asked for a pause' },
  replay_miss: { http: 501, grpc: 12, retryable: false, title: 'No recording for this request' },
  cache_miss: { http: 504, grpc: 14, retryable: false, title: 'No stored answer' },
  fault_injected: { http: 503, grpc: 14, retryable: true, title: 'Injected fault' },
  mock_miss: { http: 501, grpc: 12, retryable: false, title: 'No mock for this request' },
} as const satisfies Record<string, FaultShape>

export type FaultCode = keyof typeof faultCatalogue

/** Facts that an answer made from a fault must carry beside its code. */
export interface FaultDetail {
  /** Headers of the answer, such as `www-authenticate`, `allow` or `retry-after`. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  /** `policy/rule` that refused; shown outside prod only. */
  readonly rule?: string | undefined
  /** The operator's own words from the rule; may be shown. */
  readonly reason?: string | undefined
  /** How access was refused, for the record: names of rules and matchers, no value of a claim. */
  readonly decision?: {
    /** `screen`: a deny rule before anybody was identified; `deny`: one after; `allow`: no allow rule let it pass. */
    readonly phase: 'screen' | 'deny' | 'allow'
    /** The allow rule that came closest as `policy/rule`, and the matcher that kept it from fitting; what that wanted is for holders of a debug grant. */
    readonly nearest: { readonly rule: string; readonly matcher: string; readonly expected: string } | undefined
    /** `policy/rule` of every audit rule that matched. */
    readonly audited: readonly string[]
  }
  /** Extension members of the problem document. */
  readonly members?: Readonly<Record<string, string | number | boolean | readonly string[]>>
  /** In place of the statuses of the code: of `fault_injected`, whose status the policies say. */
  readonly status?: { readonly http: number; readonly grpc: number }
  /** Close the connection after the answer. */
  readonly close?: boolean
  /** Why, for the record only; never shown. */
  readonly internal?: string
  readonly cause?: unknown
}

/**
 * Thrown by a room that will not let a request pass. `message` may be shown to the downstream;
 * `detail.internal` and `cause` never are.
 */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly detail: FaultDetail

  constructor(code: FaultCode, message: string, detail: FaultDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.code = code
    this.detail = detail
  }

  /** The fault itself, or `internal` around anything else that was thrown. */
  static from(error: unknown): Fault {
    return error instanceof Fault ? error : new Fault('internal', 'internal error', { cause: error })
  }

  get status(): number {
    return this.detail.status?.http ?? faultCatalogue[this.code].http
  }

  get grpcStatus(): number {
    return this.detail.status?.grpc ?? faultCatalogue[this.code].grpc
  }
}
