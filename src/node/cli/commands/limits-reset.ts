import type { LimitReset } from '../../counters.ts'
import { type Command, exit, UsageError } from '../command.ts'
import { limitOptions, withLimitKey } from '../limits.ts'
import { whoAmI } from '../who.ts'

export const limitsReset: Command = {
  name: 'limits reset',
  summary: 'Give one key of one limit back all that it has used. Prints the record: who, what, when.',
  usage: 'KEY',
  options: [
    ...limitOptions,
    { name: 'by', value: 'NAME', text: 'who, for the record (default: the user of this process, at this machine)' },
    { name: 'reason', value: 'TEXT', text: 'why, for the record' },
  ],
  examples: [
    'sallyport limits reset issuer=main subject=u1 --limit per-caller --env prod',
    'sallyport limits reset apiKey=qn3gkz5ud2xw7a4c --limit plan --by ada --env prod --json >> resets.ndjson',
    'sallyport limits reset issuer=main subject=u1 --limit per-caller --reason "load test" --admin http://127.0.0.1:9901',
  ],
  run: (args, terminal) =>
    withLimitKey(args, terminal, async (key) => {
      const limits = (await key.standings()).map(({ limit }) => limit)
      const [limit] = limits
      if (limit === undefined || limits.length > 1) throw new UsageError(`say which: --limit ${limits.join('|')}`)
      const record = await key.reset(limit, { by: args.values['by'] ?? whoAmI(), reason: args.values['reason'] })
      // One line, to be appended to a log; also where nobody knows what became of it.
      if (terminal.json) terminal.out(JSON.stringify(record))
      if (record.failed !== undefined) throw new Error(`nobody knows whether ${record.limit} was reset: ${record.failed}`)
      if (!terminal.json) for (const line of linesOf(record, key.where)) terminal.out(line)
      return exit.ok
    }),
}

function linesOf({ time, by, limit, key, quota, remaining_before: before, remaining, found }: LimitReset, where: 'redis' | 'gateway'): readonly string[] {
  const after = remaining === undefined ? '' : `, ${remaining} of ${quota} left`
  const now = `${time} limit_reset by ${by}: ${limit} of ${key}, ${before} before${after}${found === true ? '' : '; nothing was counted'}`
  const who = where === 'redis' ? 'A gateway' : 'Another gateway with the same store'
  return [now, `${who} that just refused this key asks again within 10 s; places of requests under way stay taken, or are again within 10 s.`]
}
