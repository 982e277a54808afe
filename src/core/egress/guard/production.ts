import { isAddress, normalizeAddress, plainHost } from '../../net.ts'
import type { GuardHost } from '../../policy/policy.ts'
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
  readonly named: (host: string) => string | undefined
  /** The guard host that this address and port belongs to. */
  readonly at: (address: string, port: number) => Promise<string | undefined>
}

interface Watched {
  readonly guard: GuardHost
  /** Address to the tick it was last seen at. */
  readonly seen: Map<string, number>
  staleAt: number
  asking: Promise<void> | undefined
}

/**
 * Watches the guard hosts: every address is learnt when a dial needs it and is at most 30 s old. A host that cannot be
 * resolved keeps the addresses it had, and is held by its name in any case.
 */
export function watchProduction(guards: readonly GuardHost[], ports: Pick<Ports, 'resolve' | 'clock'>): Production {
  const names = new Map(guards.map((guard) => [plainHost(guard.host), guard.service]))
  const watched = guards.map(watch)
  return {
    named: (host) => names.get(plainHost(host)),
    async at(address, port) {
      const here = watched.filter(({ guard }) => guard.port === port)
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
