import type { Diagnostic } from '../../core/policy/diagnostic.ts'
import type { Cluster } from '../../core/policy/linked/clusters.ts'
import type { Issuer } from '../../core/policy/linked/issuers.ts'
import type { Origin } from '../../core/policy/loading.ts'
import type { Policy } from '../../core/policy/policy.ts'
import { signingIssuers } from '../../core/policy/requirement.ts'
import type { Channels, Clock, Fetch } from '../../core/ports.ts'
import type { Difference } from '../../core/protobuf.ts'
import { type Part, type Place, type PlacePorts, partsOf } from '../../core/upstream.ts'
import { type DialPorts, nameOf } from '../channels/dial.ts'
import { checkDrift, type DriftFinding, usedOf } from '../drift/check-drift.ts'
import { probeEndpoint } from './probe-endpoint.ts'
import { probeIssuer } from './probe-issuer.ts'
import { type Trouble, troubleOf } from './trouble.ts'

/** One thing that was tried. */
export interface Probe {
  readonly kind: 'endpoint' | 'descriptors' | 'issuer'
  /** Name of the cluster or issuer. */
  readonly name: string
  readonly subset: string | undefined
  /** `host:port`, the path of a socket, the name that has no address, or where the keys are. */
  readonly target: string | undefined
  /** `unknown`: nothing can be said, and that is no fault. */
  readonly outcome: 'ok' | 'trouble' | 'unknown'
  /** What came of it, in a clause. */
  readonly text: string
}

export interface ProbeReport {
  readonly probes: readonly Probe[]
  /** What is wrong, each where the policies say it: errors, and warnings for what harms nobody. */
  readonly diagnostics: readonly Diagnostic[]
}

export interface ProbePorts extends DialPorts, PlacePorts {
  readonly channels: Channels
  readonly fetch: Fetch
  readonly clock: Clock
}

/** For one question by reflection, milliseconds. */
const patienceMs = 10_000

interface Finding extends Pick<Diagnostic, 'severity' | 'code' | 'message' | 'hint'> {
  readonly object: string
  readonly member: string
}

interface Found {
  readonly probes: Probe[]
  readonly findings: Finding[]
}

/**
 * Tries everything that the policies depend on and that answers: each endpoint of each cluster in its protocol, what its server says of the
 * pinned descriptors, and each issuer's keys. Nothing is changed anywhere. Clusters are tried at once, everything in one of them in turn. Never rejects.
 */
export async function probePolicy(policy: Policy, origins: Readonly<Record<string, Origin>>, ports: ProbePorts): Promise<ProbeReport> {
  const clusters = Object.values(policy.clusters).filter(({ quarantined }) => quarantined === undefined)
  const issuers = signingIssuers(policy)
  const found = await Promise.all([...clusters.map((cluster) => probeCluster(policy, cluster, ports)), ...issuers.map((issuer) => tryIssuer(issuer, ports))])
  return {
    probes: found.flatMap(({ probes }) => probes),
    diagnostics: found.flatMap(({ findings }) => findings).map((finding) => placed(finding, origins)),
  }
}

function placed({ object, member, ...said }: Finding, origins: Readonly<Record<string, Origin>>): Diagnostic {
  const path = `${object}.${member}`
  const origin = origins[path] ?? Object.entries(origins).find(([name]) => name.startsWith(`${path}.`) || name.startsWith(`${object}.`))?.[1]
  const { file, line, column } = origin ?? { file: '', line: 1, column: 1 }
  return { ...said, file, line, column, object }
}

async function probeCluster(policy: Policy, cluster: Cluster, ports: ProbePorts): Promise<Found> {
  const found: Found = { probes: [], findings: [] }
  const parts = await partsOf(cluster, ports)
  const reached = await tryParts(cluster, parts, found, ports)
  const { services } = usedOf(policy, cluster.name)
  if (cluster.descriptors === undefined || services.length === 0) return found
  // What cannot be reached was said; asking again would only say it twice.
  if (!reached) noteDrift(found, cluster, services, { subset: undefined, kind: 'failed', reason: 'no endpoint can be asked' }, false)
  else for (const finding of await checkDrift(policy, cluster, ports, patienceMs)) noteDrift(found, cluster, services, finding, true)
  return found
}

/** Whether any endpoint works. */
async function tryParts(cluster: Cluster, parts: readonly Part[], found: Found, ports: ProbePorts): Promise<boolean> {
  let reached = false
  const seen = new Set<string>()
  for (const part of parts) {
    if ('problem' in part) {
      noteEndpoint(found, cluster, { subset: part.subset, target: part.name }, troubleOf(part.cause, false))
      continue
    }
    if (part.partly !== undefined && !seen.has(part.partly)) {
      seen.add(part.partly)
      noteMissing(found, cluster, part.name, part.partly)
    }
    for (const place of part.places) {
      const same = JSON.stringify([place.endpoint, place.authority])
      if (seen.has(same)) continue
      seen.add(same)
      const trouble = await probeEndpoint(place, ports)
      reached ||= trouble === undefined
      noteEndpoint(found, cluster, { subset: place.subset, target: nameOf(place.endpoint) }, trouble, place)
    }
  }
  return reached
}

function noteEndpoint({ probes, findings }: Found, cluster: Cluster, at: Pick<Probe, 'subset' | 'target'>, trouble: Trouble | undefined, place?: Place): void {
  const outcome = trouble === undefined ? 'ok' : 'trouble'
  const spoken = `speaks ${cluster.protocol}${cluster.tls === undefined ? '' : ' over TLS'}`
  probes.push({ kind: 'endpoint', name: cluster.name, ...at, outcome, text: trouble?.problem ?? spoken })
  if (trouble === undefined) return
  const where = at.subset === undefined ? [] : ['subsets', at.subset]
  const called = place === undefined || place.authority === at.target ? '' : ` (as ${place.authority})`
  findings.push({
    severity: 'error',
    code: 'endpoint_unusable',
    message: `${at.target}${called}: ${trouble.problem}.`,
    hint: trouble.hint,
    object: `clusters.${cluster.name}`,
    member: [...where, cluster.endpoints.kind === 'static' ? 'address' : 'endpoints'].join('.'),
  })
}

/** A source that names more than could be found. The rest is used without it. */
function noteMissing({ probes, findings }: Found, cluster: Cluster, target: string, partly: string): void {
  probes.push({ kind: 'endpoint', name: cluster.name, subset: undefined, target, outcome: 'trouble', text: partly })
  findings.push({
    severity: 'warning',
    code: 'endpoint_unresolved',
    message: `${target}: ${partly}.`,
    hint: 'Requests go to the other endpoints alone. Correct the records, or look at the DNS server.',
    object: `clusters.${cluster.name}`,
    member: 'endpoints',
  })
}

function noteDrift({ probes, findings }: Found, cluster: Cluster, services: readonly string[], finding: DriftFinding, isNews: boolean): void {
  const { subset } = finding
  const object = `clusters.${cluster.name}`
  const note = (outcome: Probe['outcome'], text: string) =>
    probes.push({ kind: 'descriptors', name: cluster.name, subset, target: cluster.descriptors?.file, outcome, text })
  if (finding.kind === 'unreflected') note('unknown', 'the server offers no reflection: drift cannot be seen')
  else if (finding.kind === 'failed') {
    note(isNews ? 'trouble' : 'unknown', `drift cannot be seen: ${finding.reason}`)
    if (isNews)
      findings.push({
        severity: 'warning',
        code: 'drift_unknown',
        message: `Whether ${cluster.descriptors?.file} still holds cannot be seen: ${finding.reason}.`,
        hint: 'Look at the reflection service of the server.',
        object,
        member: 'descriptors',
      })
  } else {
    note(finding.differences.some(({ kind }) => kind === 'breaking') ? 'trouble' : 'ok', summaryOf(finding.differences, services))
    for (const difference of finding.differences) findings.push(driftFinding(object, difference, subset))
  }
}

function summaryOf(differences: readonly Difference[], services: readonly string[]): string {
  const count = (kind: Difference['kind']) => differences.filter((each) => each.kind === kind).length
  const of = services.join(', ')
  return differences.length === 0
    ? `the server says the same of ${of}`
    : `the server differs in ${of}: ${count('breaking')} breaking, ${count('addition')} added`
}

function driftFinding(object: string, { kind, file, element, change }: Difference, subset: string | undefined): Finding {
  const part = subset === undefined ? '' : ` (subset ${subset})`
  return {
    severity: kind === 'breaking' ? 'error' : 'warning',
    code: kind === 'breaking' ? 'descriptor_drift' : 'descriptor_addition',
    message: `${file}: ${element}: ${change}, says the server${part}.`,
    hint:
      kind === 'breaking'
        ? 'Pull the set again with `sallyport proto pull` and review it, or put the service back.'
        : 'Nothing breaks; pull the set again to use it.',
    object,
    member: 'descriptors',
  }
}

async function tryIssuer(issuer: Issuer, ports: ProbePorts): Promise<Found> {
  const result = await probeIssuer(issuer, ports)
  const about = { kind: 'issuer', name: issuer.name, subset: undefined } as const
  if ('keys' in result) {
    const text = `${result.keys} ${result.keys === 1 ? 'key' : 'keys'} for ${issuer.algorithms.join(', ')}`
    return { probes: [{ ...about, target: result.uri, outcome: 'ok', text }], findings: [] }
  }
  const finding: Finding = {
    severity: 'error',
    code: 'issuer_unusable',
    message: `The keys of ${issuer.issuer} cannot be used: ${result.problem}.`,
    hint: result.hint,
    object: `issuers.${issuer.name}`,
    member: issuer.jwks === undefined ? 'issuer' : 'jwks',
  }
  return { probes: [{ ...about, target: issuer.jwks ?? issuer.issuer, outcome: 'trouble', text: result.problem }], findings: [finding] }
}
