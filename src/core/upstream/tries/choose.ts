import type { Clock } from '../../ports.ts'
import { giveProofBack } from '../health/standing.ts'
import type { Shipment } from '../shipment.ts'
import type { Member } from '../state.ts'

/** An endpoint that was chosen. */
export interface Picked {
  readonly member: Member
  /** No try begins there after all. */
  readonly unused: () => void
}

/** Chooses the endpoint of the next try; the balancer knows which were tried. @throws Fault where there is none, or the request is over */
export async function pick({ x, deadline, key, candidates, balance }: Shipment, clock: Clock, tried: ReadonlySet<Member>): Promise<Picked> {
  x.lifeline.check()
  const all = await candidates({ lifeline: x.lifeline, deadline: deadline.at })
  const now = clock.ticks()
  const { member } = balance(all, key, tried)
  const { standing } = member
  // Time goes on while one is chosen: what was taken then was taken by this choice.
  const takenAt = standing.probedAt
  return {
    member,
    unused() {
      if (takenAt >= now) giveProofBack(standing, takenAt)
    },
  }
}

/** An endpoint that was not tried, if there is one. */
export async function pickOther(job: Shipment, clock: Clock, tried: ReadonlySet<Member>): Promise<Picked | undefined> {
  try {
    const picked = await pick(job, clock, tried)
    if (!tried.has(picked.member)) return picked
    picked.unused()
    return undefined
  } catch {
    return undefined
  }
}
