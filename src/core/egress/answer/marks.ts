import { modeOf } from '../../model/egress-target.ts'
import type { Arrived, Placed } from '../../model/exchange.ts'
import type { FaultCode } from '../../model/fault.ts'
import type { FieldList } from '../../model/fields.ts'

/** What the caller is told about its call, as far as it came: `x-egress-service`, `-env`, `-mode`, `-rev`, `-attempts`, `-request-id`. */
export function addMarks(headers: FieldList, x: Arrived & Partial<Placed>): FieldList {
  if (x.service !== undefined) headers.set('x-egress-service', x.service.name)
  if (x.target !== undefined) headers.set('x-egress-env', x.target.environment).set('x-egress-mode', modeOf(x.target))
  headers.set('x-egress-rev', x.revision).set('x-egress-attempts', `${x.sent?.attempts ?? 0}`)
  return x.id === undefined ? headers : headers.set('x-egress-request-id', x.id)
}

/** Proxy error types of RFC 9209 section 2.3 for the faults that have one of their own. */
const errorTypes: Partial<Readonly<Record<FaultCode, string>>> = {
  address_denied: 'destination_ip_prohibited',
  caller_unknown: 'http_request_denied',
  egress_denied: 'http_request_denied',
  env_denied: 'http_request_denied',
  service_unknown: 'destination_not_found',
  no_target_for_env: 'proxy_configuration_error',
  config_quarantined: 'proxy_configuration_error',
  credential_unavailable: 'proxy_internal_error',
  internal: 'proxy_internal_error',
  mock_miss: 'proxy_internal_response',
  quota_exceeded: 'connection_limit_reached',
  cost_exceeded: 'http_request_denied',
  vendor_paused: 'destination_unavailable',
  replay_miss: 'proxy_internal_response',
  upstream_unavailable: 'destination_unavailable',
  upstream_reset: 'connection_terminated',
  upstream_protocol: 'http_protocol_error',
  upstream_message_too_large: 'http_response_body_size',
  deadline_exceeded: 'http_response_timeout',
  deadline_exhausted: 'http_response_timeout',
  drained: 'connection_terminated',
  overloaded: 'connection_limit_reached',
}

/** The `Proxy-Status` of a refusal (RFC 9209): an error type that tools know, and our own stable code as its details. */
export function proxyStatus(code: FaultCode): string {
  return `sallyport; error=${errorTypes[code] ?? 'http_request_error'}; details="${code}"`
}
