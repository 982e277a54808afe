import { type ApiKeyRecord, apiKeyObstacle } from '../../core/model/api-key-record.ts'
import type { ApiKeySet } from '../../core/policy/linked/api-keys.ts'
import type { Policy } from '../../core/policy/policy.ts'
import { parseDuration } from '../../core/policy/units.ts'
import type { KeyStore } from '../api-keys/key-store.ts'
import { openKeyStore } from '../api-keys.ts'
import { createSecrets } from '../secrets.ts'
import { type Arguments, exit, type OptionHelp, policyOptions, UsageError } from './command.ts'
import { loadSound, placeOf } from './load.ts'
import type { Terminal } from './terminal.ts'

/** Options of every command about keys. */
export const keyOptions: readonly OptionHelp[] = [
  ...policyOptions,
  { name: 'set', value: 'NAME', text: 'the set of API keys (default: the only one under apiKeys)' },
  { name: 'redis', value: 'URL', text: 'the Redis to use (default: $REDIS_URL, else what store.redis names)' },
]

/** What a command about keys works on. */
export interface OpenSet {
  readonly set: ApiKeySet
  readonly store: KeyStore
  /** Whole seconds since the epoch. */
  readonly now: number
}

/** Opens the set that the command line names, runs, and closes. Exit status 1 when the policies, the store or `run` fail. */
export async function withSet(args: Arguments, terminal: Terminal, run: (open: OpenSet) => Promise<number>): Promise<number> {
  const sound = await loadSound(placeOf(args), terminal)
  if (sound === undefined) return exit.findings
  const set = setOf(args, sound.policy)
  try {
    const store = await openKeyStore(set, set.store.kind === 'redis' ? await redisUrlOf(args, sound.policy) : undefined)
    try {
      return await run({ set, store, now: Math.floor(Date.now() / 1000) })
    } finally {
      store.close()
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    terminal.err(error instanceof Error ? error.message : String(error))
    return exit.findings
  }
}

/** The Redis of a command: what is said takes the place of the policies' own, as it does for the gateway. */
export async function redisUrlOf(args: Arguments, policy: Policy): Promise<string | undefined> {
  const said = args.values['redis'] ?? (process.env['REDIS_URL'] === '' ? undefined : process.env['REDIS_URL'])
  return said ?? (policy.store.redis === undefined ? undefined : await createSecrets(process.env).read(policy.store.redis))
}

function setOf(args: Arguments, { apiKeys }: Policy): ApiKeySet {
  const names = Object.keys(apiKeys)
  const name = args.values['set'] ?? (names.length === 1 ? names[0] : undefined)
  if (names.length === 0) throw new UsageError('the policies have no API keys: add a set under apiKeys')
  if (name === undefined) throw new UsageError(`say which keys: --set ${names.join('|')}`)
  const set = apiKeys[name]
  if (set === undefined) throw new UsageError(`there are no API keys "${name}": the sets are ${names.join(', ')}`)
  return set
}

/** The record of the id that the command line names. @throws UsageError when it names none; Error when there is no such key. */
export async function keyOf(args: Arguments, { store, set }: OpenSet): Promise<ApiKeyRecord> {
  const [said] = args.positionals
  if (said === undefined) throw new UsageError('say which key: its ID, as "keys list" prints it')
  // Whoever pastes a whole key means its id; the rest of it goes nowhere.
  const id = /^spk_([a-z2-7]{16})_/.exec(said)?.[1] ?? said
  const record = (await store.list()).find((one) => one.id === id)
  if (record === undefined) throw new Error(`${set.name} has no key ${/^[a-z2-7]{1,16}$/.test(id) ? id : 'of this id'}`)
  return record
}

/** A moment: a duration from now (`90d`), or a date (`2027-01-31`, `2027-01-31T12:00:00Z`). Whole seconds. */
export function momentOf(args: Arguments, name: string, now: number): number | undefined {
  const text = args.values[name]
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms !== undefined) return now + Math.floor(ms / 1000)
  const time = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw new UsageError(`--${name} is "${text}": write a duration from now (90d) or a time (2027-01-31T12:00:00Z)`)
  return Math.floor(time / 1000)
}

/** What may be seen of a key: everything but its hash, times for people. */
export function viewOf(record: ApiKeyRecord, now: number) {
  const { hash: _, created, notBefore, expires, revoked, ...rest } = record
  const obstacle = apiKeyObstacle(record, now * 1000)
  return { ...rest, state: obstacle ?? 'good', created: isoTime(created), notBefore: isoTime(notBefore), expires: isoTime(expires), revoked: isoTime(revoked) }
}

export function isoTime(seconds: number): string
export function isoTime(seconds: number | undefined): string | undefined
export function isoTime(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000).toISOString().replace('.000', '')
}
