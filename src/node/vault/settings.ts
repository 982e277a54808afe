import { isLoopbackHost } from '../../core/net.ts'

/** Which Vault is asked, and as whom. The names are those of HashiCorp's own tools where they have one. */
export interface VaultSettings {
  /** `VAULT_ADDR`, without "/" at the end. */
  readonly address: string
  readonly namespace: string | undefined
  /** Reference to the PEM text of Vault's authorities; undefined: the public ones. */
  readonly ca: string | undefined
  readonly login: VaultLogin
  /** A value is asked for again after this long. */
  readonly refreshMs: number
  /** The last value goes on this long while Vault cannot answer. */
  readonly staleMs: number
}

export type VaultLogin =
  /** Reference to the token; one in a file is read again when it is refused. */
  | { readonly kind: 'token'; readonly reference: string }
  /** `jwt` is a reference to the service account's token. */
  | { readonly kind: 'kubernetes'; readonly mount: string; readonly role: string; readonly jwt: string }

type Variables = Readonly<Record<string, string | undefined>>

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount/token'
const defaults = { refreshMs: 60_000, staleMs: 600_000 }

/** Settings from `VAULT_*`; undefined without `VAULT_ADDR`. Every problem is a sentence that quotes no token. */
export function readVaultSettings(variables: Variables, problems: string[]): VaultSettings | undefined {
  const said = (name: string) => (variables[name] === '' ? undefined : variables[name])
  const address = addressOf(said('VAULT_ADDR'), problems)
  const login = loginOf(said, problems, said('VAULT_ADDR') !== undefined)
  const ca = pathOf('VAULT_CACERT', said('VAULT_CACERT'), problems)
  const refreshMs = duration('VAULT_REFRESH', said('VAULT_REFRESH'), defaults.refreshMs, problems)
  const staleMs = duration('VAULT_STALE', said('VAULT_STALE'), defaults.staleMs, problems)
  if (address === undefined || login === undefined) return undefined
  return { address, namespace: said('VAULT_NAMESPACE'), ca: ca === undefined ? undefined : `file:${ca}`, login, refreshMs, staleMs }
}

function addressOf(value: string | undefined, problems: string[]): string | undefined {
  if (value === undefined) return undefined
  const url = URL.parse(value)
  const plain = url !== null && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (plain && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname)))) return url.href.replace(/\/+$/, '')
  problems.push('VAULT_ADDR is not an https:// URL (http:// is for loopback addresses only)')
  return undefined
}

function loginOf(said: (name: string) => string | undefined, problems: string[], needed: boolean): VaultLogin | undefined {
  const ways = ['VAULT_TOKEN', 'VAULT_TOKEN_FILE', 'VAULT_ROLE'].filter((name) => said(name) !== undefined)
  if (!needed) return undefined
  if (ways.length !== 1) {
    problems.push(
      `VAULT_ADDR is set, and ${ways.length === 0 ? 'nothing says who asks' : `${ways.join(' and ')} exclude each other`}: set one of VAULT_TOKEN, VAULT_TOKEN_FILE and VAULT_ROLE`,
    )
    return undefined
  }
  if (ways[0] === 'VAULT_TOKEN') return { kind: 'token', reference: 'env:VAULT_TOKEN' }
  const file = pathOf('VAULT_TOKEN_FILE', said('VAULT_TOKEN_FILE'), problems)
  if (ways[0] === 'VAULT_TOKEN_FILE') return file === undefined ? undefined : { kind: 'token', reference: `file:${file}` }
  const jwt = pathOf('VAULT_JWT_FILE', said('VAULT_JWT_FILE') ?? serviceAccount, problems)
  const mount = said('VAULT_AUTH_PATH') ?? 'kubernetes'
  if (!/^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/.test(mount)) problems.push('VAULT_AUTH_PATH is not the path of an auth method, such as kubernetes')
  return jwt === undefined ? undefined : { kind: 'kubernetes', mount, role: said('VAULT_ROLE') ?? '', jwt: `file:${jwt}` }
}

function pathOf(name: string, value: string | undefined, problems: string[]): string | undefined {
  if (value === undefined || /^\/[^\0\r\n]+$/.test(value)) return value
  problems.push(`${name} is not an absolute path`)
  return undefined
}

function duration(name: string, value: string | undefined, fallback: number, problems: string[]): number {
  if (value === undefined) return fallback
  const [, count, unit] = /^([1-9]\d{0,6})(s|m|h)$/.exec(value) ?? []
  if (count === undefined) problems.push(`${name} is ${JSON.stringify(value)}: a duration such as 30s, 5m or 1h`)
  return Number(count ?? 0) * { s: 1_000, m: 60_000, h: 3_600_000 }[(unit ?? 's') as 's' | 'm' | 'h']
}
