import type { LimitDocument } from '../document/limits.ts'
import type { Limit, LimitKeyPart } from '../policy.ts'
import { parseRate } from '../units.ts'
import { type Entry, type Linking, need, refuse, warn } from './linking.ts'
import { after } from './values.ts'

const day = 86_400_000

/** Checks and links the limits. A broken one is left out: whatever needs it is quarantined. */
export function linkLimits(linking: Linking, entries: ReadonlyMap<string, Entry<LimitDocument>>, store: { readonly said: boolean }): readonly Limit[] {
  return Array.from(entries.values(), (entry) => linkLimit(linking, entry, store)).filter((limit) => limit !== undefined)
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
  const rate = parseRate(value.rate ?? '')
  if (rate === undefined || value.key === undefined) return undefined
  checkRate(linking, entry, rate, store)
  return {
    name,
    ...rate,
    burst: value.burst ?? 0,
    key: value.key.map(keyPart),
    missing: value.missing ?? 'shared',
    onStoreFailure: value.onStoreFailure ?? 'deny',
    mode: value.mode ?? 'enforce',
  }
}

function checkRate(
  linking: Linking,
  entry: Entry<LimitDocument>,
  rate: { readonly points: number; readonly windowMs: number },
  store: { readonly said: boolean },
): void {
  if (rate.points === 0)
    refuse(linking, entry, ['rate'], { code: 'rate_zero', message: 'A rate of zero lets nobody pass.', hint: 'To refuse everything, write a deny rule.' })
  if (rate.windowMs < 1000)
    refuse(linking, entry, ['rate'], { code: 'window_short', message: 'The window is shorter than 1s.', hint: 'Write the rate per 1s or longer.' })
  if (rate.windowMs > 24 * day && !store.said)
    refuse(linking, entry, ['rate'], {
      code: 'window_long',
      message: 'A window longer than 24d needs a shared store: memory forgets when the process ends.',
      hint: 'Add store: { redis: env:REDIS_URL }, or shorten the window.',
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
