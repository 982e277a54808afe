import { addRevocations, listRevocations } from '../../../core/ingress/identify.ts'
import type { Revocation } from '../../../core/model/revocation.ts'
import type { Issuer } from '../../../core/policy/linked/issuers.ts'
import type { Policy } from '../../../core/policy/policy.ts'
import { createClock } from '../../clock.ts'
import { createRandom } from '../../random.ts'
import { createRedisShared } from '../../redis-shared.ts'
import { type Arguments, type Command, exit, policyOptions, UsageError } from '../command.ts'
import { isoTime, momentOf, redisUrlOf } from '../keys.ts'
import { loadSound, placeOf } from '../load.ts'
import { table } from '../terminal.ts'

export const revoke: Command = {
  name: 'revoke',
  summary: 'Take back tokens before their time: one by its id, or all of a subject or a client that were issued so far.',
  usage: '--jti ID | --subject NAME | --client ID | --list',
  options: [
    ...policyOptions,
    { name: 'issuer', value: 'NAME', text: 'whose tokens (default: the only issuer with revocation)' },
    { name: 'jti', value: 'ID', multiple: true, text: 'the token of this id (repeat)' },
    { name: 'subject', value: 'NAME', multiple: true, text: 'all tokens of this subject (repeat)' },
    { name: 'client', value: 'ID', multiple: true, text: 'all tokens of this client (repeat)' },
    { name: 'before', value: 'TIME', text: 'of a subject or a client: those issued no later than this (default: now)' },
    { name: 'expires', value: 'WHEN', text: 'of --jti: when the token ends (default: as late as the issuer lets any end)' },
    { name: 'list', text: 'print what is taken back now' },
    { name: 'redis', value: 'URL', text: 'the Redis to use (default: $REDIS_URL, else what store.redis names)' },
  ],
  examples: [
    'sallyport revoke --issuer main --jti 3f0c9a --env prod',
    'sallyport revoke --issuer main --subject ada --before 2027-01-31T12:00:00Z --env prod',
    'sallyport revoke --issuer main --list --env prod --json',
  ],
  async run(args, terminal) {
    const sound = await loadSound(placeOf(args), terminal)
    if (sound === undefined) return exit.findings
    const issuer = issuerOf(args, sound.policy)
    const clock = createClock()
    const fresh = entriesOf(args, issuer, Math.floor(clock.now() / 1000))
    const url = await redisUrlOf(args, sound.policy)
    if (url === undefined) throw new UsageError('revocations are in Redis, and none is named: --redis URL')
    const shared = createRedisShared(url)
    try {
      await shared.ready(5000)
      if (fresh.length > 0) await addRevocations(issuer.name, fresh, { clock, random: createRandom(), shared })
      const list = fresh.length > 0 ? fresh : await listRevocations(issuer.name, { shared })
      const rows = list.map(({ kind, value, before, until }) => ({ kind, value, before: kind === 'jti' ? undefined : isoTime(before), until: isoTime(until) }))
      const seenWithinMs = issuer.revocation?.refreshMs ?? 0
      if (terminal.json) terminal.out(JSON.stringify({ issuer: issuer.name, seenWithinMs, revocations: rows }, null, 2))
      else if (rows.length === 0) terminal.out(`nothing of ${issuer.name} is taken back`)
      else {
        terminal.out(table(rows.map(({ kind, value, before, until }) => [kind, value, before === undefined ? '' : `issued by ${before}`, `until ${until}`])))
        if (fresh.length > 0) terminal.out(`Taken back; gateways see it within ${seenWithinMs / 1000} s.`)
      }
      return exit.ok
    } catch (error) {
      terminal.err(error instanceof Error ? error.message : String(error))
      return exit.findings
    } finally {
      await shared.close()
    }
  },
}

function issuerOf(args: Arguments, { issuers }: Policy): Issuer {
  const able = Object.values(issuers).filter(({ revocation }) => revocation !== undefined)
  if (able.length === 0) throw new UsageError('no issuer of the policies lets tokens be taken back: add revocation: {} to one')
  const said = args.values['issuer']
  const found = said === undefined ? (able.length === 1 ? able[0] : undefined) : able.find(({ name }) => name === said)
  if (found === undefined) throw new UsageError(`say whose tokens: --issuer ${able.map(({ name }) => name).join('|')}`)
  return found
}

function entriesOf(args: Arguments, issuer: Issuer, now: number): readonly Revocation[] {
  const said = (name: string) => args.lists[name] ?? []
  const wholes = [...said('subject').map((value) => ['subject', value] as const), ...said('client').map((value) => ['client', value] as const)]
  if (args.flags.has('list') !== (wholes.length + said('jti').length === 0)) throw new UsageError('say what: --jti, --subject or --client; or --list')
  for (const value of [...said('jti'), ...said('subject'), ...said('client')]) if (value === '') throw new UsageError('an empty name takes back nothing')
  const before = momentOf(args, 'before', now) ?? now
  if (wholes.length === 0 && args.values['before'] !== undefined) throw new UsageError('--before goes with --subject or --client')
  if (said('jti').length === 0 && args.values['expires'] !== undefined) throw new UsageError('--expires goes with --jti')
  if (before > now) throw new UsageError('--before is in the future: tokens that are not issued yet cannot be taken back')
  const expires = momentOf(args, 'expires', now)
  if (expires !== undefined && expires <= now) throw new UsageError('--expires is over: so is the token')
  // A token without `iat` may be issued before, and last as long as any from now on.
  const longest = Math.ceil((issuer.maxLifetimeMs + 2 * issuer.clockSkewMs) / 1000)
  return [
    ...said('jti').map(
      (value): Revocation => ({
        kind: 'jti',
        value,
        before: 0,
        until: (expires ?? now) + (expires === undefined ? longest : Math.ceil(issuer.clockSkewMs / 1000)),
      }),
    ),
    ...wholes.map(([kind, value]): Revocation => ({ kind, value, before, until: now + longest })),
  ]
}
