import type { Balance, Candidate } from '../../src/core/upstream/balance.ts'
import { newStanding } from '../../src/core/upstream/health/standing.ts'
import type { Member } from '../../src/core/upstream/state.ts'
import { noteTimes } from '../../src/core/upstream/tried.ts'
import { endpointAt } from './calls.ts'
import type { FakeClock } from './clock.ts'
import { fakeChannels } from './ports.ts'

/** A candidate whose channel is never used. */
export function candidate(name: string, given: { readonly weight?: number; readonly zone?: string } = {}): Candidate {
  const endpoint = endpointAt(80, { key: name })
  const member: Member = { endpoint, name, channel: fakeChannels().acquire(endpoint), active: 0, ewma: 0, mean: 0, sampledAt: 0, standing: newStanding(0) }
  return { member, weight: given.weight ?? 1, zone: given.zone, score: 0 }
}

export function candidates(count: number): readonly Candidate[] {
  return Array.from({ length: count }, (_, i) => candidate(`10.0.${i >> 8}.${i & 255}:80`))
}

export interface Simulation {
  /** Monotonic clock that the balancer reads. */
  readonly clock: FakeClock
  readonly balance: Balance
  readonly all: readonly Candidate[]
  /** Requests per second, at random moments (a Poisson process). */
  readonly rate: number
  readonly requests: number
  /** How long one takes at this endpoint, milliseconds. */
  readonly takesMs: (candidate: Candidate) => number
  readonly unit: () => number
}

/** How many requests each endpoint got, by name. Every endpoint serves any number at a time, each as slowly as it is. */
export function simulate({ clock, balance, all, rate, requests, takesMs, unit }: Simulation): ReadonlyMap<string, number> {
  const counts = new Map(all.map(({ member }) => [member.name, 0]))
  for (let i = 0; i < requests; i += 1) {
    clock.advance((-Math.log(1 - unit()) / rate) * 1_000)
    const chosen = balance(all)
    const { member } = chosen
    counts.set(member.name, (counts.get(member.name) ?? 0) + 1)
    member.active += 1
    const tookMs = takesMs(chosen)
    clock.after(tookMs, () => {
      member.active -= 1
      noteTimes(member, { kind: 'answer', tookMs, status: 200, now: clock.ticks() })
    })
  }
  return counts
}

/** The share of all that one name got. */
export function shareOf(counts: ReadonlyMap<string, number>, name: string): number {
  let sum = 0
  for (const count of counts.values()) sum += count
  return (counts.get(name) ?? 0) / sum
}
