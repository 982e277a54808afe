import type { JournalRecord } from '../core/ports.ts'
import { mapOf, textOf } from './record-values.ts'

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue: string } | { readonly intValue: string } | { readonly boolValue: boolean } | { readonly doubleValue: number }
}

/** A span in the JSON form of OTLP, as far as we fill it. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly status: { readonly code?: number; readonly message?: string }
}

/** SPAN_KIND_SERVER: in both wings somebody calls us and waits. */
const server = 2

/** The span of a request's record; undefined when the record has no place in a trace. */
export function spanOf(record: JournalRecord): Span | undefined {
  const traceId = record['trace_id']
  const spanId = record['span_id']
  const startMs = Date.parse(textOf(record['time']))
  if (typeof traceId !== 'string' || typeof spanId !== 'string' || Number.isNaN(startMs)) return undefined
  const parent = record['parent_id']
  const start = BigInt(startMs) * 1_000_000n
  const status = Number(record['status'])
  const refusal = mapOf(record['refusal'])
  return {
    traceId,
    spanId,
    ...(typeof parent === 'string' ? { parentSpanId: parent } : {}),
    name: nameOf(record),
    kind: server,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(Math.round(Number(record['duration_ms'] ?? 0) * 1_000_000))),
    attributes: attributes(factsOf(record)),
    // Semantic conventions: a server span is an error from 500 on; a 4xx is the caller's mistake.
    status: status >= 500 || record['ending'] === 'broken_off' ? { code: 2, message: textOf(refusal['code']) } : {},
  }
}

/** Low cardinality, as the HTTP and RPC conventions ask: method and route, or the RPC. */
function nameOf(record: JournalRecord): string {
  if (typeof record['rpc'] === 'string') return record['rpc']
  const where = record['route'] ?? mapOf(record['egress'])['service']
  return where === undefined ? textOf(record['method']) : `${textOf(record['method'])} ${textOf(where)}`
}

function factsOf(record: JournalRecord): JournalRecord {
  const rpc = typeof record['rpc'] === 'string' ? record['rpc'].split('/') : []
  const destination = mapOf(record['destination'])
  const egress = mapOf(record['egress'])
  const permit = mapOf(record['permit'])
  return {
    'http.request.method': record['method'],
    'http.response.status_code': record['status'],
    'server.address': record['host'],
    'url.path': record['path'],
    'client.address': record['client'],
    'rpc.system.name': rpc.length === 2 ? 'grpc' : undefined,
    'rpc.method': record['rpc'],
    'rpc.response.status_code': record['grpc_status'],
    'error.type': mapOf(record['refusal'])['code'],
    'sallyport.wing': record['wing'],
    'sallyport.request.id': record['id'],
    'sallyport.revision': record['revision'],
    'sallyport.route': record['route'],
    'sallyport.rule': permit['rule'] === undefined ? undefined : `${textOf(permit['policy'])}/${textOf(permit['rule'])}`,
    'sallyport.cluster': destination['cluster'],
    'sallyport.subset': destination['subset'],
    'sallyport.egress.service': egress['service'],
    'sallyport.egress.environment': egress['environment'],
    'sallyport.egress.mode': egress['mode'],
    'sallyport.attempts': record['attempts'],
  }
}

/** Key-value pairs of OTLP; members that are undefined or no scalar are left out. */
export function attributes(facts: JournalRecord): Attribute[] {
  const found: Attribute[] = []
  for (const [key, value] of Object.entries(facts)) {
    if (typeof value === 'string') found.push({ key, value: { stringValue: value } })
    else if (typeof value === 'boolean') found.push({ key, value: { boolValue: value } })
    else if (typeof value === 'number') found.push({ key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } })
  }
  return found
}
