import type { Candidate } from './candidate.ts'

/**
 * What each endpoint gets of the requests of a gateway in `zone`: as many stay in the zone as its endpoints can take beside those of the other
 * zones, the rest goes to the zones that have more than they need, in proportion to that (Envoy's zone aware routing). There is taken to be
 * the same load in every zone that has endpoints. Without an endpoint in the zone: the weights.
 */
export function shareByZone(candidates: readonly Candidate[], weights: readonly number[], zone: string): readonly number[] {
  const zones = new Map<string, number>()
  let total = 0
  candidates.forEach((candidate, i) => {
    const weight = weights[i] as number
    zones.set(candidate.zone ?? '', (zones.get(candidate.zone ?? '') ?? 0) + weight)
    total += weight
  })
  const here = zones.get(zone)
  if (here === undefined || zones.size === 1) return weights
  const need = total / zones.size
  const stays = Math.min(1, here / need)
  const spare = new Map([...zones].map(([name, weight]) => [name, name === zone ? 0 : Math.max(0, weight - need)]))
  const allSpare = [...spare.values()].reduce((sum, each) => sum + each, 0)
  return candidates.map((candidate, i) => {
    const name = candidate.zone ?? ''
    const ofZone = (weights[i] as number) / (zones.get(name) as number)
    if (name === zone) return stays * ofZone
    return stays === 1 || allSpare === 0 ? 0 : ((1 - stays) * (spare.get(name) as number) * ofZone) / allSpare
  })
}
