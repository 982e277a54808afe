import { highestCostOf } from '../model/cost.ts'
import type { ProofKind } from '../model/principal.ts'
import type { Route } from '../model/route.ts'
import type { Diagnostic } from '../policy/diagnostic.ts'
import type { Limit } from '../policy/linked/limits.ts'
import type { Origin } from '../policy/loading.ts'
import type { Policy } from '../policy/policy.ts'
import { leavesOf } from '../policy/requirement.ts'

/** Paths of the public port that the Worker answers itself. */
export const workerPaths = ['/livez', '/readyz', '/.well-known/jwks.json'] as const

/** What the rate-limit binding of a limit is called: `per-client` counts in `LIMIT_PER_CLIENT`. */
export function limitBinding(limit: string): string {
  return `LIMIT_${limit.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`
}

/** The only windows that a rate-limit binding knows, milliseconds. */
const windows: ReadonlySet<number> = new Set([10_000, 60_000])

/** A binding counts one by one: a request that costs ten asks ten times. */
const highestCost = 10

interface Finding extends Pick<Diagnostic, 'severity' | 'code' | 'message' | 'hint'> {
  /** `section.name` of the object. */
  readonly object: string
  /** Dotted path below the object, where its author should look. */
  readonly member: string
}

/**
 * What these policies ask that an edge in a Worker cannot do, each with its place. Errors must keep a bundle from being made; warnings
 * name requests that only the gateway behind can serve.
 */
export function checkWorkerGround(policy: Policy, origins: Readonly<Record<string, Origin>>): readonly Diagnostic[] {
  const served = policy.routes.filter((route) => route.quarantined === undefined)
  const findings = [
    ...checkListener(policy),
    ...checkDebug(policy),
    ...checkKeys(policy),
    ...checkKept(policy),
    ...checkLimits(policy, served),
    ...checkCredentials(policy, served),
    ...checkDeciders(policy, served),
    ...served.flatMap(checkRoute),
  ]
  return findings.map(({ severity, code, message, hint, object, member }) => {
    const { file, line, column } = placeOf(origins, object, member)
    return { severity, code, file, line, column, message, hint, object }
  })
}

function checkListener(policy: Policy): readonly Finding[] {
  if (policy.listeners.public?.tls?.clientAuth !== 'required') return []
  return [
    {
      severity: 'error',
      code: 'worker_client_certificate',
      message: 'A Worker sees no client certificates and shows none to the gateway behind it.',
      hint: 'Use clientAuth: optional, or no Worker in front of this listener.',
      object: 'listeners.public',
      member: 'tls.clientAuth',
    },
  ]
}

/** What stands in Redis or in files: a Worker has neither. */
function checkKept(policy: Policy): readonly Finding[] {
  const hint = 'Put no Worker in front of the routes that need it.'
  const sets = Object.keys(policy.apiKeys).map((name): Finding => {
    const message = `A Worker cannot look up API keys, and "${name}" is a set of them.`
    return { severity: 'error', code: 'worker_api_keys', message, hint, object: `apiKeys.${name}`, member: 'store' }
  })
  const issuers = Object.values(policy.issuers).flatMap(({ name, revocation }): readonly Finding[] => {
    if (revocation === undefined) return []
    const message = `A Worker cannot see which tokens of "${name}" were taken back.`
    return [{ severity: 'error', code: 'worker_revocation', message, hint, object: `issuers.${name}`, member: 'revocation' }]
  })
  return [...sets, ...issuers]
}

/** What a Worker cannot see, or cannot read. */
function checkCredentials(policy: Policy, routes: readonly Route[]): readonly Finding[] {
  const used = [...new Set(routes.flatMap((route) => route.access))].flatMap((name) => policy.access[name] ?? [])
  const leaves = used.flatMap(({ authenticate }) => leavesOf(authenticate))
  const blind = used.flatMap(({ name, authenticate, rules }): readonly Finding[] => {
    const member = leavesOf(authenticate).some(({ kind }) => kind === 'mtls')
      ? 'authenticate'
      : rules.some(({ matcher }) => matcher.tls !== undefined)
        ? 'rules'
        : undefined
    if (member === undefined) return []
    const message = `A Worker sees no client certificates, and the access policy "${name}" asks for them.`
    const hint = 'Serve its routes by the gateway itself, without a Worker in front.'
    return [{ severity: 'error', code: 'worker_client_certificate', message, hint, object: `access.${name}`, member }]
  })
  const issuersBy = (kinds: readonly ProofKind[]) => new Set(leaves.flatMap(({ kind, name }) => (kinds.includes(kind) ? [name] : [])))
  const inFile = (issuer: string, member: string, what: string): Finding => {
    const message = `A Worker has no files and no Vault, and ${what} is kept in one.`
    return { severity: 'error', code: 'worker_secret_file', message, hint: 'Name a secret of the Worker: env:NAME.', object: `issuers.${issuer}`, member }
  }
  const asked = Array.from(issuersBy(['introspection'])).flatMap((name) => {
    const unread = policy.issuers[name]?.introspection?.credential.startsWith('env:') === false
    return unread ? [inFile(name, 'introspection', `the credential for asking "${name}" about tokens`)] : []
  })
  const nonces = Array.from(issuersBy(['jwt', 'introspection'])).flatMap((name) => {
    const unread = policy.issuers[name]?.proof.nonceKey?.startsWith('env:') === false
    return unread ? [inFile(name, 'proof', `the key of the nonces for proofs with tokens of "${name}"`)] : []
  })
  return [...blind, ...asked, ...nonces]
}

function checkKeys({ tokens }: Policy): readonly Finding[] {
  return Object.values(tokens)
    .filter(({ publish }) => publish)
    .map(({ name }) => ({
      severity: 'warning',
      code: 'worker_path_taken',
      message: `The Worker answers /.well-known/jwks.json with its own key: the keys of "${name}" cannot be read through it.`,
      hint: 'Read them at the gateway itself.',
      object: `tokens.${name}`,
      member: 'publish',
    }))
}

function checkDebug({ debug }: Policy): readonly Finding[] {
  if (debug.key === undefined) return []
  const message = 'An edge shows no decisions: debug tokens are taken by the gateway behind it alone.'
  return [{ severity: 'warning', code: 'worker_debug', message, hint: 'Call the gateway itself to see one.', object: 'debug.key', member: '' }]
}

/** The limits that the edge counts, by name. A limit that only quarantined routes use needs no binding. */
export function limitsAtEdge(policy: Policy): readonly Limit[] {
  const used = new Set(policy.routes.flatMap((route) => (route.quarantined === undefined ? route.limits.map(({ name }) => name) : [])))
  return Object.values(policy.limits).filter((limit) => used.has(limit.name))
}

const members = { gcra: 'algorithm', calendar: 'quota', concurrency: 'concurrent' } as const

function checkLimits(policy: Policy, routes: readonly Route[]): readonly Finding[] {
  const limits = limitsAtEdge(policy)
  const findings: Finding[] = []
  const taken = new Map<string, string>()
  for (const { name, algorithm, windowMs, claimed, counts } of limits) {
    const object = `limits.${name}`
    if (counts === 'failures') {
      const message = `A Worker counts what it lets pass, and the limit "${name}" has to be asked without counting.`
      const hint = 'Count requests, or put no Worker in front of the routes that need it.'
      findings.push({ severity: 'error', code: 'worker_limit_failures', message, hint, object, member: 'counts' })
    }
    if (claimed !== undefined) {
      const message = `A Worker counts to one number for all, and the limit "${name}" reads it from the claim ${claimed.claim}.`
      const hint = 'Write one rate for all, or put no Worker in front of the routes that need it.'
      findings.push({ severity: 'error', code: 'worker_limit_claim', message, hint, object, member: algorithm.kind === 'calendar' ? 'quota' : 'rate' })
    }
    if (algorithm.kind !== 'sliding') {
      const message = `A Worker counts requests per 10 or 60 seconds and nothing else: it cannot keep the limit "${name}", which is ${algorithm.kind}.`
      const hint = 'Write a rate without algorithm, or put no Worker in front of the routes that need it.'
      findings.push({ severity: 'error', code: 'worker_limit_algorithm', message, hint, object, member: members[algorithm.kind] })
    } else if (!windows.has(windowMs)) {
      const message = `A Worker counts over 10 or 60 seconds only, and the limit "${name}" over ${windowMs / 1000}.`
      findings.push({ severity: 'error', code: 'worker_limit_window', message, hint: 'Write the rate per 10s or per 1m.', object, member: 'rate' })
    }
    const other = taken.get(limitBinding(name))
    taken.set(limitBinding(name), name)
    if (other === undefined) continue
    const message = `The limits "${other}" and "${name}" would share the binding ${limitBinding(name)}.`
    findings.push({ severity: 'error', code: 'worker_binding_clash', message, hint: 'Rename one of them.', object, member: 'rate' })
  }
  for (const route of routes) {
    for (const use of route.limits) {
      const { name } = use
      if (use.response !== undefined) {
        const message = `A Worker is not told what an upstream says of costs, and the route "${route.name}" charges it to "${name}".`
        const hint = 'Remove response, or put no Worker in front of the route.'
        findings.push({ severity: 'error', code: 'worker_limit_cost', message, hint, object: `routes.${route.name}`, member: 'limits' })
        continue
      }
      const cost = highestCostOf(use)
      if (cost <= highestCost) continue
      const message = `A Worker counts a request ${highestCost} times at most, and the route "${route.name}" costs ${cost} of "${name}".`
      findings.push({ severity: 'error', code: 'worker_limit_cost', message, hint: undefined, object: `routes.${route.name}`, member: 'limits' })
    }
  }
  return findings
}

/** Decision points that routes at the edge ask. */
function checkDeciders(policy: Policy, routes: readonly Route[]): readonly Finding[] {
  const asked = new Set(routes.flatMap((route) => route.access.flatMap((name) => policy.access[name]?.ask ?? [])))
  return Object.values(policy.deciders).flatMap(({ name, point }): readonly Finding[] => {
    if (!asked.has(name) || (point.kind === 'opa' && 'url' in point.at)) return []
    const member = point.kind === 'opa' ? 'opa.cluster' : 'extAuthz.cluster'
    const message = `A Worker reaches no clusters, so it cannot ask the decision point "${name}".`
    return [
      {
        severity: 'error',
        code: 'worker_decider',
        message,
        hint: 'Ask OPA by opa: { url: … }, or no Worker in front of this route.',
        object: `deciders.${name}`,
        member,
      },
    ]
  })
}

function checkRoute(route: Route): readonly Finding[] {
  const object = `routes.${route.name}`
  if (workerPaths.some((path) => path === route.match.path)) {
    const message = `The Worker answers ${route.match.path} itself: the route "${route.name}" never gets a request there.`
    return [{ severity: 'error', code: 'worker_path_taken', message, hint: 'Choose another path.', object, member: 'match.path' }]
  }
  if (route.upgrade !== undefined) {
    const message = `A Worker passes no changed protocols on, and the route "${route.name}" offers ${route.upgrade.protocols.join(', ')}.`
    return [
      {
        severity: 'error',
        code: 'worker_upgrade',
        message,
        hint: 'Serve the route by the gateway itself, without a Worker in front.',
        object,
        member: 'upgrade',
      },
    ]
  }
  if (route.match.grpc === undefined) return []
  const message = `Native gRPC of "${route.name}" is answered with UNIMPLEMENTED at the edge: a Worker cannot pass on trailers.`
  const hint = 'Native gRPC clients call the gateway itself; the JSON form works at the edge.'
  return [{ severity: 'warning', code: 'worker_native_grpc', message, hint, object, member: 'match.grpc' }]
}

/** Where a member is written, else where anything of its object is. */
function placeOf(origins: Readonly<Record<string, Origin>>, object: string, member: string): Pick<Diagnostic, 'file' | 'line' | 'column'> {
  const path = `${object}.${member}`
  const key = Object.keys(origins).find((one) => one === path || one.startsWith(`${path}.`)) ?? Object.keys(origins).find((one) => one.startsWith(`${object}.`))
  const origin = key === undefined ? undefined : origins[key]
  return origin === undefined ? { file: '', line: 1, column: 1 } : { file: origin.file, line: origin.line, column: origin.column }
}
