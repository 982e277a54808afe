import { apiKeyObstacle } from '../../../core/model/api-key-record.ts'
import { parseDuration } from '../../../core/policy/units.ts'
import { type Command, exit, UsageError } from '../command.ts'
import { isoTime, keyOf, keyOptions, momentOf, viewOf, withSet } from '../keys.ts'
import { newKey, printKey } from '../new-key.ts'

export const keysRotate: Command = {
  name: 'keys rotate',
  summary: 'Make a key that takes the place of another, and print it, once; both are good for a while.',
  usage: 'ID',
  options: [
    ...keyOptions,
    { name: 'overlap', value: 'DURATION', text: 'how long the old key stays good (default: 24h; 0s ends it now)' },
    { name: 'expires', value: 'WHEN', text: 'when the new key ends (default: as long after its making as the old one did)' },
  ],
  examples: ['sallyport keys rotate qn3gkz5ud2xw7a4c --overlap 7d --set partners --env prod > acme.key'],
  run: (args, terminal) => {
    const overlapMs = parseDuration(args.values['overlap'] ?? '24h')
    if (overlapMs === undefined) throw new UsageError('--overlap is a duration, such as 24h or 7d')
    return withSet(args, terminal, async (open) => {
      const { set, store, now } = open
      const old = await keyOf(args, open)
      const obstacle = apiKeyObstacle(old, now * 1000)
      if (obstacle !== undefined) throw new Error(`the key ${old.id} is ${obstacle}: make a new one with "keys create"`)
      if (old.rotatedTo !== undefined) throw new Error(`the key ${old.id} was rotated already, to ${old.rotatedTo}`)
      const { id: _, hash: __, ...facts } = old
      const expires = momentOf(args, 'expires', now) ?? (old.expires === undefined ? undefined : now + (old.expires - old.created))
      if (expires !== undefined && expires <= now) throw new UsageError('--expires: the key would be over before it begins')
      const { text, record } = newKey({ ...facts, created: now, notBefore: undefined, expires })
      const ends = Math.min(old.expires ?? Number.POSITIVE_INFINITY, now + Math.floor(overlapMs / 1000))
      await store.change([
        { before: old, after: { ...old, rotatedTo: record.id, expires: ends } },
        { before: undefined, after: record },
      ])
      const said = { set: set.name, ...viewOf(record, now), replaces: old.id, replacedUntil: isoTime(ends) }
      printKey(terminal, text, said, `Made the key ${record.id} of ${record.owner}; ${old.id} stays good until ${isoTime(ends)}.`)
      return exit.ok
    })
  },
}
