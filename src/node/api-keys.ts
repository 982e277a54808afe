import type { ApiKeySet } from '../core/policy/linked/api-keys.ts'
import { openKeyFile } from './api-keys/file.ts'
import type { KeyStore } from './api-keys/key-store.ts'
import { openKeysInRedis } from './api-keys/redis.ts'

/** Opens where a set keeps its keys. @throws Error when Redis is needed and none is named, or does not answer. */
export async function openKeyStore(set: ApiKeySet, redisUrl: string | undefined): Promise<KeyStore> {
  if (set.store.kind === 'file') return openKeyFile(set.store.reference.slice('file:'.length))
  if (redisUrl === undefined) throw new Error('the keys are in Redis, and none is named: set REDIS_URL, or what store.redis names')
  return openKeysInRedis(redisUrl, set.name)
}
