import { type Command, exit } from '../command.ts'
import { keyOf, keyOptions, viewOf, withSet } from '../keys.ts'

export const keysRevoke: Command = {
  name: 'keys revoke',
  summary: 'End an API key now: every gateway refuses it as soon as it looks again (apiKeys.NAME.refresh).',
  usage: 'ID',
  options: keyOptions,
  examples: ['sallyport keys revoke qn3gkz5ud2xw7a4c --set partners --env prod'],
  run: (args, terminal) =>
    withSet(args, terminal, async (open) => {
      const { set, store, now } = open
      const key = await keyOf(args, open)
      const revoked = key.revoked === undefined ? { ...key, revoked: now } : key
      if (revoked !== key) await store.change([{ before: key, after: revoked }])
      const view = { set: set.name, ...viewOf(revoked, now), seenWithinMs: set.refreshMs }
      if (terminal.json) terminal.out(JSON.stringify(view, null, 2))
      else terminal.out(`${key.id} of ${key.owner} is revoked since ${view.revoked}; gateways see it within ${set.refreshMs / 1000} s`)
      return exit.ok
    }),
}
