import { Redis, type RedisOptions } from 'ioredis'

/**
 * A client of the store, set so that a Redis which is dead, frozen or far costs a request 50 ms at most (unless `changes` say
 * otherwise) and never an error that nobody catches. It dials at once and dials again for ever, every 500 ms at the latest.
 */
export function connectRedis(
  url: string,
  changes: Pick<RedisOptions, 'connectionName' | 'commandTimeout' | 'socketTimeout' | 'enableOfflineQueue'> = {},
): Redis {
  const client = new Redis(url, {
    connectionName: 'sallyport-limit',
    // A command that cannot be sent now fails now: the local answer is better than a late one.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 50,
    connectTimeout: 500,
    // A connection that answers nothing for a second is given up: a frozen peer or a lost path shows no other sign.
    socketTimeout: 1000,
    // An increment that may have been applied is not sent twice.
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: true,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 4), 500),
    // After a failover the old primary answers READONLY: dial again, to find the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    ...changes,
  })
  // Every command reports its own failure; without a listener the client would print connection errors.
  client.on('error', () => {})
  return client
}
