import type { Path } from '../read/node.ts'
import { type Entry, type Linking, need, refuse } from './linking.ts'

/** What replicas must share, and what a command writes for a gateway to read, cannot be kept in the memory of one process. */
export function needStore<T>(linking: Linking, entry: Entry<T>, path: Path, store: { readonly said: boolean }): void {
  if (store.said) need(linking, entry.id, 'store.redis')
  else
    refuse(linking, entry, path, {
      code: 'store_missing',
      message: 'This is kept in Redis, and the policies name none.',
      hint: 'Add store: { redis: env:REDIS_URL }.',
      which: path.length === 0 || path.at(-1) === 'revocation' ? 'key' : 'value',
    })
}
