import { capacityOf, type LimitShape, periodMs } from '../../model/limit.ts'
import type { LimitDocument } from '../document/limits.ts'
import type { Limit, LimitKeyPart } from '../linked/limits.ts'
import { parseQuota, parseRate } from '../units.ts'
import { checkClaimed, claimedOf, leastOf, plainMeasure } from './claimed.ts'
import { type Entry, isSaid, isWhole, type Linking, need, refuse, warn } from './linking.ts'
import { after } from './values.ts'
import { checkZone } from './zone.ts'

const day = 86_400_000
/** So that arithmetic in microseconds stays exact in a double: cost times rate is far below 2^53. */
const mostEvenPoints = 10_000_000

/** Checks and links the limits. A broken one is left out: whatever needs it is quarantined. */
export function linkLimits(linking: Linking, entries: ReadonlyMap<string, Entry<LimitDocument>>, store: { readonly said: boolean }): readonly Limit[] {
  return Array.from(entries.values(), (entry) => linkLimit(linking, entry, store)).filter((limit) => limit !== undefined)
}

/** The most that a limit ever holds, as far as its document says; where a claim says, for those who have least. */
export function heldBy(value: Partial<LimitDocument>): number | undefined {
  const shape = shapeOf(value)
  return shape === undefined ? undefined : capacityOf({ ...shape, points: Math.min(shape.points, leastOf(value) ?? shape.points) })
}

function linkLimit(linking: Linking, entry: Entry<LimitDocument>, store: { readonly said: boolean }): Limit | undefined {
  const { name, value = {} } = entry
  // A store that cannot be read must not turn a shared limit into one per process.
  if (store.said) need(linking, entry.id, 'store.redis')
  if (value.onStoreFailure === 'deny')
    warn(linking, entry, ['onStoreFailure'], {
      code: 'limit_denies',
      message: 'While the store does not answer, every request that counts here is refused.',
      hint: 'Keep it where that is wanted, such as log-in; otherwise write local.',
    })
  if (entry.value !== undefined) checkKind(linking, entry, value)
  const shape = shapeOf(value)
  if (shape === undefined || value.key === undefined) return undefined
  checkShape(linking, entry, shape)
  checkClaimed(linking, entry, shape)
  if (value.when === 'before_authentication' || value.counts === 'failures') checkEarly(linking, entry, value)
  if (value.counts === 'failures') checkFailures(linking, entry)
  const claimed = claimedOf(value)
  checkKept(linking, entry, shape, store)
  return {
    name,
    ...shape,
    key: value.key.map(keyPart),
    missing: value.missing ?? 'shared',
    onStoreFailure: value.onStoreFailure ?? 'deny',
    mode: value.mode ?? 'enforce',
    ...(value.counts === 'failures' ? { counts: 'failures' } : value.when === 'before_authentication' ? { early: true } : {}),
    ...(claimed === undefined ? {} : { claimed }),
  }
}

const measures = ['rate', 'quota', 'concurrent'] as const
const algorithms = { rate: ['sliding', 'gcra'], quota: ['calendar'], concurrent: ['concurrency'] } as const

function shapeOf({ rate: rateSaid, quota: quotaSaid, concurrent, algorithm, burst = 0, zone = 'UTC' }: Partial<LimitDocument>): LimitShape | undefined {
  const rate = parseRate(plainMeasure(rateSaid))
  // What was written for fixed windows says how much a window holds, and a sliding one keeps just that: even a cost of the whole window passes.
  if (rate !== undefined) return { algorithm: { kind: algorithm === 'gcra' ? 'gcra' : 'sliding' }, ...rate, burst }
  const quota = parseQuota(plainMeasure(quotaSaid))
  if (quota !== undefined) return { algorithm: { kind: 'calendar', per: quota.per, zone }, points: quota.points, windowMs: periodMs[quota.per], burst: 0 }
  return concurrent === undefined ? undefined : { algorithm: { kind: 'concurrency' }, points: concurrent, windowMs: 0, burst: 0 }
}

/** A limit is one of rate, quota and concurrent, and says nothing that belongs to another. */
function checkKind(linking: Linking, entry: Entry<LimitDocument>, value: Partial<LimitDocument>): void {
  const said = measures.filter((measure) => isSaid(entry, [measure]) || !isWhole(entry, measure))
  const measure = said[0]
  if (measure === undefined) {
    const message = 'The limit says neither rate nor quota nor concurrent.'
    refuse(linking, entry, [], { code: 'limit_measure', message, hint: 'Write rate: 100/1m, quota: 10000/month, or concurrent: 20.', which: 'key' })
    return
  }
  for (const other of said.slice(1)) {
    const message = `A limit is one of rate, quota and concurrent, and this one says ${measure} already.`
    refuse(linking, entry, [other], { code: 'limit_measure', message, hint: 'Write two limits, and name both on the route.', which: 'key' })
  }
  const fitting: readonly string[] = algorithms[measure]
  if (value.algorithm !== undefined && !fitting.includes(value.algorithm)) {
    const message = `What ${measure} says is not counted by ${value.algorithm}.`
    refuse(linking, entry, ['algorithm'], { code: 'limit_algorithm', message, hint: `Leave it out, or write ${fitting.join(' or ')}.` })
  }
  const idle = [...(measure === 'rate' ? [] : ['burst']), ...(measure === 'quota' ? [] : ['zone'])].filter((member) => isSaid(entry, [member]))
  for (const member of idle) {
    const message = `${member} has no effect on a limit that says ${measure}.`
    refuse(linking, entry, [member], { code: 'limit_no_effect', message, hint: 'Remove it.', which: 'key' })
  }
}

function checkShape(linking: Linking, entry: Entry<LimitDocument>, { algorithm, points, windowMs, burst }: LimitShape): void {
  const measure = algorithm.kind === 'calendar' ? 'quota' : 'rate'
  if (points === 0)
    refuse(linking, entry, [measure], {
      code: 'rate_zero',
      message: `A ${measure} of zero lets nobody pass.`,
      hint: 'To refuse everything, write a deny rule.',
    })
  if (algorithm.kind === 'calendar') checkZone(linking, entry, ['zone'], algorithm.zone)
  if (algorithm.kind !== 'concurrency' && windowMs < 1000)
    refuse(linking, entry, ['rate'], { code: 'window_short', message: 'The window is shorter than 1s.', hint: 'Write the rate per 1s or longer.' })
  if (algorithm.kind === 'gcra' && points > 0) checkBurst(linking, entry, points, burst)
}

function checkBurst(linking: Linking, entry: Entry<LimitDocument>, points: number, burst: number): void {
  if (burst < 1 && isWhole(entry, 'burst'))
    refuse(linking, entry, isSaid(entry, ['burst']) ? ['burst'] : ['algorithm'], {
      code: 'burst_missing',
      message: 'gcra needs a burst: how many requests may come at once.',
      hint: `Write burst: ${Math.max(1, Math.round(points / 10))} for a tenth of the rate; a page that loads sends several at once.`,
    })
  if (burst > points)
    refuse(linking, entry, ['burst'], {
      code: 'burst_large',
      message: `A burst of ${burst} is more than the rate of ${points}: it would never come back within a window.`,
      hint: `Write a burst of at most ${points}, or the rate over a longer window.`,
    })
  if (points > mostEvenPoints)
    refuse(linking, entry, ['rate'], {
      code: 'rate_large',
      message: `gcra counts at most ${mostEvenPoints} per window.`,
      hint: 'Write the same rate over a shorter window.',
    })
}

/** What nobody has proved yet counts nothing. */
function checkEarly(linking: Linking, entry: Entry<LimitDocument>, { key = [], rate, quota }: Partial<LimitDocument>): void {
  for (const [i, part] of key.entries()) {
    if (!/^(?:issuer|subject|clientId|apiKey|claim\..*)$/.test(part)) continue
    refuse(linking, entry, ['key', i], {
      code: 'limit_early',
      message: `Before authentication nobody knows ${part}.`,
      hint: 'Write client.network, client.address, host, route or header.<name>, or count requests after access.',
    })
  }
  for (const [member, said] of Object.entries({ rate, quota })) {
    if (typeof said !== 'object') continue
    refuse(linking, entry, [member], {
      code: 'limit_early',
      message: 'Before authentication there are no claims: everybody would have the default.',
      hint: 'Write one number for all, or count requests after access.',
    })
  }
}

/** Failures are over when they are counted: there is nothing to hold, and only one time to ask. */
function checkFailures(linking: Linking, entry: Entry<LimitDocument>): void {
  if (isSaid(entry, ['concurrent']))
    refuse(linking, entry, ['counts'], {
      code: 'limit_failures',
      message: 'Failures are not at a time: concurrent cannot count them.',
      hint: 'Write rate: 20/10m, or a quota.',
    })
  if (isSaid(entry, ['when']))
    refuse(linking, entry, ['when'], {
      code: 'limit_no_effect',
      message: 'A limit on failures is always asked before authentication.',
      hint: 'Remove it.',
      which: 'key',
    })
}

/** Limits that people count on for longer than a process lives. */
function checkKept(linking: Linking, entry: Entry<LimitDocument>, { algorithm, windowMs }: LimitShape, store: { readonly said: boolean }): void {
  if (store.said || (algorithm.kind !== 'calendar' && windowMs <= day)) return
  warn(linking, entry, [algorithm.kind === 'calendar' ? 'quota' : 'rate'], {
    code: 'limit_forgotten',
    message: 'Without a store this is counted in memory, which does not keep it over a restart: whoever had used it up begins again.',
    hint: 'Add store: { redis: env:REDIS_URL }.',
  })
}

function keyPart(text: string): LimitKeyPart {
  const claim = after(text, 'claim.')
  if (claim !== undefined) return { kind: 'claim', path: claim }
  const header = after(text, 'header.')
  if (header !== undefined) return { kind: 'header', name: header }
  // The cast is safe: the schema's pattern lists these words and the two prefixes above.
  return { kind: text as 'issuer' | 'subject' | 'clientId' | 'apiKey' | 'client.network' | 'client.address' | 'route' | 'host' }
}
