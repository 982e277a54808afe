import { isAddress, normalizeAddress, plainHost } from '../../net.ts'
import { hostMatches } from '../../pattern.ts'
import type { GuardHost } from '../../policy/linked/egress.ts'
import type { Ports } from '../../ports.ts'
import { classifyAddress } from './classify.ts'

const freshMs = 30_000
/** A name that did not resolve is asked again this soon. */
const retryMs = 5_000
/** Names behind DNS balancing answer with a different few of their addresses each time: each stays denied this long after it was last seen. */
const rememberMs = 600_000
const waitMs = 2_000

/** What production is, as this process may know it: names, and the addresses they lead to now. */
export interface Production {
  /** The production service whose host this name is. */
  readonly named: (host: string, shared?: Shared) => string | undefined
  /** The guard host that this address and port belongs to. */
  readonly at: (address: string, port: number, shared?: Shared) => Promise<string | undefined>
}

/** Guard hosts that count for nothing this time. */
type Shared = (guard: GuardHost) => boolean

const none: Shared = () => false

interface Watched {
  readonly guard: GuardHost
  /** Address to the tick it was last seen at. */
  readonly seen: Map<string, number>
  staleAt: number
  asking: Promise<void> | undefined
}

/**
 * Watches the guard hosts: every address is learnt when a dial needs it and is at most 30 s old. A host that cannot be
 * resolved keeps the addresses it had, and is held by its name in any case; so is a wildcard, which leads nowhere by itself.
 */
export function watchProduction(guards: readonly GuardHost[], ports: Pick<Ports, 'resolve' | 'clock'>): Production {
  const byName = Map.groupBy(guards, (guard) => plainHost(guard.host))
  const wide = guards.filter(({ host }) => host.startsWith('*.'))
  const watched = guards.filter(({ host }) => !host.startsWith('*.')).map(watch)
  return {
    named(host, shared = none) {
      const name = plainHost(host)
      const found = byName.get(name)?.find((guard) => !shared(guard)) ?? wide.find((guard) => !shared(guard) && hostMatches(guard.host, name))
      return found?.service
    },
    async at(address, port, shared = none) {
      const here = watched.filter(({ guard }) => guard.port === port && !shared(guard))
      await Promise.all(here.map((host) => refresh(host, ports)))
      const forms = formsOf(address)
      return here.find(({ seen }) => forms.some((form) => isRemembered(seen, form, ports.clock.ticks())))?.guard.host
    },
  }
}

function watch(guard: GuardHost): Watched {
  const literal = plainHost(guard.host)
  const seen = new Map(isAddress(literal) ? [[literal, Infinity]] : [])
  return { guard, seen, staleAt: seen.size > 0 ? Infinity : -Infinity, asking: undefined }
}

function isRemembered(seen: ReadonlyMap<string, number>, address: string, now: number): boolean {
  const at = seen.get(address)
  return at !== undefined && now - at <= rememberMs
}

function formsOf(address: string): readonly string[] {
  const { address: own, embedded } = classifyAddress(address)
  return embedded === undefined ? [own] : [own, embedded]
}

async function refresh(host: Watched, ports: Pick<Ports, 'resolve' | 'clock'>): Promise<void> {
  if (ports.clock.ticks() < host.staleAt) return
  host.asking ??= ask(host, ports).finally(() => {
    host.asking = undefined
  })
  await host.asking
}

async function ask(host: Watched, ports: Pick<Ports, 'resolve' | 'clock'>): Promise<void> {
  const addresses = await within(waitMs, ports, ports.resolve(host.guard.host))
  const now = ports.clock.ticks()
  host.staleAt = now + (addresses.length > 0 ? freshMs : retryMs)
  for (const [address, at] of host.seen) if (now - at > rememberMs) host.seen.delete(address)
  for (const address of addresses) host.seen.set(normalizeAddress(address), now)
}

/** The addresses, or none where there are none in time. */
function within(ms: number, ports: Pick<Ports, 'clock'>, found: Promise<readonly string[]>): Promise<readonly string[]> {
  return new Promise((done) => {
    const timer = ports.clock.after(ms, () => done([]))
    const end = (addresses: readonly string[]) => {
      timer.cancel()
      done(addresses)
    }
    found.then(end, () => end([]))
  })
}
