import { modeOf } from '../model/egress-target.ts'
import type { Arrived, Asked, Credentialed, Injected, Placed, Reading, Translated } from '../model/exchange.ts'
import type { Fault } from '../model/fault.ts'
import type { CallerPrincipal, Principal, Subject } from '../model/principal.ts'
import type { Params } from '../model/template-match.ts'
import type { JournalRecord, JournalValue } from '../ports.ts'
import { buildRedactor, maskedValues } from './redact.ts'
import { isoTime } from './time.ts'

/** However far the exchange came, in either wing. */
export type Furthest = Arrived &
  Partial<Omit<Translated, 'call'>> &
  Partial<Omit<Credentialed, 'call' | 'target'>> &
  Partial<Pick<Placed, 'target' | 'cached' | 'vended'>>

/** `whole`: sent to its end. `broken_off`: the upstream or a deadline cut it. `given_up`: the downstream went away. */
export type Ending = 'whole' | 'broken_off' | 'given_up'

/** What the trail measured. Times in milliseconds; `startedAt` is wall time, the rest monotonic. */
export interface Measured {
  readonly wing: 'ingress' | 'egress'
  readonly startedAt: number
  readonly answeredAt: number
  readonly endedAt: number
  readonly ending: Ending
  readonly status: number
  readonly grpcStatus: number | undefined
  readonly bytesOut: number
  readonly fault: Fault | undefined
}

/** The record of one request: who asked for what, what was decided and why, where it went, how it ended. No bodies, no values of headers or query. */
export function recordOf(x: Furthest, m: Measured): JournalRecord {
  const clean = cleaner(x, m.fault)
  return {
    kind: 'request',
    time: isoTime(m.startedAt),
    wing: m.wing,
    id: x.id,
    revision: x.revision,
    listener: x.arrival.listener,
    client: x.client?.address ?? x.arrival.peer.address,
    ...askedOf(x, clean),
    principal: x.principal === undefined ? undefined : principalOf(x.principal),
    permit: x.permit === undefined ? undefined : { policy: x.permit.policy, rule: x.permit.rule, phase: 'allow' },
    audited: auditedOf(x, m.fault),
    asked: x.asked === undefined ? undefined : x.asked.map((asked) => askedOfPoint(asked, clean)),
    refusal: m.fault === undefined ? undefined : refusalOf(m.fault, clean),
    limits: x.readings === undefined || x.readings.length === 0 ? undefined : x.readings.map(readingOf),
    destination: x.destination === undefined ? undefined : { cluster: x.destination.cluster, subset: x.destination.subset },
    steering: x.steering === undefined ? undefined : { by: x.steering.by, bucket: x.steering.bucket },
    injected: x.injected === undefined ? undefined : injectedOf(x.injected),
    failover: x.failedOver === undefined ? undefined : { cluster: x.failedOver.cluster, subset: x.failedOver.subset },
    egress: m.wing === 'egress' ? egressOf(x) : undefined,
    endpoint: x.sent?.endpoint,
    attempts: x.sent?.attempts,
    status: m.status,
    grpc_status: m.grpcStatus,
    ending: m.ending,
    remark: x.remark,
    bytes_in: bytesIn(x),
    bytes_out: m.bytesOut,
    duration_ms: tenths(m.endedAt - x.receivedAt),
    first_byte_ms: tenths(m.answeredAt - x.receivedAt),
    upstream_ms: x.sent === undefined ? undefined : tenths(m.endedAt - x.sent.startedAt),
    trace_id: x.trace?.traceId,
    span_id: x.trace?.spanId,
    parent_id: x.trace?.parentId,
    sampled: x.trace?.sampled,
  }
}

type Clean = (text: string) => string

/** Free text is cleaned; a record of a success in the ingress wing holds none unless a decision point was asked, and pays nothing. */
function cleaner(x: Furthest, fault: Fault | undefined): Clean {
  const injected = x.secrets ?? []
  if (fault === undefined && injected.length === 0 && x.asked === undefined) return (text) => text
  const headers = x.request?.headers
  const masked = headers === undefined ? rawCredentials(x) : maskedValues((name) => headers.all(name), x.service?.mask.headers ?? [])
  const keys = (x.keyFields ?? []).map(([, value]) => value)
  return buildRedactor([...injected, ...keys, ...masked])
}

/** The same for a request that `receive` refused, whose fields nobody has normalised. */
function rawCredentials(x: Furthest): string[] {
  const raw = x.arrival.rawHeaders
  return maskedValues((name) => raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === name), [])
}

function askedOf(x: Furthest, clean: Clean): JournalRecord {
  if (x.request === undefined) return { method: x.arrival.method.slice(0, 32), target: clean(rawPath(x.arrival.target)) }
  return {
    method: x.request.method,
    host: x.request.authority,
    path: clean(x.request.target.path),
    query: queryNames(x.request.target.query, clean),
    route: x.route?.name,
    rpc: x.rpc === undefined ? undefined : x.rpc.rpc.path.slice(1),
    variables: x.params === undefined ? undefined : variablesOf(x.params, clean),
  }
}

/** What the rules of the route saw: variables of the path, decoded. The path itself stands in the record too, so these tell nothing more. */
function variablesOf(params: Params, clean: Clean): JournalRecord | undefined {
  const entries = Object.entries(params)
  return entries.length === 0 ? undefined : Object.fromEntries(entries.map(([name, value]) => [name, clean(value.slice(0, 256))]))
}

/** What was asked for when no canonical path came to be: without query and user info, cut to a bearable length. */
function rawPath(target: string): string {
  const end = target.search(/[?#]/)
  const path = end < 0 ? target : target.slice(0, end)
  return path.replace(/\/\/[^/@]*@/, '//').slice(0, 256)
}

/** Names only: values are the downstream's business. */
function queryNames(query: string, clean: Clean): readonly string[] | undefined {
  if (query === '') return undefined
  const names = new Set<string>()
  for (const pair of query.split('&', 64)) {
    const equals = pair.indexOf('=')
    if (equals !== 0 && pair !== '') names.add(clean((equals < 0 ? pair : pair.slice(0, equals)).slice(0, 64)))
  }
  return [...names]
}

function principalOf(principal: Principal): JournalRecord {
  if (principal.kind === 'anonymous') return { kind: 'anonymous' }
  if (principal.kind === 'caller') return { kind: 'caller', name: principal.name }
  const also = principal.also?.map(nameOf)
  return { kind: 'subject', ...nameOf(principal), also }
}

function nameOf({ issuer, subject, clientId, keyId }: Subject): JournalRecord {
  return { issuer, subject, client_id: clientId, key_id: keyId }
}

/** Audit rules have their say whatever was decided. */
function auditedOf(x: Furthest, fault: Fault | undefined): readonly string[] | undefined {
  const audited = x.permit?.audited ?? fault?.detail.decision?.audited
  return audited === undefined || audited.length === 0 ? undefined : audited
}

function refusalOf(fault: Fault, clean: Clean): JournalRecord {
  const cause = fault.detail.cause
  const why = fault.detail.internal ?? (cause instanceof Error ? `${cause.name}: ${cause.message}` : undefined)
  // Only a bug has a stack worth keeping: the other faults say where they come from by their code.
  const stack = fault.code === 'internal' && cause instanceof Error ? cause.stack?.slice(0, 2000) : undefined
  return {
    code: fault.code,
    rule: fault.detail.rule,
    phase: fault.detail.decision?.phase,
    nearest: nearestOf(fault),
    reason: why === undefined ? undefined : clean(why.slice(0, 1000)),
    stack: stack === undefined ? undefined : clean(stack),
  }
}

/** The point's words and what went wrong are strangers' texts, and may repeat what they were told. */
function askedOfPoint(asked: Asked, clean: Clean): JournalValue {
  return {
    decider: asked.decider,
    outcome: asked.outcome,
    source: asked.source,
    reason: asked.reason === undefined ? undefined : clean(asked.reason),
    problem: asked.problem === undefined ? undefined : clean(asked.problem),
    took_ms: tenths(asked.tookMs),
    audit: asked.audit ? true : undefined,
  }
}

function readingOf(reading: Reading): JournalValue {
  const { limit, remaining, resetMs, degraded, charged, audit } = reading
  return { limit, remaining, reset_ms: Math.round(resetMs), degraded, charged, audit }
}

function injectedOf({ delayMs, status, reset, bytesPerSecond }: Injected): JournalRecord {
  return { delay_ms: delayMs, abort: status, reset: reset === true ? true : undefined, bytes_per_second: bytesPerSecond }
}

function egressOf(x: Furthest): JournalRecord {
  return {
    service: x.service?.name,
    environment: x.target?.environment,
    wanted: x.wanted?.slice(0, 64),
    mode: x.target === undefined ? undefined : modeOf(x.target),
    ...callerMembers(x.caller),
    cache: x.cached,
    vended: x.vended,
    would_refuse: x.permit !== undefined && x.permit.audited.length > 0 ? true : undefined,
  }
}

/** Who called, and by what that was known: in the record of a call and of a connection. */
export function callerMembers(caller: Principal | undefined): JournalRecord {
  const { name, spiffe, token } = caller?.kind === 'caller' ? caller : noCaller
  const shown = [...(spiffe === undefined ? [] : ['spiffe']), ...(token === undefined ? [] : ['token'])]
  const by = shown.length === 0 ? ['listener'] : shown
  return {
    caller: name,
    caller_by: name === undefined ? undefined : by,
    caller_spiffe: spiffe,
    caller_issuer: token?.issuer,
    caller_subject: token?.subject,
  }
}

const noCaller: Partial<CallerPrincipal> = {}

/** What was read of the request's body where the ground counts it, else what was announced. */
function bytesIn(x: Furthest): number | undefined {
  const { body, socket } = x.arrival
  if (socket !== undefined) return socket.received
  return body === undefined ? 0 : (body.received ?? body.length)
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}

function nearestOf({ detail }: Fault): { readonly rule: string; readonly matcher: string } | undefined {
  const nearest = detail.decision?.nearest
  return nearest && { rule: nearest.rule, matcher: nearest.matcher }
}
