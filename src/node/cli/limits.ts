import { keyForm, readWrittenKey } from '../../core/ingress/limit.ts'
import { capacityOf } from '../../core/model/limit.ts'
import type { Limit, Policy } from '../../core/policy/policy.ts'
import type { Descriptor } from '../../core/ports.ts'
import { type LimitDesk, openLimitDesk } from '../counters.ts'
import { type Arguments, exit, type OptionHelp, policyOptions, UsageError } from './command.ts'
import { redisUrlOf } from './keys.ts'
import { loadSound, placeOf } from './load.ts'
import type { Terminal } from './terminal.ts'

/** Options of every command about what limits have counted. */
export const limitOptions: readonly OptionHelp[] = [
  ...policyOptions,
  { name: 'limit', value: 'NAME', text: 'this limit alone (default: all whose key has these parts)' },
  { name: 'redis', value: 'URL', text: 'the Redis to use (default: $REDIS_URL, else what store.redis names)' },
]

/** A limit and one of its keys. */
export interface Counted {
  readonly limit: Limit
  /** As `explain` prints it. */
  readonly readable: string
  readonly descriptor: Descriptor
}

/** Finds what the command line names, connects, runs and closes. Exit status 1 when the policies, the store or `run` fail. */
export async function withCounted(
  args: Arguments,
  terminal: Terminal,
  run: (counted: readonly Counted[], desk: LimitDesk) => Promise<number>,
): Promise<number> {
  const sound = await loadSound(placeOf(args), terminal)
  if (sound === undefined) return exit.findings
  const counted = countedOf(args, sound.policy)
  try {
    const url = await redisUrlOf(args, sound.policy)
    if (url === undefined) {
      const why = 'limits without Redis are counted in the memory of each gateway, where only a restart resets them, and nobody else can look'
      throw new UsageError(`${why}: name the Redis they are in with --redis URL`)
    }
    const desk = openLimitDesk(url)
    try {
      await desk.ready(5000)
      return await run(counted, desk)
    } finally {
      desk.close()
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    terminal.err(error instanceof Error ? error.message : String(error))
    return exit.findings
  }
}

/** How a key of a limit stands, for machines. */
export async function standingOf({ limit, readable, descriptor }: Counted, desk: LimitDesk) {
  const { fits, remaining, resetMs } = await desk.look(descriptor, Date.now())
  return { limit: limit.name, key: readable, mode: limit.mode, quota: capacityOf(limit), remaining, state: fits ? 'within' : 'over', resetMs }
}

function countedOf(args: Arguments, { limits, issuers, routes }: Policy): readonly Counted[] {
  if (args.positionals.length === 0) throw new UsageError('say which key, as "explain" prints it: issuer=main subject=u1')
  const some = limitsOf(args, limits)
  const counted = some.flatMap((limit): readonly Counted[] => {
    const read = readWrittenKey(limit, args.positionals)
    if (read.kind === 'other') return []
    if (read.kind === 'bad') throw new UsageError(read.problem)
    if (read.key === undefined) throw new UsageError(`${limit.name} does not count requests that lack a part of its key (missing: skip)`)
    checkName(read.parts, 'issuer', Object.keys(issuers))
    const names = routes.map(({ name }) => name)
    checkName(read.parts, 'route', names)
    return [{ limit, readable: read.readable, descriptor: { limit, key: read.key, cost: 1 } }]
  })
  if (counted.length === 0) throw new UsageError(`no limit has such a key; there are: ${some.map((limit) => `${limit.name} (${keyForm(limit)})`).join(', ')}`)
  return counted
}

function limitsOf(args: Arguments, limits: Policy['limits']): readonly Limit[] {
  const name = args.values['limit']
  const all = Object.values(limits)
  if (all.length === 0) throw new UsageError('the policies have no limits')
  const some = name === undefined ? all : all.filter((limit) => limit.name === name)
  if (some.length === 0) throw new UsageError(`there is no limit "${name}": the limits are ${all.map((limit) => limit.name).join(', ')}`)
  return some
}

/** A name that the policies do not have is a slip of the pen: nothing is counted under it. */
function checkName(parts: ReadonlyMap<string, string>, label: 'issuer' | 'route', names: readonly string[]): void {
  const name = parts.get(label) ?? ''
  if (name !== '' && !names.includes(name)) throw new UsageError(`there is no ${label} "${name}": ${names.join(', ') || 'none'}`)
}
