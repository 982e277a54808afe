/** What one metric is, for the meter that keeps it and for whoever reads `/metrics`. */
export interface MetricDefinition {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** In the order they are written. Every value comes from the policies or from a closed list, never from a request. */
  readonly labels: readonly string[]
  /** Upper bounds of a histogram's buckets, ascending, without +Inf. */
  readonly buckets?: readonly number[]
  /**
   * What several processes that serve as one gateway say together: counters and histograms are added up; of a gauge it is the greatest
   * figure, unless this says otherwise.
   */
  readonly together?: 'sum' | 'least'
}

/** Seconds, from a cached answer to the longest route timeout. */
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

/** Every metric Sallyport keeps, by name. A room that counts something adds its row here. */
export const metrics = {
  sallyport_requests_total: {
    kind: 'counter',
    help: 'Requests answered, by wing, route (or egress service), method and status.',
    labels: ['wing', 'route', 'method', 'status'],
  },
  sallyport_request_duration_seconds: {
    kind: 'histogram',
    help: 'Time from the arrival of a request to the end of its answer.',
    labels: ['wing', 'route'],
    buckets: seconds,
  },
  sallyport_refusals_total: { kind: 'counter', help: 'Requests that the gateway itself refused or lost, by fault code.', labels: ['wing', 'code'] },
  sallyport_in_flight_requests: { kind: 'gauge', help: 'Requests whose answer has not ended.', labels: [], together: 'sum' },
  sallyport_upstream_duration_seconds: {
    kind: 'histogram',
    help: 'Time from the first try of an upstream call to the end of its answer.',
    labels: ['wing', 'destination'],
    buckets: seconds,
  },
  sallyport_upstream_requests_total: {
    kind: 'counter',
    help: 'Tries at upstreams, by cluster (or egress service) and outcome: 2xx to 5xx, grpc_<code>, dropped, overtaken (another try answered first), or the fault code.',
    labels: ['cluster', 'outcome'],
  },
  sallyport_upstream_answer_seconds: {
    kind: 'histogram',
    help: 'Time from the start of one try to its response headers.',
    labels: ['cluster'],
    buckets: seconds,
  },
  sallyport_egress_quota_total: {
    kind: 'counter',
    help: 'Tries that met the quota of a vendor, by service, environment and outcome: passed, waited, or refused: paused, exceeded, capped, unavailable.',
    labels: ['service', 'environment', 'outcome'],
  },
  sallyport_egress_pauses_total: { kind: 'counter', help: 'Answers by which a vendor asked to be left alone.', labels: ['service', 'environment'] },
  sallyport_egress_cost_total: { kind: 'counter', help: 'What calls to vendors cost, in the currency.', labels: ['service', 'environment', 'currency'] },
  sallyport_egress_would_refuse_total: {
    kind: 'counter',
    help: 'Calls to vendors that only a rule in audit mode let pass, by service and rule.',
    labels: ['service', 'rule'],
  },
  sallyport_egress_recordings_total: {
    kind: 'counter',
    help: 'Answers of vendors in mode record, by service, environment and outcome: written, or why not: too_large, coded, secret, full, broken, failed.',
    labels: ['service', 'environment', 'outcome'],
  },
  sallyport_egress_cache_total: {
    kind: 'counter',
    help: 'Calls to services with a cache, by service, environment and outcome: hit, revalidated, stale, miss, bypass (nothing that could be stored).',
    labels: ['service', 'environment', 'outcome'],
  },
  sallyport_egress_cache_bytes: { kind: 'gauge', help: 'What stored answers weigh, by service.', labels: ['service'], together: 'sum' },
  sallyport_egress_vended_total: {
    kind: 'counter',
    help: 'Credentials that were handed to workloads, by service, environment and caller.',
    labels: ['service', 'environment', 'caller'],
  },
  sallyport_upstream_retries_total: { kind: 'counter', help: 'Tries after the first, by cluster (or egress service).', labels: ['cluster'] },
  sallyport_upstream_hedges_total: {
    kind: 'counter',
    help: 'Second tries beside a slow first one, by cluster and outcome: won, lost.',
    labels: ['cluster', 'outcome'],
  },
  sallyport_upstream_held_back_total: {
    kind: 'counter',
    help: 'Requests refused to protect an upstream, by cluster (or egress service) and reason: cap, connections, concurrency, pending (the queue is full), breaker, deadline (too little time is left).',
    labels: ['cluster', 'reason'],
  },
  sallyport_upstream_pending_requests: { kind: 'gauge', help: 'Requests that wait for a place, by cluster.', labels: ['cluster'], together: 'sum' },
  sallyport_upstream_breaker_open: {
    kind: 'gauge',
    help: '1 while a place is left alone or on trial: a cluster, cluster/subset, or egress service and environment.',
    labels: ['place'],
  },
  sallyport_upstream_breaker_openings_total: { kind: 'counter', help: 'How often the breaker of a place opened.', labels: ['place'] },
  sallyport_upstream_concurrency_limit: {
    kind: 'gauge',
    help: 'Requests at a time that the answer times of a place allow, with adaptive concurrency; 0 without.',
    labels: ['place'],
    together: 'sum',
  },
  sallyport_upstream_endpoints: {
    kind: 'gauge',
    help: 'Endpoints by cluster and health: healthy, unhealthy (by active checks), ejected, probing (back from an ejection, not proven), unchecked (no check has come back).',
    labels: ['cluster', 'health'],
  },
  sallyport_upstream_ejections_total: {
    kind: 'counter',
    help: 'Endpoints ejected, by cluster and cause: consecutive_5xx, consecutive_gateway, success_rate, slow.',
    labels: ['cluster', 'cause'],
  },
  sallyport_upstream_health_checks_total: {
    kind: 'counter',
    help: 'Active health checks, by cluster and outcome: passed or failed.',
    labels: ['cluster', 'outcome'],
  },
  sallyport_upstream_active_requests: { kind: 'gauge', help: 'Requests under way, by cluster (or egress service).', labels: ['cluster'], together: 'sum' },
  sallyport_upstream_connections: {
    kind: 'gauge',
    help: 'Open connections, by cluster (or egress service), those of active checks among them.',
    labels: ['cluster'],
    together: 'sum',
  },
  sallyport_discovery_age_seconds: {
    kind: 'gauge',
    help: 'Time since a source of endpoints last said what is in force, by cluster and source.',
    labels: ['cluster', 'source'],
  },
  sallyport_discovery_endpoints: {
    kind: 'gauge',
    help: 'Endpoints in force, by cluster and source; state named, or kept until it is certain that they are gone.',
    labels: ['cluster', 'source', 'state'],
  },
  sallyport_discovery_subset_age_seconds: {
    kind: 'gauge',
    help: 'Time since a source last named an endpoint with the labels of a subset that goes on with those it had, by cluster and subset.',
    labels: ['cluster', 'subset'],
  },
  sallyport_discovery_failures_total: {
    kind: 'counter',
    help: 'Answers of sources of endpoints that were not taken, or (partial) are not all of it, by source and reason: failed, empty, shrunk, partial.',
    labels: ['source', 'reason'],
  },
  sallyport_failovers_total: { kind: 'counter', help: 'Requests that went to a second cluster, by the first one and by it.', labels: ['cluster', 'to'] },
  sallyport_faults_injected_total: {
    kind: 'counter',
    help: 'Faults injected on purpose, by route (or egress service) and kind: delay, abort; on egress latency, reset, status, bandwidth.',
    labels: ['route', 'kind'],
  },
  sallyport_mirror_requests_total: {
    kind: 'counter',
    help: 'Copies of requests, by route and outcome: answered, failed, busy (too many under way), body (too large to keep).',
    labels: ['route', 'outcome'],
  },
  sallyport_mirror_comparisons_total: {
    kind: 'counter',
    help: 'Answers compared with those of the mirror, by route and outcome: same, different, left (too large, or not to be read).',
    labels: ['route', 'outcome'],
  },
  sallyport_guard_aborted: { kind: 'gauge', help: '1 while a guarded destination has lost its weight.', labels: ['route', 'destination'] },
  sallyport_guard_aborts_total: {
    kind: 'counter',
    help: 'Aborts that this process decided, by route, destination and reason: errors, latency.',
    labels: ['route', 'destination', 'reason'],
  },
  sallyport_certificate_reads_total: {
    kind: 'counter',
    help: 'Certificates that became current or were not taken, by use (a listener, cluster or egress service) and outcome: taken, failed.',
    labels: ['use', 'outcome'],
  },
  sallyport_certificate_end_timestamp_seconds: {
    kind: 'gauge',
    help: "When one of the gateway's own certificates ends, by use, seconds since the epoch.",
    labels: ['use'],
    together: 'least',
  },
  sallyport_connections: { kind: 'gauge', help: 'Open downstream connections, by listener.', labels: ['listener'], together: 'sum' },
  sallyport_upgraded_connections: {
    kind: 'gauge',
    help: 'Open downstream connections that have changed their protocol, WebSockets among them, by listener.',
    labels: ['listener'],
    together: 'sum',
  },
  sallyport_upgraded_bytes_total: {
    kind: 'counter',
    help: 'Bytes of connections that have changed their protocol, by route and direction (in, out), counted when they end.',
    labels: ['route', 'direction'],
  },
  sallyport_connections_refused_total: {
    kind: 'counter',
    help: 'Downstream connections closed at once or cut, by listener and reason: full, peer, handshake, flood.',
    labels: ['listener', 'reason'],
  },
  sallyport_limit_decisions_total: {
    kind: 'counter',
    help: 'Limits consulted, by limit and by who answered: the store, or this process alone (degraded).',
    labels: ['limit', 'source'],
  },
  sallyport_limit_outcomes_total: {
    kind: 'counter',
    help: 'What each limit said: allowed, refused, unavailable (its store could not be asked), would_refuse (audit mode), too_small (a claim says less than the request costs).',
    labels: ['limit', 'outcome'],
  },
  sallyport_limit_near_total: {
    kind: 'counter',
    help: 'Requests that a limit let pass with a fifth of it or less then left, or that came down to it by what their answer cost, in audit mode too.',
    labels: ['limit'],
  },
  sallyport_limit_answer_costs_total: {
    kind: 'counter',
    help: 'Answers that say what they cost: charged, capped (charged less than they say, as the route allows), invalid (left aside).',
    labels: ['limit', 'outcome'],
  },
  sallyport_limit_store_failures_total: {
    kind: 'counter',
    help: 'Calls to the limit store that failed, by reason: timeout, connection, reply.',
    labels: ['reason'],
  },
  sallyport_limit_store_degraded: { kind: 'gauge', help: '1 while limits are answered without their shared store.', labels: [] },
  sallyport_decider_decisions_total: {
    kind: 'counter',
    help: 'Decision points consulted, by decider, outcome (allowed, denied, failed_open, failed_closed) and source (answer, cache, stale, none).',
    labels: ['decider', 'outcome', 'source'],
  },
  sallyport_decider_answer_seconds: {
    kind: 'histogram',
    help: 'Time from asking a decision point to its answer, or to its failure.',
    labels: ['decider'],
    buckets: seconds,
  },
  sallyport_decider_open: { kind: 'gauge', help: '1 while a decision point that failed several times in a row is left alone.', labels: ['decider'] },
  sallyport_reload_total: { kind: 'counter', help: 'Policy loads, by outcome: published, unchanged, failed.', labels: ['outcome'] },
  sallyport_egress_streams: {
    kind: 'gauge',
    help: 'Open connections of TCP services and tunnels of the forward proxy, by service.',
    labels: ['service'],
    together: 'sum',
  },
  sallyport_egress_streams_total: {
    kind: 'counter',
    help: 'Connections of TCP services and tunnels that ended, by service and outcome: closed, idle, lifetime, drained, reset, full, broken, hello_refused, clear, or the fault code.',
    labels: ['service', 'outcome'],
  },
  sallyport_egress_stream_bytes_total: {
    kind: 'counter',
    help: 'Bytes that TCP services and tunnels carried, by service and direction: out (to the target), in.',
    labels: ['service', 'direction'],
  },
  sallyport_egress_switches_total: { kind: 'counter', help: 'Requests to switch an egress service, by outcome: switched, refused.', labels: ['outcome'] },
  sallyport_policy_revision_info: { kind: 'gauge', help: '1 for the policy revision in force.', labels: ['revision', 'environment'] },
  sallyport_policy_last_reload_success: { kind: 'gauge', help: '1 when the last policy load was good, 0 when it failed and older policies serve.', labels: [] },
  sallyport_policy_last_reload_timestamp_seconds: { kind: 'gauge', help: 'When the policies in force were published, seconds since the epoch.', labels: [] },
  sallyport_policy_quarantined_objects: { kind: 'gauge', help: 'Objects of the policies in force that are broken and answer 503.', labels: [] },
  sallyport_api_key_reads_total: { kind: 'counter', help: 'Looks at stored API keys, by set and outcome: good, failed.', labels: ['set', 'outcome'] },
  sallyport_revocation_reads_total: { kind: 'counter', help: 'Looks at revocation lists, by issuer and outcome: good, failed.', labels: ['issuer', 'outcome'] },
  sallyport_revocations: { kind: 'gauge', help: 'Revocations in force, by issuer.', labels: ['issuer'] },
  sallyport_key_set_age_seconds: { kind: 'gauge', help: 'Time since the key set of an issuer was last fetched.', labels: ['issuer'] },
  sallyport_key_set_fetches_total: { kind: 'counter', help: 'Fetches of key sets, by issuer and outcome: good, failed.', labels: ['issuer', 'outcome'] },
  sallyport_introspections_total: {
    kind: 'counter',
    help: 'Opaque tokens judged, by issuer and outcome: active, inactive, remembered, failed, unauthorized (our own client is refused), held (not asked while it fails).',
    labels: ['issuer', 'outcome'],
  },
  sallyport_descriptor_drift: {
    kind: 'gauge',
    help: 'Differences between the pinned descriptors of a cluster and what its server says, by kind: breaking, addition.',
    labels: ['cluster', 'kind'],
  },
  sallyport_descriptor_checks_total: {
    kind: 'counter',
    help: 'Looks at what servers say of their descriptors, by cluster and outcome: same, drifted, unreflected, failed.',
    labels: ['cluster', 'outcome'],
  },
  process_cpu_seconds_total: { kind: 'counter', help: 'CPU time of this process, user and system.', labels: [] },
  process_resident_memory_bytes: { kind: 'gauge', help: 'Resident memory of this process.', labels: [], together: 'sum' },
  process_start_time_seconds: { kind: 'gauge', help: 'When this process started, seconds since the epoch.', labels: [], together: 'least' },
  sallyport_bugs_total: { kind: 'counter', help: 'Errors nobody caught. Anything above zero is a bug in Sallyport.', labels: ['kind'] },
  sallyport_records_dropped_total: { kind: 'counter', help: 'Records lost because what reads them is too slow.', labels: [] },
  sallyport_spans_dropped_total: { kind: 'counter', help: 'Trace spans lost on the way to the collector.', labels: ['reason'] },
} as const satisfies Record<string, MetricDefinition>

export type MetricName = keyof typeof metrics

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE'])

/** The method as a label: anything unusual is `OTHER`, so that a downstream cannot make series. */
export function methodLabel(method: string): string {
  return methods.has(method) ? method : 'OTHER'
}

/** The status as a label; an upstream's odd number is `other`. */
export function statusLabel(status: number): string {
  return Number.isInteger(status) && status >= 100 && status <= 599 ? String(status) : 'other'
}
