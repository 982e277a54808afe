import { isIP } from 'node:net'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { nat64Problem } from '../core/nat64.ts'
import { readStoreUrl } from './counters/redis-url.ts'
import type { LogLevel } from './journal.ts'
import { readVaultSettings } from './vault/settings.ts'

/** What an operator says outside of the policies: where they are, for which environment, and how this process behaves. */
export interface Settings {
  readonly environment: string
  /** Absolute path of the policies folder. */
  readonly policies: string
  /** Refuse to start on any error in the policies, instead of quarantining what is broken. */
  readonly strict: boolean
  /** Takes the place of `store.redis` in the policies. */
  readonly redisUrl: string | undefined
  /** What a request spends at most on waiting for Redis, milliseconds. */
  readonly storePatienceMs: number
  /** Servers that are asked for the endpoints of `dns` and `srv`, `address` or `address:port`; empty: those of the machine. */
  readonly dnsServers: readonly string[]
  readonly otlp: { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly serviceName: string } | undefined
  readonly log: { readonly to: string; readonly form: 'json' | 'pretty'; readonly level: LogLevel; readonly colour: boolean }
  /** Prefixes that this network translates to IPv4; empty: none. */
  readonly nat64: readonly string[]
  /** The zone this machine is in; undefined where zones do not matter. */
  readonly zone: string | undefined
  /** Folder for small values that outlive the process (last good key sets); undefined keeps them in memory. */
  readonly stateDir: string | undefined
  /** Folder of recorded answers, absolute; undefined: modes record and replay answer nothing. */
  readonly cassettes: string | undefined
  /** The script of the API reference page, absolute; undefined means the pinned one of a public network. */
  readonly referenceScript: string | undefined
  /** Processes that serve; 1 is this one alone. */
  readonly workers: number
  readonly shutdown: { readonly lameDuckMs: number; readonly drainMs: number }
  /** The process environment, for `${NAME}` and `env:` references. */
  readonly variables: Readonly<Record<string, string | undefined>>
}

/** What the command line may say; each takes the place of its variable. */
export interface SettingFlags {
  readonly environment?: string | undefined
  readonly policies?: string | undefined
  readonly strict?: boolean | undefined
  readonly redis?: string | undefined
  readonly otlp?: string | undefined
  readonly logLevel?: string | undefined
  readonly logFormat?: string | undefined
  readonly logTo?: string | undefined
  readonly stateDir?: string | undefined
  readonly workers?: string | undefined
  readonly lameDuck?: string | undefined
  readonly drain?: string | undefined
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** Every problem with the settings, each a sentence that says what to set. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/**
 * Settings from flags, then variables, then defaults. `terminal` says whether standard output is one.
 * @throws SettingsError with every problem.
 */
export function readSettings(flags: SettingFlags, variables: Readonly<Record<string, string | undefined>>, terminal: boolean): Settings {
  const problems: string[] = []
  const said = (name: string, flag?: { readonly name: string; readonly value: string | undefined }): Said => {
    if (flag?.value !== undefined) return { name: flag.name, value: flag.value }
    const value = variables[name]
    return { name, value: value === '' ? undefined : value }
  }
  const form = said('SALLYPORT_LOG_FORMAT', { name: '--log-format', value: flags.logFormat })
  const settings: Settings = {
    environment: environmentOf(said('SALLYPORT_ENV', { name: '--env', value: flags.environment }), problems),
    policies: resolve(said('SALLYPORT_POLICIES', { name: '--policies', value: flags.policies }).value ?? 'policies'),
    strict: flags.strict ?? yes(said('SALLYPORT_STRICT'), problems),
    redisUrl: redisOf(said('REDIS_URL', { name: '--redis', value: flags.redis }), problems),
    storePatienceMs: duration(said('SALLYPORT_STORE_PATIENCE'), 20, problems),
    dnsServers: dnsServersOf(said('SALLYPORT_DNS'), problems),
    otlp: otlpOf(flags.otlp, variables, problems),
    log: {
      to: said('SALLYPORT_LOG', { name: '--log-to', value: flags.logTo }).value ?? 'stdout',
      form: oneOf(form, ['json', 'pretty'] as const, terminal ? 'pretty' : 'json', problems),
      level: oneOf(said('SALLYPORT_LOG_LEVEL', { name: '--log-level', value: flags.logLevel }), levels, 'info', problems),
      // https://no-color.org
      colour: terminal && (variables['NO_COLOR'] ?? '') === '',
    },
    nat64: nat64Of(said('SALLYPORT_NAT64'), problems),
    zone: said('SALLYPORT_ZONE').value,
    stateDir: said('SALLYPORT_STATE', { name: '--state', value: flags.stateDir }).value,
    cassettes: pathOf(said('SALLYPORT_CASSETTES')),
    referenceScript: pathOf(said('SALLYPORT_REFERENCE_SCRIPT')),
    workers: workersOf(said('SALLYPORT_WORKERS', { name: '--workers', value: flags.workers }), problems),
    shutdown: {
      lameDuckMs: duration(said('SALLYPORT_LAME_DUCK', { name: '--lame-duck', value: flags.lameDuck }), 5000, problems),
      drainMs: duration(said('SALLYPORT_DRAIN', { name: '--drain', value: flags.drain }), 25_000, problems),
    },
    variables,
  }
  // Whoever reads a secret there reads these again; what is wrong with them is said before anybody does.
  readVaultSettings(variables, problems)
  if (problems.length > 0) throw new SettingsError(problems)
  return settings
}

/** What was said, and where: the name of the flag or of the variable. */
interface Said {
  readonly name: string
  readonly value: string | undefined
}

function environmentOf({ name, value = '' }: Said, problems: string[]): string {
  if (value === '') {
    problems.push('SALLYPORT_ENV is not set: it names the environment this process serves, such as dev or prod, and has no default; set it or pass --env NAME')
  } else if (!/^[a-z][a-z0-9-]{0,62}$/.test(value)) {
    problems.push(`${name} is ${JSON.stringify(value)}: a name of lower-case letters, digits and "-" that the policies declare under environments`)
  }
  return value
}

export function nat64Of({ name, value }: Said, problems: string[]): readonly string[] {
  const prefixes = (value ?? '').split(',').flatMap((prefix) => (prefix.trim() === '' ? [] : [prefix.trim()]))
  for (const prefix of prefixes) {
    const problem = nat64Problem(prefix)
    if (problem !== undefined) problems.push(`${name} has ${JSON.stringify(prefix)}: ${problem}`)
  }
  return prefixes
}

function pathOf({ value }: Said): string | undefined {
  return value === undefined ? undefined : resolve(value)
}

function yes(said: Said, problems: string[]): boolean {
  return oneOf(said, ['true', 'false', '1', '0'] as const, 'false', problems) in { true: 1, 1: 1 }
}

function oneOf<Value extends string>({ name, value }: Said, known: readonly Value[], fallback: Value, problems: string[]): Value {
  if (value === undefined) return fallback
  const found = known.find((one) => one === value)
  if (found === undefined) problems.push(`${name} is ${JSON.stringify(value)}: one of ${known.join(', ')}`)
  return found ?? fallback
}

function redisOf({ name, value }: Said, problems: string[]): string | undefined {
  // The URL may hold a password, so the message does not repeat it.
  if (value !== undefined && !isStoreUrl(value)) problems.push(`${name} is not a redis:// or rediss:// URL, nor one of redis+sentinel:// or redis+cluster://`)
  return value
}

/** More would be a slip of the pen. */
const mostWorkers = 256

function workersOf({ name, value = '1' }: Said, problems: string[]): number {
  if (value === 'auto') return availableParallelism()
  const count = /^\d{1,3}$/.test(value) ? Number(value) : 0
  if (count >= 1 && count <= mostWorkers) return count
  problems.push(`${name} is ${JSON.stringify(value)}: a number of processes from 1 to ${mostWorkers}, or auto for one per core`)
  return 1
}

/** Several servers in one URL are no URL to the parser of the platform. */
function isStoreUrl(value: string): boolean {
  try {
    return readStoreUrl(value).kind !== 'single' || /^rediss?:$/.test(URL.parse(value)?.protocol ?? '')
  } catch {
    return false
  }
}

/** The DNS servers of an environment, for a command that asks them without all the other settings. @throws SettingsError */
export function dnsServersIn(variables: Readonly<Record<string, string | undefined>>): readonly string[] {
  const problems: string[] = []
  const servers = dnsServersOf({ name: 'SALLYPORT_DNS', value: variables['SALLYPORT_DNS'] }, problems)
  if (problems.length > 0) throw new SettingsError(problems)
  return servers
}

/** Addresses, as Node's own resolver takes them. */
function dnsServersOf({ name, value = '' }: Said, problems: string[]): readonly string[] {
  const servers = value.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]))
  for (const one of servers) {
    const bare = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(one)?.[1] ?? (isIP(one) === 6 ? one : one.replace(/:\d{1,5}$/, ''))
    if (isIP(bare) === 0) problems.push(`${name} has ${JSON.stringify(one)}: addresses of DNS servers with or without a port, separated by commas`)
  }
  return servers
}

/** A number of seconds or milliseconds, as in the policies: `5s`, `500ms`, `0s`. */
function duration({ name, value }: Said, fallback: number, problems: string[]): number {
  if (value === undefined) return fallback
  const parts = /^(\d{1,7})(ms|s|m)$/.exec(value)
  if (parts === null) {
    problems.push(`${name} is ${JSON.stringify(value)}: a duration such as 5s, 500ms or 1m`)
    return fallback
  }
  return Number(parts[1]) * { ms: 1, s: 1000, m: 60_000 }[parts[2] as 'ms' | 's' | 'm']
}

/** OpenTelemetry's own variables (SDK specification, "OTLP Exporter"): the general endpoint is a base, the one of the signal is used as it is. */
function otlpOf(flag: string | undefined, variables: Readonly<Record<string, string | undefined>>, problems: string[]): Settings['otlp'] {
  const base = flag ?? variables['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? ''
  const exact = flag === undefined ? (variables['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? '') : ''
  if (base === '' && exact === '') return undefined
  const url = exact === '' ? `${base.replace(/\/+$/, '')}/v1/traces` : exact
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    problems.push(`${flag === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : '--otlp'} is not an http:// or https:// URL`)
    return undefined
  }
  const headers = variables['OTEL_EXPORTER_OTLP_TRACES_HEADERS'] ?? variables['OTEL_EXPORTER_OTLP_HEADERS'] ?? ''
  return { url, headers: headersOf(headers), serviceName: variables['OTEL_SERVICE_NAME'] ?? 'sallyport' }
}

/** `name=value,name=value`, values percent-encoded. */
function headersOf(text: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const pair of text.split(',')) {
    const equals = pair.indexOf('=')
    if (equals > 0) headers[pair.slice(0, equals).trim().toLowerCase()] = decoded(pair.slice(equals + 1).trim())
  }
  return headers
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
