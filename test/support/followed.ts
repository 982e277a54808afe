import { vi } from 'vitest'
import type { EndpointSource, ShrinkRule } from '../../src/core/policy/linked/endpoints.ts'
import { addressText } from '../../src/core/upstream/discovery/found.ts'
import { sourceName } from '../../src/core/upstream/discovery/name.ts'
import { Source } from '../../src/core/upstream/discovery/source.ts'
import { createClock } from '../../src/node/clock.ts'
import { createDiscover } from '../../src/node/discover.ts'
import { createResolve } from '../../src/node/resolve.ts'
import { createSecrets } from '../../src/node/secrets.ts'
import type { Keep } from './keep.ts'
import { memoryMeter, seededRandom } from './ports.ts'

/** A source that is followed over the real ports of Node. */
export interface Followed {
  readonly source: Source
  /** `address` of everything in force. */
  addresses(): readonly string[]
  /** Waits until just these are in force. */
  until(...addresses: readonly string[]): Promise<void>
  /** Waits until its problem fits. */
  problem(pattern: RegExp): Promise<void>
}

export interface FollowOptions {
  readonly rule?: Partial<ShrinkRule>
  readonly dns?: string
  readonly variables?: Readonly<Record<string, string>>
}

export function follow(keep: Keep, asked: EndpointSource, { rule = {}, dns, variables = {} }: FollowOptions = {}): Followed {
  const clock = createClock()
  const dial = { clock, resolve: createResolve(clock), secrets: createSecrets(variables) }
  const random = seededRandom(1)
  const discover = createDiscover({ ...dial, random }, dns === undefined ? [] : [dns])
  const source = new Source(sourceName(asked), { share: 0.5, confirmMs: 30_000, empty: 'keep', ...rule }, discover(asked), {
    clock,
    random,
    discover,
    meter: memoryMeter(),
  })
  keep(() => source.close())
  const addresses = () => (source.found ?? []).map(({ address }) => addressText(address))
  const within = { timeout: 20_000, interval: 10 } as const
  return {
    source,
    addresses,
    until: (...wanted) =>
      vi.waitFor(() => {
        const now = addresses()
        if (JSON.stringify(now) !== JSON.stringify(wanted)) throw new Error(`${now.join(', ')} (${source.problem}) instead of ${wanted.join(', ')}`)
      }, within),
    problem: (pattern) =>
      vi.waitFor(() => {
        const { problem = '' } = source.status()
        if (!pattern.test(problem)) throw new Error(`the problem is: ${problem}`)
      }, within),
  }
}
