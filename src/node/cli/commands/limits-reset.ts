import { type Command, exit, UsageError } from '../command.ts'
import { isoTime } from '../keys.ts'
import { limitOptions, standingOf, withCounted } from '../limits.ts'
import { whoAmI } from '../who.ts'

export const limitsReset: Command = {
  name: 'limits reset',
  summary: 'Give one key of one limit back all that it has used, in Redis. Prints the record: who, what, when.',
  usage: 'KEY',
  options: [...limitOptions, { name: 'by', value: 'NAME', text: 'who, for the record (default: the user of this process, at this machine)' }],
  examples: [
    'sallyport limits reset issuer=main subject=u1 --limit per-caller --env prod',
    'sallyport limits reset apiKey=qn3gkz5ud2xw7a4c --limit plan --by ada --env prod --json >> resets.ndjson',
  ],
  run: (args, terminal) =>
    withCounted(args, terminal, async (counted, desk) => {
      const [one] = counted
      if (one === undefined || counted.length > 1) throw new UsageError(`say which: --limit ${counted.map(({ limit }) => limit.name).join('|')}`)
      const before = await standingOf(one, desk)
      const found = await desk.forget(one.descriptor)
      const after = await standingOf(one, desk)
      const time = isoTime(Math.floor(Date.now() / 1000))
      const by = args.values['by'] ?? whoAmI()
      const { limit, key, quota } = before
      const record = { time, event: 'limit_reset', by, limit, key, found, quota, remainingBefore: before.remaining, remaining: after.remaining }
      // One line, to be appended to a log.
      if (terminal.json) terminal.out(JSON.stringify(record))
      else {
        terminal.out(
          `${time} limit_reset by ${by}: ${limit} of ${key}, ${before.remaining} before, ${after.remaining} of ${quota} left${found ? '' : '; nothing was counted'}`,
        )
        terminal.out(
          one.limit.algorithm.kind === 'concurrency'
            ? 'Places of requests under way are taken again within 10 s; those of gateways that died are free.'
            : 'A gateway that just refused this key asks again within 10 s.',
        )
      }
      return exit.ok
    }),
}
