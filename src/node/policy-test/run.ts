import type { Destination, WeightedDestination } from '../../core/model/destination.ts'
import type { Arrival } from '../../core/model/exchange.ts'
import { faultCatalogue } from '../../core/model/fault.ts'
import type { Policy } from '../../core/policy/policy.ts'
import { buildRehearse, type Rehearsal } from '../../core/rehearse.ts'
import { createOfflinePorts } from '../offline-ports.ts'
import { rehearsedArrival } from '../rehearsed-arrival.ts'
import { writeCertificate } from '../written-certificate.ts'
import type { PolicyTest } from './document.ts'

export interface TestOutcome {
  readonly test: PolicyTest
  /** What differs: `status: expected 403, got 200`. Empty when the test passes. */
  readonly differences: readonly string[]
  /** `policy/rule` of every rule that decided or was noted. */
  readonly exercised: readonly string[]
}

/** Runs the tests with the production rooms and without a network. Each test has limits of its own and the time it names. */
export async function runPolicyTests(policy: Policy, tests: readonly PolicyTest[]): Promise<readonly TestOutcome[]> {
  const outcomes: TestOutcome[] = []
  for (const test of tests) {
    const ports = createOfflinePorts(test.time === undefined ? undefined : Date.parse(test.time))
    const certificate = certificateOf(policy, test)
    if (certificate === 'unknown') {
      outcomes.push({ test, differences: ['principal: no mapping of certificates has this name'], exercised: [] })
      continue
    }
    const token = test.principal !== undefined && !('certificate' in test.principal) ? test.principal : undefined
    const rehearse = buildRehearse(policy, ports)
    const rehearsal = await rehearse(arrivalOf(test, certificate), { kind: 'assumed', token }, test.deciders).finally(() => rehearse.close())
    outcomes.push({ test, differences: [...unstated(policy, test, rehearsal), ...compare(test.expect, factsOf(rehearsal))], exercised: exercisedBy(rehearsal) })
  }
  return outcomes
}

/** Every rule that no test exercised, as `policy/rule`. */
export function uncoveredRules(policy: Policy, outcomes: readonly TestOutcome[]): readonly string[] {
  const exercised = new Set(outcomes.flatMap((outcome) => outcome.exercised))
  return Object.values(policy.access)
    .flatMap((access) => access.rules.map((rule) => `${access.name}/${rule.id}`))
    .filter((rule) => !exercised.has(rule))
}

/** The certificate that the test says the connection has; a principal by certificate has the name that its mapping looks for. */
function certificateOf(policy: Policy, { request, principal }: PolicyTest): Uint8Array | 'unknown' | undefined {
  const said = request.certificate
  if (principal === undefined || !('certificate' in principal)) return said === undefined ? undefined : writeCertificate({ commonName: undefined, ...said })
  const mapping = policy.certificates[principal.certificate]
  if (mapping === undefined) return 'unknown'
  const { uri = [], dns = [], email = [], commonName } = said ?? {}
  const { subject } = principal
  switch (mapping.subject) {
    case 'spiffe':
    case 'uri-san':
      return writeCertificate({ uri: [...uri, subject], dns, email, commonName })
    case 'dns-san':
      return writeCertificate({ uri, dns: [...dns, subject], email, commonName })
    case 'email-san':
      return writeCertificate({ uri, dns, email: [...email, subject], commonName })
    case 'common-name':
      return writeCertificate({ uri, dns, email, commonName: subject })
    default:
      return mapping.subject satisfies never
  }
}

function arrivalOf({ request }: PolicyTest, certificate: Uint8Array | undefined): Arrival {
  const { method, host, path, client, body } = request
  const headers = Object.entries(request.headers).flatMap(([name, value]) => [name, String(value)])
  return rehearsedArrival({
    method,
    scheme: 'https',
    host,
    target: path,
    headers,
    json: body === undefined ? undefined : JSON.stringify(body),
    client,
    certificate,
  })
}

/** A test that leaves open what a decision point answers proves nothing; one that names another never meant this policy. */
function unstated(policy: Policy, { deciders }: PolicyTest, { asked }: Rehearsal): readonly string[] {
  return [
    ...asked.flatMap(({ decider, source, audit }) =>
      source === 'unasked' && !audit
        ? [`deciders: ${decider} would be asked, and the test does not state its answer: add deciders: { ${decider}: allow }, deny or down`]
        : [],
    ),
    ...Object.keys(deciders).flatMap((name) => (Object.hasOwn(policy.deciders, name) ? [] : [`deciders: the policies have no decision point "${name}"`])),
  ]
}

interface Facts {
  readonly status: number
  readonly code: string | undefined
  readonly route: string | undefined
  readonly rule: string | undefined
  readonly audited: readonly string[]
  readonly asked: readonly string[]
  readonly limits: readonly string[]
  readonly destination: string | undefined
  /** 0 to 1 by destination. */
  readonly share: Readonly<Record<string, number>>
  /** What the upstream gets, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** The token that it gets: of `tokens` or `exchanges`. */
  readonly token: string | undefined
  /** What a minted one says. */
  readonly claims: Readonly<Record<string, unknown>>
}

function factsOf({ refusal, last, decision, asked, limits, handedOn }: Rehearsal): Facts {
  const fields = last.call === undefined ? [] : (last.call.kind === 'http' ? last.call.headers : last.call.metadata).entries()
  return {
    status: refusal === undefined ? 200 : faultCatalogue[refusal.code].http,
    code: refusal?.code,
    route: last.route?.name,
    rule: last.permit === undefined ? refusal?.detail.rule : `${last.permit.policy}/${last.permit.rule}`,
    audited: decision?.audited ?? [],
    asked: asked.map(({ decider }) => decider),
    limits: limits.map((one) => one.limit),
    destination: last.destination === undefined ? undefined : nameOf(last.destination),
    share: sharesOf(last.route?.split ?? []),
    headers: Object.fromEntries(fields),
    token: handedOn?.name,
    claims: handedOn?.claims ?? {},
  }
}

function nameOf({ cluster, subset }: Destination): string {
  return subset === undefined ? cluster : `${cluster}/${subset}`
}

function sharesOf(split: readonly WeightedDestination[]): Readonly<Record<string, number>> {
  const total = split.reduce((sum, one) => sum + one.weight, 0)
  return Object.fromEntries(split.map((one) => [nameOf(one), total === 0 ? 0 : one.weight / total]))
}

function compare(expected: PolicyTest['expect'], facts: Facts): readonly string[] {
  return Object.entries(expected).flatMap(([name, value]) => {
    const found = facts[name as keyof Facts]
    return same(value, found) ? [] : [`${name}: expected ${JSON.stringify(value)}, got ${JSON.stringify(found)}`]
  })
}

function same(expected: unknown, found: unknown): boolean {
  if (Array.isArray(expected) && Array.isArray(found))
    return JSON.stringify(expected.map(String).sort(byText)) === JSON.stringify(found.map(String).sort(byText))
  if (typeof expected === 'object' && expected !== null)
    return Object.entries(expected).every(
      ([name, value]) => JSON.stringify((found as Readonly<Record<string, unknown>> | undefined)?.[name]) === JSON.stringify(value),
    )
  return expected === found
}

const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

function exercisedBy({ refusal, last, decision }: Rehearsal): readonly string[] {
  // A decision point that refuses was asked because a rule had let the request pass.
  const byRules = decision?.outcome === 'permit' ? `${decision.policy}/${decision.rule}` : refusal?.detail.rule
  const decided = last.permit === undefined ? byRules : `${last.permit.policy}/${last.permit.rule}`
  return [...(decided === undefined ? [] : [decided]), ...(decision?.audited ?? [])]
}
