import { type Command, exit } from '../command.ts'
import { limitOptions, withLimitKey } from '../limits.ts'
import { table } from '../terminal.ts'

export const limitsShow: Command = {
  name: 'limits show',
  summary: 'Show what is left of limits for one key, as Redis or a gateway counts it now.',
  usage: 'KEY',
  options: limitOptions,
  examples: [
    'sallyport limits show issuer=main subject=u1 --env prod',
    'sallyport limits show client.network=2001:db8::/64 --limit flood --env prod --json',
    'sallyport limits show issuer=main subject=u1 --admin http://127.0.0.1:9901',
  ],
  run: (args, terminal) =>
    withLimitKey(args, terminal, async (key) => {
      const standings = await key.standings()
      if (terminal.json) terminal.out(JSON.stringify({ limits: standings }, null, 2))
      else {
        const rows = standings.map(({ limit, key, mode, quota, remaining, state, resetMs }) => {
          const wait = resetMs === 0 ? '' : state === 'over' ? `one more in ${secondsOf(resetMs)}` : `all back in ${secondsOf(resetMs)}`
          return [limit, key, `${remaining} of ${quota} left`, state === 'over' && mode === 'audit' ? 'over (audit)' : state, wait]
        })
        terminal.out(table(rows))
      }
      return exit.ok
    }),
}

function secondsOf(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`
}
