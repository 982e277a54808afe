import { limitBinding, limitsAtEdge, type Origin } from '../core/edge.ts'
import type { Policy } from '../core/policy/policy.ts'
import type { RateLimitBinding } from './ports/counters.ts'

/** Variables, secrets and bindings of one Worker environment, by name. Wrangler environments inherit none of them. */
export type WorkerEnv = Readonly<Record<string, unknown>>

export interface WorkerSettings {
  readonly origin: Origin
  /** `iss` of the edge's tokens. */
  readonly issuer: string
  /** By the limit's name. */
  readonly limits: ReadonlyMap<string, RateLimitBinding>
}

/** The secret that holds the edge's private key. */
export const keySecret = 'EDGE_KEY'

/** Every reason why this Worker may not serve. Names variables and bindings, never a value. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.problems = problems
  }
}

/**
 * Reads `SALLYPORT_ENV`, `ORIGIN`, `EDGE_ISSUER` and one rate-limit binding per limit of the policy. Nothing has a default, for a
 * default would serve a wrong environment or an unlimited route. @throws SettingsError with every problem.
 */
export function readSettings(env: WorkerEnv, policy: Policy): WorkerSettings {
  const problems: string[] = []
  const environment = textOf(env, 'SALLYPORT_ENV', problems)
  if (environment !== '' && environment !== policy.environment) problems.push('SALLYPORT_ENV is not the environment that the bundled policies were linked for')
  const origin = originOf(textOf(env, 'ORIGIN', problems), policy.environmentClass === 'prod', problems)
  const issuer = textOf(env, 'EDGE_ISSUER', problems)
  textOf(env, keySecret, problems)
  const limits = new Map<string, RateLimitBinding>()
  for (const { name } of limitsAtEdge(policy)) {
    const binding = env[limitBinding(name)]
    if (isRateLimit(binding)) limits.set(name, binding)
    else problems.push(`${limitBinding(name)} is not a rate-limit binding`)
  }
  if (problems.length > 0 || origin === undefined) throw new SettingsError(problems)
  return { origin, issuer, limits }
}

function textOf(env: WorkerEnv, name: string, problems: string[]): string {
  const value = env[name]
  if (typeof value === 'string' && value !== '') return value
  problems.push(`${name} is not set`)
  return ''
}

function isRateLimit(binding: unknown): binding is RateLimitBinding {
  return typeof binding === 'object' && binding !== null && 'limit' in binding && typeof binding.limit === 'function'
}

/** https, or plain http to this machine outside prod. Nothing but scheme, host and port. */
function originOf(text: string, prod: boolean, problems: string[]): Origin | undefined {
  if (text === '') return undefined
  const url = URL.parse(text)
  if (url === null || url.href !== `${url.origin}/` || !/^https?:$/.test(url.protocol)) {
    problems.push('ORIGIN is not an http(s) URL of scheme, host and port')
    return undefined
  }
  const secure = url.protocol === 'https:'
  const host = url.hostname.replaceAll(/[[\]]/g, '')
  const loopback = host === 'localhost' || host === '::1' || host.startsWith('127.')
  if (!secure && (prod || !loopback)) problems.push('ORIGIN is not https')
  return { scheme: secure ? 'https' : 'http', host, port: url.port === '' ? (secure ? 443 : 80) : Number(url.port), authority: url.host }
}
