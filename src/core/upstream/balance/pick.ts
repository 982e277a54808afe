import type { BalanceKind } from '../../policy/linked/balance.ts'
import type { Clock, Random } from '../../ports.ts'
import { mayProve } from '../health/standing.ts'
import type { Member } from '../state.ts'
import type { Candidate } from './candidate.ts'
import { type Better, fewerUnderWay, soonerAnswer } from './choices.ts'
import { buildDraw } from './draw.ts'
import { hashText } from './hash.ts'
import { buildMaglev } from './maglev.ts'
import { buildRing, type HashTable, type Slotted } from './ring.ts'
import { buildTurns, type Turn } from './turns.ts'
import type { View } from './view.ts'

/** Chooses one of a view. `tried` are members to leave out if any other is there. */
export type Pick = (key: string | undefined, tried: ReadonlySet<Member> | undefined) => Candidate

/** Makes the pick for a view of these candidates; it keeps what is worth keeping from one view to the next. */
export type Picker = (view: View, candidates: readonly Candidate[]) => Pick

type PickPorts = { readonly clock: Clock; readonly random: Random }

export function buildPicker(kind: BalanceKind, ports: PickPorts): Picker {
  return pickers[kind](ports)
}

const pickers: Readonly<Record<BalanceKind, (ports: PickPorts) => Picker>> = {
  round_robin: () => inTurn(),
  random:
    ({ random }) =>
    ({ usable, shares }) => {
      const draw = buildDraw(usable.length, shares, random)
      return avoiding(usable, () => usable[draw()] as Candidate)
    },
  least_request: (ports) => twoChoices(fewerUnderWay, ports),
  peak_ewma: (ports) => twoChoices(soonerAnswer, ports),
  ring_hash: (ports) => hashed(buildRing, ports),
  maglev: (ports) => hashed(buildMaglev, ports),
}

function inTurn(): Picker {
  const turn: Turn = { next: 0 }
  let leave = () => {}
  return ({ usable, shares }) => {
    leave()
    const next = buildTurns(usable, shares, turn)
    leave = next.leave
    return avoiding(usable, () => usable[next()] as Candidate)
  }
}

/** Power of two choices: as good as asking all, without the herd that always finds the same best one. */
function twoChoices(compare: (lightest: number) => Better, { clock, random }: PickPorts): Picker {
  return ({ usable, shares }) => {
    const count = usable.length
    const isBetter = compare(usable.reduce((least, { weight }) => Math.min(least, weight), Number.POSITIVE_INFINITY))
    const draw = buildDraw(count, shares, random)
    const pair = () => {
      const i = draw()
      if (count === 1) return usable[i] as Candidate
      const j = draw()
      const first = usable[i] as Candidate
      const second = usable[j === i ? (i + 1 + Math.floor(random.unit() * (count - 1))) % count : j] as Candidate
      return isBetter(first, second, clock.ticks()) ? second : first
    }
    return avoiding(usable, pair)
  }
}

/** How often another choice is asked for before the list is gone through. */
const redraws = 4

/** The choice, or another one while it falls on what was tried. */
function avoiding(usable: readonly Candidate[], choose: () => Candidate): Pick {
  return (_key, tried) => {
    const first = choose()
    if (tried === undefined || tried.size === 0 || !tried.has(first.member)) return first
    for (let i = 0; i < redraws; i += 1) {
      const other = choose()
      if (!tried.has(other.member)) return other
    }
    return usable.find(({ member }) => !tried.has(member)) ?? first
  }
}

/** Keys stay where they are. The table stands on names and weights alone: what is not usable is passed over, as if it had left. */
function hashed(build: (endpoints: readonly Slotted[]) => HashTable, { clock, random }: PickPorts): Picker {
  let built: readonly Candidate[] | undefined
  let table: HashTable = { find: () => -1 }
  return (view, candidates) => {
    if (built !== candidates) {
      table = build(candidates.map(({ member, weight }) => ({ name: member.name, weight })))
      built = candidates
    }
    const usable = new Set(view.usable)
    const probing = new Set(view.probing)
    const standing = Uint8Array.from(candidates, (candidate) => (usable.has(candidate) ? 1 : probing.has(candidate) ? 2 : 0))
    const isUsable = (i: number) => standing[i] === 1 || (standing[i] === 2 && mayProve((candidates[i] as Candidate).member.standing, clock.ticks()))
    return (key, tried) => {
      const hash = key === undefined ? Math.floor(random.unit() * 2 ** 32) : hashText(key)
      const avoid = tried !== undefined && tried.size > 0
      const found = avoid ? table.find(hash, (i) => isUsable(i) && !tried.has((candidates[i] as Candidate).member)) : table.find(hash, isUsable)
      const at = found >= 0 ? found : table.find(hash, isUsable)
      const chosen = candidates[at >= 0 ? at : 0] as Candidate
      if (standing[at] === 2) chosen.member.standing.probedAt = clock.ticks()
      return chosen
    }
  }
}
