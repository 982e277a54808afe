import type { HealthCheck } from '../../policy/linked/health.ts'
import type { Ports } from '../../ports.ts'
import type { Shared } from '../shared.ts'
import type { Member, UpstreamState } from '../state.ts'
import { type Checking, openCheck, type Question } from './check.ts'
import type { Roster } from './roster.ts'
import { type HealthState, parkedForMs } from './state.ts'

type AttendPorts = Pick<Ports, 'clock' | 'random' | 'channels' | 'meter'>

/** Members as one part of a cluster takes and gives them back; what is known of their health comes and goes with them. */
export interface Attended {
  readonly members: Pick<Shared<Member>, 'take' | 'give'>
  /** Those that this part holds now. */
  readonly mine: ReadonlySet<Member>
}

/** How the members of a part are looked after. */
export interface Care {
  readonly roster: Roster
  /** What requests to them are addressed to; undefined: what the caller asked for. */
  readonly authority: string | undefined
  /** What they are asked; undefined: nothing. */
  readonly question: (Omit<Question, 'authority'> & { authority(member: Member): string }) | undefined
}

/**
 * Members with somebody to look after them: they stand on the roster of their cluster, are asked how they are (once per endpoint and question,
 * however many snapshots use it), and one that is back soon after it left is remembered.
 */
export function attend(members: UpstreamState['members'], health: HealthState, { roster, authority: asked, question }: Care, ports: AttendPorts): Attended {
  const { clock } = ports
  const held = new Map<string, { readonly member: Member; shares: number }>()
  const mine = new Set<Member>()
  const checkKey = (key: string, rule: HealthCheck, authority: string) => JSON.stringify([key, rule, authority])

  function take(key: string, make: () => Member): Member {
    const member = members.take(key, () => remember(health, make(), clock.ticks()))
    const there = held.get(key)
    if (there !== undefined) {
      there.shares += 1
      return member
    }
    held.set(key, { member, shares: 1 })
    mine.add(member)
    roster.join(member, asked, clock.ticks())
    if (question !== undefined) {
      const authority = question.authority(member)
      health.checks.take(checkKey(key, question.rule, authority), () => openCheck(member, { ...question, authority }, roster, ports))
    }
    return member
  }

  function give(key: string, drop: (last: Member) => void = () => {}): void {
    const there = held.get(key)
    if (there !== undefined) {
      there.shares -= 1
      if (there.shares === 0) {
        held.delete(key)
        mine.delete(there.member)
        roster.leave(there.member, clock.ticks())
        if (question !== undefined) health.checks.give(checkKey(key, question.rule, question.authority(there.member)), (check: Checking) => check.close())
      }
    }
    members.give(key, (last) => {
      park(health, last, clock.ticks())
      drop(last)
    })
  }

  return { members: { take, give }, mine }
}

/** Under what is kept what is known of an endpoint. */
function knownBy({ endpoint: { known, key } }: Member): string {
  return known ?? key
}

/** What is known of an endpoint under a key that it had before, or was before its record was thrown away. */
function remember({ parked: all, alive }: HealthState, member: Member, now: number): Member {
  const name = knownBy(member)
  const [parked, other] = [all.get(name), alive.get(name)]
  all.delete(name)
  alive.set(name, member)
  const before = other ?? (parked === undefined || now - parked.at > parkedForMs ? undefined : parked)
  const since = other === undefined ? now : other.standing.since
  if (before === undefined) {
    member.standing.since = now
    return member
  }
  const { standing, ewma, mean, sampledAt } = before
  Object.assign(member.standing, standing, { checked: 'unchecked', checks: [], problem: undefined, since, seen: { ...standing.seen } })
  return Object.assign(member, { ewma, mean, sampledAt })
}

function park({ parked, alive }: HealthState, member: Member, now: number): void {
  for (const [other, { at }] of parked) if (now - at > parkedForMs) parked.delete(other)
  const name = knownBy(member)
  // Of one that goes on under another key, that one knows more.
  if ((alive.get(name) ?? member) !== member) return
  alive.delete(name)
  const { standing, ewma, mean, sampledAt } = member
  parked.set(name, { at: now, standing, ewma, mean, sampledAt })
}
