import { Cluster } from 'ioredis'
import { readStoredKey, sharedKeyOf } from '../../core/ingress/identify.ts'
import { connectRedis } from '../counters/redis-client.ts'
import { sharedName } from '../redis-shared.ts'
import type { KeyStore } from './key-store.ts'
import { sameRecord } from './same.ts'

/** Sets all keys if each is still what it was (an empty text: not there). */
const compareAndSet = `
for i = 1, #KEYS do
  if (redis.call('GET', KEYS[i]) or '') ~= ARGV[i] then return 0 end
end
for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[#KEYS + i]) end
return 1
`

/** Keys where every gateway on this Redis sees them. @throws Error when it does not answer, and for a Cluster, where keys cannot be changed together. */
export async function openKeysInRedis(url: string, set: string): Promise<KeyStore> {
  const client = connectRedis(url, { connectionName: 'sallyport-keys', commandTimeout: 5000, socketTimeout: 5000, enableOfflineQueue: true })
  if (client instanceof Cluster) {
    client.disconnect()
    throw new Error('API keys are not kept in a Redis Cluster; name a single server or its Sentinels')
  }
  const nameOf = (id: string) => sharedName(sharedKeyOf(set, id))
  try {
    await client.ping()
  } catch (error) {
    client.disconnect()
    throw new Error('Redis does not answer', { cause: error })
  }
  return {
    async list() {
      const found: string[] = []
      // SCAN may name a key twice.
      for await (const names of client.scanStream({ match: nameOf('*'), count: 1000 })) found.push(...(names as readonly string[]))
      const names = [...new Set(found)]
      const texts = names.length === 0 ? [] : await client.mget(names)
      return texts.filter((text) => text !== null).map(readStoredKey)
    },
    async change(changes) {
      const names = changes.map(({ after }) => nameOf(after.id))
      const kept = await client.mget(names)
      for (const [i, { before, after }] of changes.entries()) {
        const text = kept[i] ?? undefined
        if (!sameRecord(text === undefined ? undefined : readStoredKey(text), before)) throw new Error(`the key ${after.id} was changed meanwhile; look again`)
      }
      const fresh = changes.map(({ after }) => JSON.stringify(after))
      const done = await client.eval(compareAndSet, names.length, ...names, ...kept.map((text) => text ?? ''), ...fresh)
      if (done !== 1) throw new Error('a key was changed meanwhile; look again')
    },
    close: () => client.disconnect(),
  }
}
