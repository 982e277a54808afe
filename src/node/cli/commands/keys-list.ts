import { type Command, exit } from '../command.ts'
import { keyOptions, viewOf, withSet } from '../keys.ts'
import { table } from '../terminal.ts'

export const keysList: Command = {
  name: 'keys list',
  summary: 'List the API keys of a set: whose they are, what they may, until when.',
  usage: '',
  options: [...keyOptions, { name: 'owner', value: 'NAME', text: 'of this owner alone' }],
  examples: ['sallyport keys list --set partners --env prod', 'sallyport keys list --owner acme --env prod --json'],
  run: (args, terminal) =>
    withSet(args, terminal, async ({ set, store, now }) => {
      const { owner } = args.values
      const keys = (await store.list())
        .filter((key) => owner === undefined || key.owner === owner)
        .sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1))
        .map((key) => viewOf(key, now))
      if (terminal.json) terminal.out(JSON.stringify({ set: set.name, keys }, null, 2))
      else if (keys.length === 0) terminal.out(`${set.name} has no keys`)
      else {
        const head = ['id', 'owner', 'state', 'expires', 'scopes'].map((cell) => terminal.style('bold', cell))
        terminal.out(table([head, ...keys.map(({ id, owner: of, state, expires, scopes }) => [id, of, state, expires ?? 'never', scopes.join(' ')])]))
      }
      return exit.ok
    }),
}
