import { formatAuthority } from '../../core/net.ts'
import type { Address } from '../../core/policy/linked/listeners.ts'
import type { Policy } from '../../core/policy/policy.ts'
import { type Counted, countedIn, KeyProblem, resetOf, standingOf } from '../counters.ts'
import { type LimitDesk, openLimitDesk } from '../redis-counters.ts'
import { createGatewayDesk } from './ask-gateway.ts'
import { type Arguments, exit, type OptionHelp, policyOptions, UsageError } from './command.ts'
import { redisUrlOf } from './keys.ts'
import type { LimitKey } from './limit-key.ts'
import { loadSound, placeOf } from './load.ts'
import type { Terminal } from './terminal.ts'

/** Options of every command about what limits have counted. */
export const limitOptions: readonly OptionHelp[] = [
  ...policyOptions,
  { name: 'limit', value: 'NAME', text: 'this limit alone (default: all whose key has these parts)' },
  { name: 'redis', value: 'URL', text: 'the Redis to look in (default: $REDIS_URL, else what store.redis names)' },
  { name: 'admin', value: 'URL', text: 'the gateway to ask, by its admin listener and its policies (default, without any Redis: where listeners.admin is)' },
]

/** Finds what the command line names, connects, runs and closes. Exit status 1 when the policies, the store, the gateway or `run` fail. */
export async function withLimitKey(args: Arguments, terminal: Terminal, run: (key: LimitKey) => Promise<number>): Promise<number> {
  const { admin, limit } = args.values
  try {
    if (admin !== undefined) {
      const other = ['redis', 'env', 'policies'].find((name) => args.values[name] !== undefined)
      if (other !== undefined) throw new UsageError(`--admin asks a gateway, which counts and reads keys as its own policies say: leave out --${other}`)
      return await run(createGatewayDesk(originOf(admin), args.positionals, limit))
    }
    const sound = await loadSound(placeOf(args), terminal)
    if (sound === undefined) return exit.findings
    const counted = countedIn(sound.policy, args.positionals, limit)
    const url = await redisUrlOf(args, sound.policy)
    return await (url === undefined
      ? run(createGatewayDesk(adminOf(sound.policy), args.positionals, limit))
      : inRedis(url, sound.policy.environment, counted, run))
  } catch (error) {
    if (error instanceof KeyProblem) throw new UsageError(error.message)
    if (error instanceof UsageError) throw error
    terminal.err(error instanceof Error ? error.message : String(error))
    return exit.findings
  }
}

async function inRedis(url: string, environment: string, counted: readonly Counted[], run: (key: LimitKey) => Promise<number>): Promise<number> {
  const desk = openLimitDesk(url, environment)
  try {
    await desk.ready(5000)
    return await run(redisKey(counted, desk))
  } finally {
    desk.close()
  }
}

function redisKey(counted: readonly Counted[], desk: LimitDesk): LimitKey {
  return {
    where: 'redis',
    standings: () => Promise.all(counted.map((one) => standingOf(one, desk))),
    async reset(limit, who) {
      const one = counted.find((other) => other.limit.name === limit)
      if (one === undefined) throw new Error(`${limit} has no such key`)
      return resetOf(one, desk, who, Date.now())
    },
  }
}

/** Without Redis the gateway alone knows. */
function adminOf({ listeners: { admin } }: Policy): string {
  const why = 'limits without Redis are counted in the memory of the gateway'
  if (admin === undefined)
    throw new UsageError(`${why}, and the policies have no admin listener to ask it at: name one with --admin URL, or the Redis with --redis URL`)
  if (admin.address.port === 0) throw new UsageError(`${why}, and its admin listener takes any port: name it with --admin URL`)
  return `http://${reachable(admin.address)}`
}

/** Bound to all addresses, it is here too. */
function reachable({ host, port }: Address): string {
  return formatAuthority(host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port)
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.pathname === '/' && url.search === '' && url.hash === ''
  if (!isOrigin) throw new UsageError('--admin is where an admin listener is, such as http://127.0.0.1:9901')
  return url.origin
}
