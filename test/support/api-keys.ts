import { createHash } from 'node:crypto'
import { writeApiKey } from '../../src/core/model/api-key.ts'
import type { ApiKeyRecord } from '../../src/core/model/api-key-record.ts'
import type { ApiKeySet } from '../../src/core/policy/linked/api-keys.ts'

/** A key and what is kept of it; the same for the same number. */
export function apiKey(number: number, changes: Partial<ApiKeyRecord> = {}): { readonly text: string; readonly record: ApiKeyRecord } {
  const { id, text } = writeApiKey(number.toString(16).padStart(20, '0'), number.toString(16).padStart(50, '0'))
  return {
    text,
    record: {
      id,
      hash: createHash('sha256').update(text).digest('hex'),
      owner: 'acme',
      clientId: undefined,
      scopes: ['orders:read'],
      claims: {},
      created: 0,
      notBefore: undefined,
      expires: undefined,
      revoked: undefined,
      rotatedTo: undefined,
      note: undefined,
      ...changes,
    },
  }
}

/** The text of a file that holds these. */
export function apiKeyFile(...records: readonly ApiKeyRecord[]): string {
  return JSON.stringify({ sallyport: 'api-keys/v1', keys: records })
}

/** A set as the policies would link it: in Redis, header `x-api-key`, 5 seconds, 5 minutes. */
export function apiKeySet(name: string, changes: Partial<ApiKeySet> = {}): ApiKeySet {
  return { name, quarantined: undefined, store: { kind: 'redis' }, header: 'x-api-key', scopes: undefined, refreshMs: 5000, staleForMs: 300_000, ...changes }
}
