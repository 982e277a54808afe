import type { Certificates } from './certificates.ts'
import { freePort, type RedisServer, startRedis } from './redis.ts'
import { until } from './until.ts'

export interface Fleet {
  readonly url: string
  readonly servers: readonly RedisServer[]
  close(): Promise<void>
}

/** A Cluster: three primaries with all slots between them, in the order of their slots, then as many replicas, each of the primary in its place. */
export interface ClusterFleet extends Fleet {
  readonly primaries: readonly RedisServer[]
  readonly replicas: readonly RedisServer[]
}

/** A primary, a replica, and Sentinels of which most must agree. */
export interface WatchedFleet extends Fleet {
  readonly primary: RedisServer
  readonly replica: RedisServer
  readonly sentinels: readonly RedisServer[]
}

export interface FleetWants {
  readonly tls?: Certificates | undefined
}

/** Without replicas a node that is lost stays lost, and the others serve on. */
export async function startCluster({ tls, replicas: wanted = 0 }: FleetWants & { readonly replicas?: 0 | 3 } = {}): Promise<ClusterFleet> {
  const servers: RedisServer[] = []
  for (let i = 0; i < 3 + wanted; i++) {
    const bus = await freePort()
    const args = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`, '--cluster-node-timeout', '1000', '--cluster-require-full-coverage', 'no']
    servers.push(await startRedis({ args, tls }))
    const [first] = servers
    if (i > 0 && first !== undefined) await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', servers[i]?.port ?? 0, bus)
  }
  const [primaries, replicas] = [servers.slice(0, 3), servers.slice(3)]
  for (const [i, { admin }] of primaries.entries()) await admin.call('CLUSTER', 'ADDSLOTSRANGE', ...(slots[i] ?? []))
  await until(() => Promise.all(servers.map((server) => contains(server, ['CLUSTER', 'INFO'], ['cluster_state:ok', `cluster_known_nodes:${servers.length}`]))))
  for (const [i, { admin }] of replicas.entries()) await admin.call('CLUSTER', 'REPLICATE', await nodeId(primaries[i]))
  await until(() => Promise.all(replicas.map((replica) => contains(replica, ['INFO', 'replication'], ['master_link_status:up']))))
  // Every node must know every replica, or none is voted for.
  if (wanted > 0) await until(() => Promise.all(servers.map((server) => hasReplicas(server, wanted))))
  const nodes = primaries.map(({ port }) => `127.0.0.1:${port}`)
  return { url: `redis${tls === undefined ? '' : 's'}+cluster://${nodes.join(',')}`, servers, primaries, replicas, close: () => closeAll(servers) }
}

const slots = [
  [0, 5460],
  [5461, 10922],
  [10923, 16383],
] as const

/** The id of a node of a Cluster. */
export async function nodeId(server: RedisServer | undefined): Promise<string> {
  return String(await server?.admin.call('CLUSTER', 'MYID'))
}

/** Where a key is: its slot, the primary that had it at the start, and the next one. */
export async function slotOf(
  { primaries }: ClusterFleet,
  key: string,
): Promise<{ readonly slot: number; readonly from: RedisServer; readonly to: RedisServer }> {
  const slot = Number(await primaries[0]?.admin.call('CLUSTER', 'KEYSLOT', key))
  const owner = slots.findIndex(([first, last]) => slot >= first && slot <= last)
  const [from, to] = [primaries[owner], primaries[(owner + 1) % 3]]
  if (from === undefined || to === undefined) throw new Error(`no node for slot ${slot}`)
  return { slot, from, to }
}

/** Begins to move a slot: from now on keys that are not at the old node are asked for at the new one (ASK). */
export async function beginMove(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
  await to.admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await nodeId(from))
  await from.admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await nodeId(to))
}

/** Moves what is in the slot, and says to all primaries whose it is (MOVED). */
export async function endMove({ primaries }: ClusterFleet, slot: number, from: RedisServer, to: RedisServer): Promise<void> {
  for (;;) {
    const keys = (await from.admin.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as readonly string[]
    if (keys.length === 0) break
    await from.admin.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys)
  }
  const owner = await nodeId(to)
  for (const server of [to, from, ...primaries.filter((one) => one !== from && one !== to)]) await server.admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', owner)
}

/** Three Sentinels; the name of what they watch is `shop`. A primary that is silent for half a second is given up. */
export async function startWatched({ tls }: FleetWants = {}): Promise<WatchedFleet> {
  const primary = await startRedis({ tls })
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${primary.port}`], tls })
  await until(() => contains(replica, ['INFO', 'replication'], ['master_link_status:up']))
  const file = [`sentinel monitor shop 127.0.0.1 ${primary.port} 2`, 'sentinel down-after-milliseconds shop 500', 'sentinel failover-timeout shop 3000']
  const sentinels = await Promise.all([0, 1, 2].map(() => startRedis({ file, args: ['--sentinel'], tls })))
  await until(() => Promise.all(sentinels.map(knowsAll)))
  const servers = [primary, replica, ...sentinels]
  const nodes = sentinels.map(({ port }) => `127.0.0.1:${port}`)
  return {
    url: `redis${tls === undefined ? '' : 's'}+sentinel://${nodes.join(',')}/shop`,
    servers,
    primary,
    replica,
    sentinels,
    close: () => closeAll(servers),
  }
}

/** @throws Error until a Sentinel knows the two others and the replica. */
async function knowsAll({ admin }: RedisServer): Promise<void> {
  for (const [what, count] of [
    ['REPLICAS', 1],
    ['SENTINELS', 2],
  ] as const)
    if (((await admin.call('SENTINEL', what, 'shop')) as readonly unknown[]).length !== count) throw new Error(`not all ${what} are seen yet`)
}

/** Waits until a server has become the primary. */
export function isPromoted(server: RedisServer): Promise<void> {
  return until(() => contains(server, ['INFO', 'replication'], ['role:master']))
}

async function contains({ admin }: RedisServer, [command, ...words]: readonly [string, ...string[]], parts: readonly string[]): Promise<void> {
  const said = String(await admin.call(command, ...words))
  for (const part of parts) if (!said.includes(part)) throw new Error(`not yet ${part}`)
}

async function hasReplicas({ admin }: RedisServer, count: number): Promise<void> {
  const nodes = String(await admin.call('CLUSTER', 'NODES'))
  const linked = nodes.split('\n').filter((line) => /\bslave\b/.test(line) && line.includes('connected'))
  if (linked.length !== count) throw new Error('not all replicas are seen yet')
}

async function closeAll(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.close()))
}
