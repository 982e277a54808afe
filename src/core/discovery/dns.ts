import { pause } from '../model/pause.ts'
import type { EndpointSource } from '../policy/linked/endpoints.ts'
import type { Discovery, Found, FoundNow, NamedAddresses, NamedService } from '../ports.ts'
import type { DiscoveryPorts } from './ports.ts'

type DnsPorts = Pick<DiscoveryPorts, 'clock' | 'names'>
/** `partly`: what could not be asked, in words, where the rest could. */
type Answer = FoundNow & { readonly ttlMs: number | undefined }

/** An answer is asked for again when its time to live is over, milliseconds: not more often, and not less. */
const leastTtlMs = 1_000
const mostTtlMs = 5 * 60_000
/** Of an answer that has none, as that of a hosts file. */
const usualTtlMs = 5_000

/** The addresses of a name, A and AAAA. */
export function dnsDiscovery({ name, port }: Extract<EndpointSource, { kind: 'dns' }>, ports: DnsPorts): Discovery {
  let known: readonly string[] = []
  return polled(ports, async () => {
    const { addresses, ttlMs, missing } = await ports.names.addresses(name)
    // One of two families that cannot be asked says nothing about its addresses.
    const kept = missing === undefined ? [] : known.filter((address) => address.includes(':') === (missing === 'ipv6'))
    known = [...new Set([...addresses, ...kept])]
    return { found: known.map((host) => plain(host, port, 1)), ttlMs }
  })
}

/**
 * The targets of SRV records (RFC 2782), with their ports. Of several priorities the lowest counts that has an address; weights hold among
 * its targets, and each address of a target gets its share of the target's. A target whose addresses nobody can tell keeps those it had; that is no
 * reason to do without the others.
 */
export function srvDiscovery({ name }: Extract<EndpointSource, { kind: 'srv' }>, ports: DnsPorts): Discovery {
  const known = new Map<string, readonly string[]>()
  return polled(ports, async () => {
    const { services, ttlMs } = await ports.names.services(name)
    // A target of "." says that the service is not there.
    const there = services.filter(({ host }) => host !== '' && host !== '.')
    let shortest = ttlMs
    const failed = new Map<string, unknown>()
    for (const host of known.keys()) if (!there.some((one) => one.host === host)) known.delete(host)
    for (const priority of [...new Set(there.map((one) => one.priority))].sort((a, b) => a - b)) {
      const answers = await addressesOf(
        there.filter((one) => one.priority === priority),
        ports,
        { known, failed },
      )
      shortest = earlier(shortest, answers.ttlMs)
      if (answers.found.length > 0) return { found: answers.found, ttlMs: shortest, partly: failed.size === 0 ? undefined : problemOf(failed) }
    }
    if (failed.size > 0) throw new Error(problemOf(failed))
    return { found: [], ttlMs: shortest }
  })
}

function problemOf(failed: ReadonlyMap<string, unknown>): string {
  const [one] = failed
  const why = one === undefined ? '' : one[1] instanceof Error ? one[1].message : String(one[1])
  const shown = [...failed.keys()].slice(0, 5).join(', ')
  return `no addresses of ${failed.size > 5 ? `${shown} and ${failed.size - 5} more targets` : shown}: ${why}`
}

/** What is known of targets from earlier answers, and why those of this one could not be asked. */
interface Memory {
  readonly known: Map<string, readonly string[]>
  readonly failed: Map<string, unknown>
}

async function addressesOf(services: readonly NamedService[], { names }: DnsPorts, { known, failed }: Memory): Promise<Answer> {
  // Weight 0 is a very small chance, not none.
  const scale = services.some(({ weight }) => weight === 0) ? 10 : 1
  const ask = async (host: string): Promise<NamedAddresses> => {
    try {
      const answer = await names.addresses(host)
      known.set(host, answer.addresses)
      return answer
    } catch (error) {
      failed.set(host, error)
      return { addresses: known.get(host) ?? [], ttlMs: undefined }
    }
  }
  const resolved = await Promise.all(services.map(async (service) => ({ service, answer: await ask(service.host) })))
  let ttlMs: number | undefined
  const found = resolved.flatMap(({ service, answer }) => {
    ttlMs = earlier(ttlMs, answer.ttlMs)
    const weight = Math.max(1, service.weight * scale)
    return answer.addresses.map((host) => plain(host, service.port, weight / answer.addresses.length))
  })
  return { found, ttlMs }
}

function polled({ clock }: DnsPorts, ask: () => Promise<Answer>): Discovery {
  return {
    once: ask,
    async follow(tell, lifeline) {
      for (;;) {
        const { found, ttlMs, partly } = await ask()
        tell.set(found, partly)
        await pause(Math.min(mostTtlMs, Math.max(leastTtlMs, ttlMs ?? usualTtlMs)), lifeline, clock)
      }
    },
  }
}

function plain(host: string, port: number, weight: number): Found {
  return { address: { kind: 'tcp', host, port }, weight, zone: undefined, labels: {} }
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}
