import { type LookupAddress, promises, type RecordWithTtl } from 'node:dns'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Clock, NamedAddresses, Names } from '../core/ports.ts'
import { createSrv } from './srv.ts'

export interface NamesOptions {
  readonly clock: Clock
  /** DNS servers, `address` or `address:port`; empty: those of the machine. */
  readonly servers: readonly string[]
  /** Files of the machine, for tests. */
  readonly hostsFile?: string
  readonly resolvFile?: string
  readonly lookup?: (host: string) => Promise<readonly LookupAddress[]>
}

/** One question to one server, milliseconds, and how often it is put. */
const patience = { timeout: 2_000, tries: 2 } as const

/** DNS says that there are none. */
const nothing: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])

/**
 * Names over DNS, with times to live, in the order of the machine: what its hosts file says, then DNS under its search domains
 * (resolv.conf), then whatever else its own resolver knows. With servers given, DNS is asked for the name as it is.
 */
export function createNames({ clock, servers, hostsFile = '/etc/hosts', resolvFile = '/etc/resolv.conf', lookup = systemLookup }: NamesOptions): Names {
  const resolver = new promises.Resolver(patience)
  if (servers.length > 0) resolver.setServers([...servers])
  const srv = createSrv(servers, clock)

  async function fromDns(host: string): Promise<NamedAddresses> {
    const names = servers.length > 0 ? [host] : candidatesOf(host, await readFile(resolvFile, 'utf8').catch(() => ''))
    let last: NamedAddresses = { addresses: [], ttlMs: undefined }
    for (const name of names) {
      last = joined(await Promise.allSettled([resolver.resolve4(name, { ttl: true }), resolver.resolve6(name, { ttl: true })]))
      if (last.addresses.length > 0) return last
    }
    return last
  }

  return {
    async addresses(host) {
      const literal = host.replace(/^\[|\]$/g, '')
      if (isIP(literal) !== 0) return { addresses: [literal], ttlMs: undefined }
      if (isLocal(host) || isInHosts(host, await readFile(hostsFile, 'utf8').catch(() => '')))
        return { addresses: await looked(host, lookup), ttlMs: undefined }
      const found = await fromDns(host).catch((error: unknown) => error)
      if (!(found instanceof Error) && isFound(found)) return found
      // Other ways to a name than DNS: mDNS, containers. Where nothing is known that way either, what DNS said stands.
      const addresses = servers.length > 0 ? [] : await looked(host, lookup).catch(() => [])
      if (addresses.length > 0) return { addresses, ttlMs: undefined }
      if (found instanceof Error) throw found
      return found as NamedAddresses
    },
    services: srv,
  }
}

function isFound(found: unknown): found is NamedAddresses {
  return typeof found === 'object' && found !== null && 'addresses' in found && Array.isArray(found.addresses) && found.addresses.length > 0
}

/** @throws the failure of a family when the other has nothing: then nobody can say. */
function joined([v4, v6]: readonly [PromiseSettledResult<RecordWithTtl[]>, PromiseSettledResult<RecordWithTtl[]>]): NamedAddresses {
  const a = recordsOf(v4)
  const b = recordsOf(v6)
  const records = [...(Array.isArray(a) ? a : []), ...(Array.isArray(b) ? b : [])]
  const failed = Array.isArray(a) ? (Array.isArray(b) ? undefined : b) : a
  if (failed instanceof Error && records.length === 0) throw failed
  const missing = Array.isArray(a) ? (Array.isArray(b) ? undefined : 'ipv6') : 'ipv4'
  const ttlMs = records.length === 0 ? undefined : Math.min(...records.map(({ ttl }) => ttl)) * 1_000
  return { addresses: [...new Set(records.map(({ address }) => address))], ttlMs, missing }
}

function recordsOf(settled: PromiseSettledResult<RecordWithTtl[]>): readonly RecordWithTtl[] | Error {
  if (settled.status === 'fulfilled') return settled.value
  const error: unknown = settled.reason
  if (!(error instanceof Error)) return new Error(String(error))
  return 'code' in error && typeof error.code === 'string' && nothing.has(error.code) ? [] : error
}

/** RFC 6761 section 6.3 */
function isLocal(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}

function isInHosts(host: string, text: string): boolean {
  return text.split('\n').some((line) => {
    const [, ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/)
    return names.some((name) => name.toLowerCase() === host)
  })
}

/** What a name may mean under the search domains, in the order in which they are tried (resolv.conf(5)). */
export function candidatesOf(host: string, resolvConf: string): readonly string[] {
  if (host.endsWith('.')) return [host]
  let search: readonly string[] = []
  let ndots = 1
  for (const line of resolvConf.split('\n')) {
    const [word, ...rest] = (line.split(/[#;]/, 1)[0] ?? '').trim().split(/\s+/)
    if (word === 'search' || word === 'domain') search = rest.filter((domain) => domain !== '.').slice(0, 32)
    if (word === 'options') ndots = Number(rest.map((option) => /^ndots:(\d{1,2})$/.exec(option)?.[1]).find((n) => n !== undefined) ?? ndots)
  }
  const under = search.map((domain) => `${host}.${domain.replace(/\.$/, '')}`)
  return host.split('.').length - 1 >= ndots ? [host, ...under] : [...under, host]
}

async function looked(host: string, lookup: (host: string) => Promise<readonly LookupAddress[]>): Promise<readonly string[]> {
  return [...new Set((await lookup(host)).map(({ address }) => address))]
}

function systemLookup(host: string): Promise<LookupAddress[]> {
  return promises.lookup(host, { all: true, order: 'verbatim' })
}
