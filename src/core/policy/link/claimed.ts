import type { LimitShape } from '../../model/limit.ts'
import type { LimitDocument } from '../document/limits.ts'
import type { ClaimedPoints } from '../linked/limits.ts'
import type { Path } from '../read/node.ts'
import { parseQuota, parseRate } from '../units.ts'
import { type Entry, isWhole, type Linking, refuse } from './linking.ts'

/** A measure of a limit, as it is written: for all alike, or as a claim says. */
type Said = LimitDocument['rate']
type ByClaim = Exclude<Said, string | undefined>

/** What is written for everybody whose claim says nothing; empty where nothing is. */
export function plainMeasure(said: Said): string {
  // A default that could not be read is left out, whatever the type says.
  return typeof said === 'object' ? (said.default ?? '') : (said ?? '')
}

/** How the linked limit reads the claim; undefined where the numbers are the same for all. */
export function claimedOf(value: Partial<LimitDocument>): ClaimedPoints | undefined {
  const said = byClaim(value)
  if (said === undefined) return undefined
  const { claim, map, ceiling } = said.measure
  if (map === undefined) return ceiling === undefined ? undefined : { kind: 'number', claim, ceiling: read(ceiling)?.points ?? 0 }
  return { kind: 'map', claim, values: Object.entries(map).map(([name, text]) => ({ value: name, points: read(text)?.points ?? 0 })) }
}

/** The fewest points that anybody has by name. */
export function leastOf(value: Partial<LimitDocument>): number | undefined {
  const claimed = claimedOf(value)
  return claimed?.kind === 'map' ? Math.min(...claimed.values.map(({ points }) => points)) : undefined
}

/**
 * One claim, one way to read it, one window: what is counted under a key stays when the claim changes, so all numbers have to be about the same time.
 * A claim that is itself the number has a ceiling, for whoever writes tokens does not write limits.
 */
export function checkClaimed(linking: Linking, entry: Entry<LimitDocument>, shape: LimitShape): void {
  const said = byClaim(entry.value ?? {})
  if (said === undefined) return
  const { member, measure } = said
  if (isWhole(entry, member) && (measure.map === undefined) === (measure.ceiling === undefined))
    refuse(linking, entry, [member], {
      code: 'limit_claim',
      message:
        measure.map === undefined ? 'A number that a claim says needs a ceiling.' : 'With a map the claim is a name and not a number: a ceiling has no effect.',
      hint: `Write map: { pro: ${measure.default} } for what values stand for, or ceiling: ${measure.default} where the claim is the number.`,
      which: 'key',
    })
  if (shape.algorithm.kind === 'gcra')
    refuse(linking, entry, ['algorithm'], {
      code: 'limit_algorithm',
      message: 'gcra keeps a time that means another number of requests at every rate: it cannot count what a claim says.',
      hint: 'Leave the algorithm out, or write one limit for all.',
    })
  for (const [path, text] of numbersOf(member, measure)) checkNumber(linking, entry, path, read(text), shape)
  const most = measure.ceiling === undefined ? undefined : read(measure.ceiling)
  if (most !== undefined && most.points > 0 && shape.points > most.points)
    refuse(linking, entry, [member, 'default'], {
      code: 'limit_claim',
      message: 'The default is more than the ceiling.',
      hint: `Write at most ${measure.ceiling}.`,
    })
}

function checkNumber(linking: Linking, entry: Entry<LimitDocument>, path: Path, number: Read | undefined, shape: LimitShape): void {
  if (number === undefined) return
  const window = shape.algorithm.kind === 'calendar' ? shape.algorithm.per : shape.windowMs
  if (number.window !== window)
    refuse(linking, entry, path, {
      code: 'limit_claim',
      message: 'This is about another time than the default: what was counted could not go on when the claim changes.',
      hint: 'Write it about the same time; for a second one write another limit.',
    })
  if (number.points === 0)
    refuse(linking, entry, path, { code: 'rate_zero', message: 'Zero lets nobody pass.', hint: 'To refuse everything, write a deny rule.' })
}

function numbersOf(member: string, { map, ceiling }: ByClaim): readonly (readonly [Path, string])[] {
  const mapped = Object.entries(map ?? {}).map(([name, text]) => [[member, 'map', name], text] as const)
  return ceiling === undefined ? mapped : [...mapped, [[member, 'ceiling'], ceiling]]
}

interface Read {
  readonly points: number
  readonly window: number | string
}

function read(text: string): Read | undefined {
  const rate = parseRate(text)
  if (rate !== undefined) return { points: rate.points, window: rate.windowMs }
  const quota = parseQuota(text)
  return quota === undefined ? undefined : { points: quota.points, window: quota.per }
}

function byClaim({ rate, quota }: Partial<LimitDocument>): { readonly member: string; readonly measure: ByClaim } | undefined {
  if (typeof rate === 'object') return { member: 'rate', measure: rate }
  return typeof quota === 'object' ? { member: 'quota', measure: quota } : undefined
}
