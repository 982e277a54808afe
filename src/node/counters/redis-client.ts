import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { readStoreUrl } from './redis-url.ts'

/** Answers as ioredis gives them by default. */
type Options = Omit<RedisOptions, 'replyMapping'>

/** A client of one server, of a set that Sentinels watch, or of a Cluster. */
export type RedisClient = Redis | Cluster

/**
 * A client of the store. A Redis that is gone fails a command at once; one that is silent does so after `commandTimeout`, and without that perhaps never. There is
 * never an error that nobody catches. It dials at once and dials again for ever, every 500 ms at the latest.
 * @throws Error for a URL of several servers that cannot be read
 */
export function connectRedis(
  url: string,
  changes: Pick<RedisOptions, 'connectionName' | 'commandTimeout' | 'socketTimeout' | 'enableOfflineQueue'> = {},
): RedisClient {
  const address = readStoreUrl(url)
  const options: Options = { ...usual, ...changes }
  const client = address.kind === 'single' ? new Redis(address.url, options) : clientOfSeveral(address, options)
  // Every command reports its own failure; without a listener the client would print connection errors.
  client.on('error', () => {})
  if (client.isCluster) client.on('+node', neverRejectAsking)
  return client
}

/** The client sends ASKING ahead of a command to a slot that is moving and looks at the fate of the command alone: nobody would catch that of the other. */
function neverRejectAsking(node: Redis): void {
  const asking = node.asking.bind(node)
  node.asking = () => asking().catch(() => 'OK' as const)
}

const retryMs = (times: number) => Math.min(50 * 2 ** Math.min(times, 4), 500)

const usual: Options = {
  connectionName: 'sallyport-limit',
  // A command that cannot be sent now fails now: the local answer is better than a late one.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  connectTimeout: 500,
  // A connection that answers nothing for a second is given up: a frozen peer or a lost path shows no other sign.
  socketTimeout: 1000,
  // An increment that may have been applied is not sent twice.
  autoResendUnfulfilledCommands: false,
  retryStrategy: retryMs,
  // After a failover the old primary answers READONLY: dial again, to find the new one.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
}

/** A Sentinel that is silent is no better than one that is gone: the next one is asked. */
const sentinels = { sentinelRetryStrategy: retryMs, sentinelCommandTimeout: 500 }

function clientOfSeveral(address: Exclude<ReturnType<typeof readStoreUrl>, { readonly kind: 'single' }>, options: Options): RedisClient {
  const { username, password } = address
  const known = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(address.tls ? { tls: {} } : {}),
  }
  if (address.kind === 'sentinel') {
    const { nodes, master: name, db, tls } = address
    return new Redis({
      ...options,
      ...known,
      sentinels: [...nodes],
      name,
      db,
      enableTLSForSentinelMode: tls,
      ...(tls ? { sentinelTLS: {} } : {}),
      ...sentinels,
    })
  }
  return new Cluster([...address.nodes], {
    redisOptions: { ...options, ...known },
    enableOfflineQueue: options.enableOfflineQueue ?? false,
    clusterRetryStrategy: retryMs,
    slotsRefreshTimeout: 500,
    // Who has the slots of a node that died is not told to anybody who no longer asks it.
    slotsRefreshInterval: 1000,
    // A slot that moved is followed at once, twice; a node that is gone is not waited for.
    maxRedirections: 3,
    retryDelayOnMoved: 0,
    retryDelayOnTryAgain: 5,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
  })
}
