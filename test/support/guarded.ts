import { Canary } from '../../src/core/ingress/steer/guard/canary.ts'
import type { Guard } from '../../src/core/model/destination.ts'
import type { Random } from '../../src/core/ports.ts'
import { fakeClock } from './clock.ts'
import { fakePorts, seededRandom } from './ports.ts'

export const plainGuard: Guard = { errorRateDelta: 0.01, p95Ratio: 1.3, minSamples: 500, windowMs: 300_000 }

/** How one version answers. */
export interface Version {
  readonly errorRate: number
  /** Median milliseconds of log-normal times. */
  readonly median: number
  readonly spread: number
}

export const goodVersion: Version = { errorRate: 0.005, median: 20, spread: 0.6 }

export interface Run {
  readonly canary: Version
  readonly others?: Version
  /** Answers of the canary a second; the others get the rest. */
  readonly perSecond: number
  readonly share: number
  readonly seconds: number
  readonly guard?: Guard
  /** The canary is good for this long first. */
  readonly goodForSeconds?: number
}

/** Plays a split with a guarded canary against the real guard on a clock of its own: after how many seconds it was aborted. */
export function play(seed: number, run: Run): number | undefined {
  const { canary, others = goodVersion, perSecond, share, seconds, guard = plainGuard, goodForSeconds = 0 } = run
  const random = seededRandom(seed)
  const clock = fakeClock()
  const watched = new Canary(`run ${seed}`, { route: 'r', destination: { cluster: 'c', subset: 'v2' }, guard }, fakePorts({ clock }))
  const ofOthers = Math.round((perSecond * (1 - share)) / share)
  for (let second = 0; second < seconds; second++) {
    clock.advance(1_000)
    for (let i = 0; i < ofOthers; i++) watched.note('others', drawn(others, random))
    for (let i = 0; i < perSecond; i++) watched.note('canary', drawn(second < goodForSeconds ? goodVersion : canary, random))
    if (watched.aborted !== undefined) return second + 1 - goodForSeconds
  }
  return undefined
}

function drawn({ errorRate, median, spread }: Version, random: Random) {
  if (random.unit() < errorRate) return { kind: 'error' } as const
  const normal = Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit())
  return { kind: 'good', tookMs: median * Math.exp(spread * normal) } as const
}
