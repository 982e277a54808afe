import { connectRedis } from '../../src/node/counters/redis-client.ts'
import { until } from './until.ts'

/** Waits until so many gateways around a store have seen each other: each has given a sign of life after the last of them came. */
export async function untilMet(url: string, count: number): Promise<void> {
  const client = connectRedis(url, { enableOfflineQueue: true, connectionName: 'test' })
  let since = Number.POSITIVE_INFINITY
  try {
    await until(async () => {
      const said = (await client.call('ZRANGE', 'sallyport:limit:dev:instances', '0', '-1', 'WITHSCORES')) as readonly (readonly [id: string, sign: string])[]
      const signs = said.map(([, sign]) => Number(sign))
      if (signs.length !== count) throw new Error(`${signs.length} of ${count} gateways are there`)
      since = Math.min(since, Math.max(...signs))
      if (Math.min(...signs) <= since) throw new Error('they have not seen each other yet')
    })
  } finally {
    client.disconnect()
  }
}
