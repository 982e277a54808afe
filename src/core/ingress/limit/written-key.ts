import { isAddress, networkOf, normalizeAddress } from '../../net.ts'
import type { Limit, LimitKeyPart } from '../../policy/linked/limits.ts'
import { encodeKey, labelOf } from './key.ts'

/** What somebody wrote means for one limit. */
export type WrittenKey =
  /** Its key has other parts. */
  | { readonly kind: 'other' }
  | { readonly kind: 'bad'; readonly problem: string }
  /** `readable` is as `explain` prints it; `parts` are the same one by one, empty where missing. `key` is undefined where a part is missing and the limit skips such requests. */
  | { readonly kind: 'key'; readonly key: string | undefined; readonly readable: string; readonly parts: ReadonlyMap<string, string> }

/**
 * Reads the key of a limit as people write it and `explain` prints it: one word for each part, such as `issuer=main` and `subject=u1`, in any
 * order; or all in one text, in the order of the limit. A missing part is `?`.
 */
export function readWrittenKey(limit: Pick<Limit, 'key' | 'missing'>, words: readonly string[]): WrittenKey {
  const labels = limit.key.map(labelOf)
  const texts = words.length === labels.length ? eachIn(words, labels) : words.length === 1 ? allIn(words[0] ?? '', labels) : undefined
  if (texts === undefined) return { kind: 'other' }
  if (texts === 'ambiguous') return { kind: 'bad', problem: 'this can be read in two ways: write each part as a word of its own' }
  const values: string[] = []
  for (const [i, part] of limit.key.entries()) {
    const text = texts[i] ?? ''
    const value = text === '?' || text === '' ? '' : valueOf(part, text)
    if (typeof value !== 'string') return { kind: 'bad', problem: `${labels[i]}=${text}: ${value.problem}` }
    values.push(value)
  }
  const parts = new Map(labels.map((label, i) => [label, values[i] ?? '']))
  return { kind: 'key', key: encodeKey(values, limit.missing), readable: Array.from(parts, ([label, value]) => `${label}=${value || '?'}`).join(' '), parts }
}

/** How the key of a limit is written: `issuer=… subject=…`. */
export function keyForm({ key }: Pick<Limit, 'key'>): string {
  return key.map((part) => `${labelOf(part)}=…`).join(' ')
}

function eachIn(words: readonly string[], labels: readonly string[]): readonly string[] | undefined {
  const found = labels.map((label) => words.find((word) => word.startsWith(`${label}=`))?.slice(label.length + 1))
  return found.every((text) => text !== undefined) ? found : undefined
}

function allIn(text: string, labels: readonly string[]): readonly string[] | 'ambiguous' | undefined {
  const split = (any: string) => {
    const pattern = labels.map((label) => `${label.replace(/[^\w]/g, '\\$&')}=(${any})`).join(' ')
    return new RegExp(`^${pattern}$`, 's').exec(text)?.slice(1)
  }
  const [greedy, lazy] = [split('.*'), split('.*?')]
  if (greedy === undefined || lazy === undefined) return undefined
  return greedy.every((one, i) => one === lazy[i]) ? greedy : 'ambiguous'
}

/** The text that the requests meant here are counted under. */
function valueOf(part: LimitKeyPart, text: string): string | { readonly problem: string } {
  if (part.kind === 'host') return text.toLowerCase()
  if (part.kind === 'client.address') return isAddress(text) ? normalizeAddress(text) : { problem: 'this is no address' }
  if (part.kind === 'claim') return /^(?:s:.+|n:.+|b:(?:true|false))$/s.test(text) ? text : { problem: 'a claim says its type first: s:text, n:number, b:true' }
  return part.kind === 'client.network' ? networkIn(text) : text
}

function networkIn(text: string): string | { readonly problem: string } {
  const [address = '', size, ...more] = text.split('/')
  if (!isAddress(address) || more.length > 0) return { problem: 'this is no network' }
  const network = networkOf(address)
  return size === undefined || network.endsWith(`/${size}`) ? network : { problem: 'networks are counted as IPv4 /32 and IPv6 /64' }
}
