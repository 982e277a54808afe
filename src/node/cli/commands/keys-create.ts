import { type ApiKeyRecord, isName, isScope, readApiKeyRecord } from '../../../core/model/api-key-record.ts'
import type { ApiKeySet } from '../../../core/policy/linked/api-keys.ts'
import { type Arguments, type Command, exit, UsageError } from '../command.ts'
import { isoTime, keyOptions, momentOf, viewOf, withSet } from '../keys.ts'
import { newKey, printKey } from '../new-key.ts'

export const keysCreate: Command = {
  name: 'keys create',
  summary: 'Make an API key and print it, once; only its hash is kept.',
  usage: '--owner NAME',
  options: [
    ...keyOptions,
    { name: 'owner', value: 'NAME', text: 'who holds it: the subject in rules, limits and records' },
    { name: 'scopes', value: '"A B"', text: 'what it may: scopes, with blanks between' },
    { name: 'client', value: 'ID', text: 'its client id' },
    { name: 'claims', value: 'JSON', text: 'further claims, such as {"tenant":"red"}' },
    { name: 'expires', value: 'WHEN', text: 'a duration from now (90d) or a time (2027-01-31T12:00:00Z); without it, it never does' },
    { name: 'not-before', value: 'WHEN', text: 'it is not accepted before this' },
    { name: 'note', value: 'TEXT', text: 'a line for the operators' },
  ],
  examples: ['sallyport keys create --set partners --owner acme --scopes "orders:read orders:write" --expires 90d --env prod > acme.key'],
  run: (args, terminal) => {
    const { owner } = args.values
    if (owner === undefined) throw new UsageError('say whose key it is: --owner NAME')
    return withSet(args, terminal, async ({ set, store, now }) => {
      const { text, record } = newKey(factsOf(args, owner, set, now))
      await store.change([{ before: undefined, after: record }])
      const until = record.expires === undefined ? 'without an end' : `until ${isoTime(record.expires)}`
      printKey(terminal, text, { set: set.name, ...viewOf(record, now) }, `Made the key ${record.id} of ${owner} in ${set.name}, good ${until}.`)
      return exit.ok
    })
  },
}

function factsOf(args: Arguments, owner: string, set: ApiKeySet, now: number): Omit<ApiKeyRecord, 'id' | 'hash'> {
  const { client: clientId, note } = args.values
  for (const [name, text] of Object.entries({ owner, client: clientId, note }))
    if (text !== undefined && !isName(text)) throw new UsageError(`--${name} is no printable text of at most 255 characters`)
  const [notBefore, expires] = [momentOf(args, 'not-before', now), momentOf(args, 'expires', now)]
  if (expires !== undefined && expires <= Math.max(now, notBefore ?? now)) throw new UsageError('--expires: the key would be over before it begins')
  const facts = { owner, clientId, scopes: scopesOf(args, set), claims: claimsOf(args), created: now, notBefore, expires, note }
  return { ...facts, revoked: undefined, rotatedTo: undefined }
}

function scopesOf(args: Arguments, set: ApiKeySet): readonly string[] {
  const scopes = [...new Set((args.values['scopes'] ?? '').split(' ').filter((scope) => scope !== ''))]
  const bad = scopes.find((scope) => !isScope(scope))
  if (bad !== undefined) throw new UsageError(`--scopes: "${bad}" is no scope`)
  const beyond = scopes.filter((scope) => set.scopes !== undefined && !set.scopes.includes(scope))
  if (beyond.length > 0) throw new UsageError(`--scopes: keys of ${set.name} never have ${beyond.join(', ')} (apiKeys.${set.name}.scopes)`)
  return scopes
}

function claimsOf(args: Arguments): Readonly<Record<string, unknown>> {
  const text = args.values['claims']
  if (text === undefined) return {}
  try {
    // Read as the gateway will read it.
    return readApiKeyRecord({ id: 'a'.repeat(16), hash: '0'.repeat(64), owner: 'x', created: 0, claims: JSON.parse(text) }).claims
  } catch (error) {
    throw new UsageError('--claims is not a JSON object', { cause: error })
  }
}
