import { secretRuleOf, secretRulesOf } from '../model/credential.ts'
import type { EgressService } from '../model/egress-service.ts'
import { type EgressTarget, type LiveTarget, modeOf, type StreamTarget } from '../model/egress-target.ts'
import { Fault, type FaultDetail } from '../model/fault.ts'
import { canonicalPath } from '../model/path.ts'
import type { SecretRule } from '../model/secret-rule.ts'
import { isVendPath, vendPath } from '../model/vend-path.ts'
import { formatAuthority } from '../net.ts'
import { isoTime } from '../observe/time.ts'
import type { LinkedEgress } from '../policy/linked/egress.ts'
import type { Policy } from '../policy/policy.ts'
import type { Ports } from '../ports.ts'
import { byListenerAlone, knownBy, uses } from './attribute.ts'
import { keyedMethods } from './credential/outgoing.ts'
import { buildReadSecret } from './credential/secret.ts'
import { listedTarget, listedText, type ProxiedCall, wayProblem } from './explain/proxied.ts'
import { buildGuard, kindOfAddress } from './guard.ts'
import { buildAllow } from './permit/allow.ts'
import { buildChoose } from './place/choose.ts'
import { unconfined } from './place/confine.ts'
import { placeText } from './proxied.ts'
import { switchOf } from './switched.ts'

export { readProxiedCall, serviceOfCall } from './explain/proxied.ts'

/** One rule a call meets, and how it fares. */
export interface ExplainLine {
  /** `service`, `caller`, `way`, `path`, `allow`, `environment`, `ceiling`, `target`, `mode`, `faults`, `production`, `secret`, `address`, `quota`, `cost`, `idempotency`, `mask`. */
  readonly rule: string
  readonly ok: boolean
  readonly detail: string
}

export interface EgressQuestion {
  /** Name of the service. */
  readonly service: string
  /** What `x-egress-env` would say; undefined for a call without it. */
  readonly environment?: string | undefined
  /** Undefined: the first of the service's callers. */
  readonly caller?: string | undefined
  readonly method: string
  /** As a caller would send it, without the query. */
  readonly path: string
  /** Of a service of the forward proxy: what is called. */
  readonly proxied?: ProxiedCall | undefined
}

type ExplainPorts = Pick<Ports, 'resolve' | 'secrets' | 'clock' | 'ownAddresses'>

export interface EgressCaller {
  readonly name: string
  readonly by: readonly ('listener' | 'spiffe' | 'token')[]
}

/** One row of `egress list`. */
export interface EgressRow {
  readonly service: string
  readonly environment: string
  /** `none`: the service has no target there, every call is 503. */
  readonly mode: ReturnType<typeof modeOf> | 'none'
  /** Who may call it, and by what each is known. */
  readonly callers: readonly EgressCaller[]
  /** Origin and path prefix of a live target. */
  readonly target: string | undefined
  /** The reference, never the value. */
  readonly secret: string | undefined
  /** Every caller that chooses nothing itself is sent here: somebody has switched the service. */
  readonly switched?: { readonly by: string; readonly reason: string; readonly at: string; readonly endsAt: string | undefined } | undefined
}

/**
 * Walks one call through every rule of the egress wing without making it, with the same deciders the rooms use. It goes on after a
 * refusal as far as there is something to say; names are resolved and secrets read, neither is called nor shown.
 */
export async function explainEgress(policy: Policy, question: EgressQuestion, ports: ExplainPorts): Promise<readonly ExplainLine[]> {
  const linked = Object.hasOwn(policy.egress, question.service) ? policy.egress[question.service] : undefined
  if (linked === undefined) {
    const { proxied } = question
    return [line('service', false, proxied === undefined ? `${question.service} is not an egress service` : `no egress service lists ${placeText(proxied)}`)]
  }
  const { service } = linked
  const caller = question.caller ?? service.callers[0] ?? ''
  if (service.proxy !== undefined && question.proxied === undefined)
    return [line('service', false, `${service.name} is called through the forward proxy: say which host`)]
  // A service that has a name of its own is the same service, however it is asked for.
  const placed = explainPlace(policy, linked, caller, service.proxy === undefined ? { ...question, proxied: undefined } : question)
  const live = placed.target?.mode === 'live' || placed.target?.mode === 'tcp' ? await explainLive(policy, placed.target, ports) : []
  return [
    line('service', service.quarantined === undefined, service.quarantined ?? waysIn(service)),
    ...(service.stream === undefined ? explainPermit(policy, service, caller, question) : [explainCaller(policy, service, caller)]),
    ...placed.lines,
    ...live,
    ...(placed.target?.mode === 'live' ? explainCalling(service, question.method) : []),
  ]
}

/** Every service in every environment of this process's class, in the policies' order. */
export function listEgress(policy: Policy): readonly EgressRow[] {
  return Object.values(policy.egress).flatMap(({ service, targets }) =>
    policy.environments.map((environment) => ({
      ...rowOf(service.name, environment, new Map(Object.entries(targets)).get(environment)),
      callers: callersOf(policy, service),
      switched: switchedTo(policy, service.name, environment),
    })),
  )
}

function switchedTo(policy: Policy, service: string, environment: string): EgressRow['switched'] {
  const one = switchOf(policy, service)
  if (one === undefined || one.environment !== environment) return undefined
  return { by: one.by, reason: one.reason, at: isoTime(one.at), endsAt: one.endsAt === undefined ? undefined : isoTime(one.endsAt) }
}

function callersOf({ callers }: Policy, service: EgressService): readonly EgressCaller[] {
  return service.callers.flatMap((name) => {
    const caller = callers[name]
    if (caller === undefined) return []
    const by = (['spiffe', 'token'] as const).filter((kind) => caller[kind] !== undefined)
    return [{ name, by: by.length === 0 ? ['listener'] : by }]
  })
}

function rowOf(service: string, environment: string, target: EgressTarget | undefined): Omit<EgressRow, 'callers'> {
  if (target?.mode === 'tcp') return { service, environment, mode: 'tcp', target: streamText(target), secret: undefined }
  if (target?.mode === 'proxy') return { service, environment, mode: 'proxy', target: listedText(target), secret: undefined }
  if (target?.mode !== 'live') return { service, environment, mode: target?.mode ?? 'none', target: undefined, secret: undefined }
  return {
    service,
    environment,
    mode: modeOf(target),
    target: target.origin + target.basePath,
    secret: target.credential === undefined ? undefined : secretRuleOf(target.credential).reference,
  }
}

function waysIn(service: EgressService): string {
  if (service.proxy !== undefined) return `${service.name}: through the forward proxy`
  const ways = [service.listen === undefined ? [] : [`own port ${service.listen}`], service.host === undefined ? [] : [`host ${service.host}`]].flat()
  return ways.length === 0 ? `${service.name} has neither a port nor a host` : `${service.name}: ${ways.join(', ')}`
}

function explainPermit(policy: Policy, service: EgressService, caller: string, question: EgressQuestion): readonly ExplainLine[] {
  const first = explainCaller(policy, service, caller)
  const problem = question.proxied && wayProblem(question.proxied, service)
  if (problem !== undefined) return [first, line('way', false, problem)]
  const path = canonicalPath(question.path)
  if ('ambiguous' in path) return [first, line('path', false, `ambiguous: ${path.ambiguous}`)]
  if (isVendPath(path.path))
    return [first, line('path', true, path.path), line('allow', true, `${service.name}/vend: the gateway answers here, and no vendor is asked`)]
  // Asked for a caller who may, so that the line is about method and path alone.
  const decision = buildAllow({ ...service, callers: [caller] })(caller, question.method, path)
  const allow =
    decision.rule === undefined
      ? line('allow', false, decision.reason)
      : line('allow', true, `${service.name}/${decision.rule}${decision.audit ? ', in audit mode: no other rule lets this pass' : ''}`)
  return question.method === 'CONNECT' ? [first, allow] : [first, line('path', true, path.path), allow]
}

function explainCaller({ callers }: Policy, service: EgressService, name: string): ExplainLine {
  if (!service.callers.includes(name)) return line('caller', false, `${name === '' ? 'nobody' : name} is not among the callers of ${service.name}`)
  const caller = Object.hasOwn(callers, name) ? callers[name] : undefined
  if (caller === undefined) return line('caller', false, `${name} is not a caller`)
  const isShared = service.host !== undefined || service.proxy !== undefined
  const comes = (service.listen !== undefined && uses(caller, `egress:${service.name}`)) || (isShared && uses(caller, 'egress'))
  if (!comes) return line('caller', false, `${name} comes by ${caller.listener}, which does not lead to ${service.name}`)
  return line('caller', true, byListenerAlone(caller) ? name : `${name}, known by ${knownBy(caller)}`)
}

function streamText({ host, port, tls }: StreamTarget): string {
  return `${tls ? 'tls' : 'tcp'}://${formatAuthority(host, port)}`
}

interface ExplainedPlace {
  readonly lines: readonly ExplainLine[]
  readonly target: EgressTarget | undefined
}

function explainPlace(policy: Policy, linked: LinkedEgress, caller: string, { environment: wanted, proxied, path }: EgressQuestion): ExplainedPlace {
  const choice = buildChoose(policy)(caller, wanted, linked.service.name)
  const environment = choice.environment ?? wanted ?? policy.environment
  const within = policy.environments.includes(environment)
  const target = targetOf(linked, environment, proxied)
  const lines = [
    line('environment', choice.environment !== undefined, choice.environment === undefined ? choice.reason : `${environment}, chosen by the ${choice.by}`),
    line('ceiling', within, within ? `${environment} is ${policy.environmentClass}` : `${environment} is not a ${policy.environmentClass} environment`),
  ]
  if (target === undefined || 'problem' in target) {
    const problem = target?.problem ?? `${linked.service.name} has no target in ${environment}`
    return { lines: [...lines, line('target', false, problem)], target: undefined }
  }
  const where =
    proxied !== undefined && target.mode === 'live'
      ? formatAuthority(target.host, target.port)
      : target.mode === 'live'
        ? target.origin + target.basePath
        : target.mode === 'tcp'
          ? streamText(target)
          : `none: answered by the gateway`
  return {
    lines: [
      ...lines,
      line('target', true, where),
      ...explainConfined(target, path),
      line('mode', target.mode !== 'deny', describeMode(target)),
      ...explainFaults(target),
      ...explainVend(target),
    ],
    target,
  }
}

function explainConfined(target: EgressTarget, asked: string): readonly ExplainLine[] {
  const path = canonicalPath(asked)
  const problem = target.mode !== 'live' || 'ambiguous' in path ? undefined : unconfined(target, path)
  return problem === undefined ? [] : [line('path', false, problem)]
}

function explainVend(target: EgressTarget): readonly ExplainLine[] {
  if (target.mode !== 'live' || target.vend === undefined) return []
  return [line('vend', true, `${target.vend.callers.join(', ')} may fetch the credential at ${vendPath}`)]
}

function targetOf({ service, targets }: LinkedEgress, environment: string, proxied: ProxiedCall | undefined) {
  const target = new Map(Object.entries(targets)).get(environment)
  return proxied === undefined || target?.mode !== 'proxy' ? target : listedTarget(service, target, proxied)
}

function explainFaults(target: EgressTarget): readonly ExplainLine[] {
  const faults = 'faults' in target ? target.faults : undefined
  if (faults === undefined) return []
  const { latency, reset, status, bandwidth } = faults
  const of = (fault: { readonly share: number } | undefined, words: string) =>
    fault === undefined || fault.share === 0 ? [] : [`${fault.share * 100}% ${words}`]
  const said = [
    of(latency, `wait ${latency?.ms} ms`),
    of(reset, 'are broken off'),
    of(status, `are answered ${status?.status}`),
    of(bandwidth, `get ${bandwidth?.bytes} bytes a second`),
  ].flat()
  return [line('faults', true, `of the calls ${said.join(', ')}`)]
}

function describeMode(target: EgressTarget): string {
  if (target.mode === 'deny') return `deny${target.reason === undefined ? '' : `: ${target.reason}`}`
  const use = target.mode === 'replay' ? target.cassette : target.mode === 'live' ? target.record : undefined
  if (use === undefined) return target.mode
  const by = ['method', 'path', 'query', ...use.headers.map((name) => `header ${name}`), ...(use.body ? ['body'] : [])].join(', ')
  return `${modeOf(target)}: cassette ${use.name}, known by ${by}`
}

/** What else happens to a call that goes out: facts, none of which is known to refuse it. */
function explainCalling({ quota, cache, idempotency, callers, mask }: EgressService, method: string): readonly ExplainLine[] {
  const seconds = (ms: number) => `${ms / 1_000}s`
  const { vendor, cost } = quota ?? {}
  const shared = vendor?.shareBy === 'caller' && callers.length > 1 ? `, shared fairly by ${callers.join(', ')}` : ''
  const waits = quota === undefined ? '' : `; a call waits up to ${seconds(quota.maxRetryAfterMs)}`
  const cap = cost?.calls === undefined ? 'no cap' : `at most ${cost.calls} calls a month`
  return [
    vendor === undefined ? [] : [line('quota', true, `${vendor.points} calls in any ${seconds(vendor.windowMs)}${shared}${waits}`)],
    cost === undefined ? [] : [line('cost', true, `${cost.perCall} ${cost.currency} per try, ${cap}`)],
    cache !== undefined && (method === 'GET' || method === 'HEAD')
      ? [line('cache', true, `stored where the vendor lets it, up to ${cache.entryBytes} bytes`)]
      : [],
    idempotency?.generate === true && keyedMethods.has(method) ? [line('idempotency', true, `${idempotency.header} is made where the caller sends none`)] : [],
    mask.responses && mask.jsonPaths.length > 0 ? [line('mask', true, `hidden in JSON answers: ${mask.jsonPaths.join(', ')}`)] : [],
  ].flat()
}

async function explainLive(policy: Policy, target: LiveTarget | StreamTarget, ports: ExplainPorts): Promise<readonly ExplainLine[]> {
  const guard = buildGuard(policy, ports)
  const named = guard.checkNames(target)
  const production = policy.guards.length === 0 ? [] : [line('production', named === undefined, named ?? 'no name of this target is a production host')]
  const addresses = await ports.resolve(target.host).catch(() => [])
  const vet = guard.vetFor(target)
  const judged = await Promise.all(
    addresses.map(async (address) => {
      const problem = await vet(address, target.port)
      return line('address', problem === undefined, `${address} port ${target.port} (${kindOfAddress(address)}): ${problem ?? 'may be dialled'}`)
    }),
  )
  const unresolved = addresses.length === 0 ? [line('address', false, `${target.host} has no address`)] : []
  return [...(await explainSecrets(target, ports)), ...production, ...unresolved, ...judged]
}

/** Those of the credential, and the key and certificate that are shown to the target. */
function explainSecrets(target: LiveTarget | StreamTarget, ports: ExplainPorts): Promise<readonly ExplainLine[]> {
  const { credential } = target
  const certificate = target.mode === 'live' ? target.certificate : undefined
  const read = buildReadSecret(ports.secrets)
  const own = certificate === undefined ? [] : [certificate.certificate, certificate.key]
  const rules = [
    ...(credential === undefined ? [] : secretRulesOf(credential)),
    ...own.map((reference): SecretRule => ({ reference, pattern: undefined, forbidPattern: undefined, lines: true })),
  ]
  return Promise.all(
    rules.map(async (rule) => {
      try {
        await read(rule)
        return line('secret', true, `${rule.reference} is present`)
      } catch (error) {
        return line('secret', false, internalOf(error) ?? `the secret ${rule.reference} cannot be read`)
      }
    }),
  )
}

/** The operator may read what the caller may not. */
function internalOf(error: unknown): FaultDetail['internal'] {
  return error instanceof Fault ? error.detail.internal : undefined
}

function line(rule: string, ok: boolean, detail: string): ExplainLine {
  return { rule, ok, detail }
}
