import { type Command, exit } from '../command.ts'
import { keyOf, keyOptions, viewOf, withSet } from '../keys.ts'
import { table } from '../terminal.ts'

export const keysShow: Command = {
  name: 'keys show',
  summary: 'Show what is kept of one API key. The key itself is not.',
  usage: 'ID',
  options: keyOptions,
  examples: ['sallyport keys show qn3gkz5ud2xw7a4c --set partners --env prod'],
  run: (args, terminal) =>
    withSet(args, terminal, async (open) => {
      const view = { set: open.set.name, ...viewOf(await keyOf(args, open), open.now) }
      if (terminal.json) terminal.out(JSON.stringify(view, null, 2))
      else
        terminal.out(
          table(
            Object.entries(view).flatMap(([name, value]) =>
              value === undefined ? [] : [[terminal.style('bold', name), typeof value === 'string' ? value : JSON.stringify(value)]],
            ),
          ),
        )
      return exit.ok
    }),
}
