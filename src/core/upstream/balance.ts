import type { Cluster } from '../policy/policy.ts'
import type { Ports, Random } from '../ports.ts'
import type { Member } from './state.ts'

/** A member of one endpoint set. */
export interface Candidate {
  readonly member: Member
  /** Positive. */
  readonly weight: number
  /** Where it runs, as its source says. */
  readonly zone?: string | undefined
  /** What its source says of it. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Running score of the weighted round robin. */
  score: number
}

/** Chooses one of at least one candidate. */
export type Balance = (candidates: readonly Candidate[]) => Candidate

type BalancePorts = Pick<Ports, 'clock' | 'random'>

/** Averages forget with this time constant, milliseconds: long enough to be steady, short enough to notice a recovery. */
const decayMs = 10_000

/** What a failed try counts as, milliseconds: an endpoint that refuses quickly must not look fast. */
const failureMs = 5_000

/** An endpoint without any sample but with requests under way is tried last. */
const unknownCost = 1e9

const balances: Readonly<Record<Cluster['balance'], (ports: BalancePorts) => Balance>> = {
  round_robin: () => roundRobin,
  random:
    ({ random }) =>
    (candidates) =>
      weightedRandom(candidates, random.unit()),
  least_request:
    ({ random }) =>
    (candidates) =>
      betterOfTwo(candidates, random, (c) => (c.member.active + 1) / c.weight),
  peak_ewma:
    ({ clock, random }) =>
    (candidates) =>
      betterOfTwo(candidates, random, (c) => peakCost(c.member, clock.ticks()) / c.weight),
}

export function buildBalance(kind: Cluster['balance'], ports: BalancePorts): Balance {
  return balances[kind](ports)
}

/** Smooth weighted round robin: every candidate gains its weight, the highest score goes and pays the sum of all. */
function roundRobin(candidates: readonly Candidate[]): Candidate {
  let best = candidates[0] as Candidate
  let sum = 0
  for (const candidate of candidates) {
    candidate.score += candidate.weight
    sum += candidate.weight
    if (candidate.score > best.score) best = candidate
  }
  best.score -= sum
  return best
}

function weightedRandom(candidates: readonly Candidate[], unit: number): Candidate {
  let at = unit * candidates.reduce((sum, candidate) => sum + candidate.weight, 0)
  for (const candidate of candidates) {
    at -= candidate.weight
    if (at < 0) return candidate
  }
  return candidates[candidates.length - 1] as Candidate
}

/** Power of two choices: as good as asking all, without the herd that always finds the same best one. */
function betterOfTwo(candidates: readonly Candidate[], random: Random, cost: (candidate: Candidate) => number): Candidate {
  const count = candidates.length
  const i = Math.floor(random.unit() * count)
  const first = candidates[i] as Candidate
  if (count === 1) return first
  const second = candidates[(i + 1 + Math.floor(random.unit() * (count - 1))) % count] as Candidate
  return cost(second) < cost(first) ? second : first
}

/** Expected wait behind what is under way. An idle endpoint nobody has asked yet costs nothing, so it is tried soon. */
function peakCost(member: Member, now: number): number {
  if (member.ewma === 0) return member.active === 0 ? 0 : unknownCost + member.active
  return member.ewma * Math.exp((member.sampledAt - now) / decayMs) * (member.active + 1)
}

/** Notes how long an endpoint took to answer. A peak counts at once, an improvement slowly. */
export function sampleAnswer(member: Member, tookMs: number, now: number): void {
  const took = Math.max(tookMs, 0.01)
  const keep = Math.exp((member.sampledAt - now) / decayMs)
  member.ewma = took > member.ewma ? took : member.ewma * keep + took * (1 - keep)
  member.sampledAt = now
}

/** Notes that an endpoint failed. */
export function sampleFailure(member: Member, tookMs: number, now: number): void {
  sampleAnswer(member, Math.max(tookMs, failureMs), now)
}
