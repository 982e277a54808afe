import { type RedisServer, startRedis } from './redis.ts'
import { beginMove, endMove, type FleetWants, isPromoted, nodeId, startCluster, startWatched } from './redis-fleet.ts'

/** A real store and one way to lose it. */
export interface LosableStore {
  readonly url: string
  /** Ends when the harm is done. */
  lose(): Promise<void>
  /** Ends when the store can be asked again, by whoever finds it. */
  heal(): Promise<void>
  close(): Promise<void>
}

export interface StoreFault {
  readonly name: string
  readonly about: string
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** All that was counted is lost with it, or what was counted last. */
  readonly forgets: boolean
  /** Between `lose` and `heal` every key is answered without the store, some are, or it can be asked all the time. */
  readonly lost: 'all' | 'some' | 'none'
  /** Nothing gets better before `heal`. */
  readonly stays: boolean
  start(wants?: FleetWants): Promise<LosableStore>
}

const nothing = async () => {}

/** What may happen to a store, one by one. Of servers with replicas the writes of the last moment may be lost, for replication is not waited for. */
export const storeFaults: readonly StoreFault[] = [
  single('frozen', 'SIGSTOP, then SIGCONT', 'all', (redis) => ({ lose: async () => redis.freeze(), heal: async () => redis.thaw() })),
  single('killed', 'SIGKILL, started again later from its log', 'all', (redis) => ({ lose: () => redis.kill(), heal: () => redis.restart() })),
  {
    ...single(
      'killed-forgets',
      'SIGKILL, started again later without anything',
      'all',
      (redis) => ({ lose: () => redis.kill(), heal: () => redis.restart() }),
      false,
    ),
    forgets: true,
  },
  single('restarted', 'SIGKILL, started again at once from its log', 'some', (redis) => ({ lose: () => restart(redis), heal: nothing })),
  {
    ...single(
      'restarted-forgets',
      'SIGKILL, started again at once without anything',
      'some',
      (redis) => ({ lose: () => restart(redis), heal: nothing }),
      false,
    ),
    forgets: true,
  },
  { ...single('flushed', 'FLUSHALL', 'none', ({ admin }) => ({ lose: async () => void (await admin.flushall()), heal: nothing })), forgets: true },
  single('scripts-flushed', 'SCRIPT FLUSH', 'none', ({ admin }) => ({ lose: async () => void (await admin.script('FLUSH')), heal: nothing })),
  {
    name: 'read-only',
    about: 'another server is the primary now, and the URL still leads to the old one, until that is the primary again',
    kind: 'single',
    forgets: false,
    lost: 'all',
    stays: true,
    async start({ tls } = {}) {
      const redis = await startRedis({ tls })
      const other = await startRedis({ args: ['--replicaof', '127.0.0.1', `${redis.port}`], tls })
      return {
        url: redis.url,
        async lose() {
          await other.admin.replicaof('NO', 'ONE')
          await redis.admin.replicaof('127.0.0.1', other.port)
        },
        heal: async () => void (await redis.admin.replicaof('NO', 'ONE')),
        close: async () => void (await Promise.all([redis.close(), other.close()])),
      }
    },
  },
  watched('failover-ordered', 'SENTINEL FAILOVER: the replica is promoted, the old primary demoted, both running', async ({ sentinels }) => {
    await sentinels[0]?.admin.call('SENTINEL', 'FAILOVER', 'shop')
  }),
  watched('failover-killed', 'the primary gets SIGKILL, Sentinels promote the replica', ({ primary }) => primary.kill()),
  watched('failover-frozen', 'the primary gets SIGSTOP, Sentinels promote the replica', async ({ primary }) => primary.freeze()),
  {
    name: 'slot-moved',
    about: 'slots in use move to another node: asked for there key by key (ASK), then for good (MOVED)',
    kind: 'cluster',
    forgets: false,
    lost: 'none',
    stays: true,
    async start(wants) {
      const fleet = await startCluster(wants)
      const [from, to] = fleet.primaries as [RedisServer, RedisServer]
      let moving: readonly number[] = []
      return {
        url: fleet.url,
        async lose() {
          const keys = await from.admin.keys('sallyport:limit:*')
          const slots = (await Promise.all(keys.map((key) => from.admin.call('CLUSTER', 'KEYSLOT', key)))).map(Number)
          moving = Array.from(new Set(slots)).slice(0, 50)
          for (const slot of moving) await beginMove(slot, from, to)
          // Half of them are at the new node before the slots are.
          for (const key of keys.filter((_, i) => i % 2 === 0 && moving.includes(slots[i] ?? -1)))
            await from.admin.call('MIGRATE', '127.0.0.1', to.port, key, 0, 5000)
        },
        async heal() {
          for (const slot of moving) await endMove(fleet, slot, from, to)
          if (moving.length === 0) throw new Error(`nothing was counted at node ${await nodeId(from)}`)
        },
        close: () => fleet.close(),
      }
    },
  },
  node('node-killed', 'a primary of the Cluster gets SIGKILL, its replica takes over', (primary) => primary.kill()),
  node('node-frozen', 'a primary of the Cluster gets SIGSTOP, its replica takes over', async (primary) => primary.freeze()),
]

async function restart(redis: RedisServer): Promise<void> {
  await redis.kill()
  await redis.restart()
}

type Ways = Pick<LosableStore, 'lose' | 'heal'>

function single(name: string, about: string, lost: StoreFault['lost'], ways: (redis: RedisServer) => Ways, kept = true): StoreFault {
  return {
    name,
    about,
    kind: 'single',
    forgets: false,
    lost,
    stays: lost === 'all',
    async start({ tls } = {}) {
      const redis = await startRedis({ kept, tls })
      return { url: redis.url, ...ways(redis), close: () => redis.close() }
    },
  }
}

function watched(name: string, about: string, lose: (fleet: Awaited<ReturnType<typeof startWatched>>) => Promise<void>): StoreFault {
  return {
    name,
    about,
    kind: 'sentinel',
    forgets: true,
    lost: 'some',
    stays: false,
    async start(wants) {
      const fleet = await startWatched(wants)
      return { url: fleet.url, lose: () => lose(fleet), heal: () => isPromoted(fleet.replica), close: () => fleet.close() }
    },
  }
}

function node(name: string, about: string, lose: (primary: RedisServer) => Promise<void>): StoreFault {
  return {
    name,
    about,
    kind: 'cluster',
    forgets: true,
    lost: 'some',
    stays: false,
    async start(wants) {
      const fleet = await startCluster({ ...wants, replicas: 3 })
      const [primary] = fleet.primaries as [RedisServer]
      return {
        url: fleet.url,
        lose: () => lose(primary),
        // Any of the replicas may have become that of the one that is lost.
        heal: () => Promise.any(fleet.replicas.map(isPromoted)),
        close: () => fleet.close(),
      }
    },
  }
}
