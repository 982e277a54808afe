import { type ApiKeyRecord, readApiKeyFile, readApiKeyRecord } from '../../../model/api-key-record.ts'
import type { ApiKeySet } from '../../../policy/linked/api-keys.ts'
import { Lru } from '../lru.ts'
import type { IdentifyPorts } from '../ports.ts'
import { parseStrictJson } from '../strict-json.ts'
import { Watched } from '../watched.ts'

export type ApiKeyPorts = Pick<IdentifyPorts, 'clock' | 'journal' | 'meter' | 'secrets' | 'shared'>

/** Where the records of one set are looked up. Throws, or rejects, when it cannot be told whether there is such a key. */
export interface ApiKeyStore {
  find(id: string): ApiKeyRecord | undefined | Promise<ApiKeyRecord | undefined>
}

/** Under which a record stands among what replicas share. */
export function sharedKeyOf(set: string, id: string): string {
  return `identify.apiKeys:${set}:${id}`
}

const deepest = 8

/** The record in one text of JSON. @throws Error for anything else. */
export function readStoredKey(text: string): ApiKeyRecord {
  return readApiKeyRecord(parseStrictJson(text, deepest))
}

/** The records in the text of a file. @throws Error for anything else. */
export function readStoredKeys(text: string): ReadonlyMap<string, ApiKeyRecord> {
  return readApiKeyFile(parseStrictJson(text, deepest))
}

/** Opens the store of a set; nothing is read yet. */
export function openApiKeyStore(set: ApiKeySet, ports: ApiKeyPorts): ApiKeyStore {
  const told = storyOf(set.name, ports)
  return set.store.kind === 'file' ? openFile(set, set.store.reference, told, ports) : openShared(set, told, ports)
}

/** A whole file at once. One that cannot be read or understood leaves the keys as they were, without an end: a slip must not lock everybody out. */
function openFile(set: ApiKeySet, reference: string, told: Told, { clock, secrets }: ApiKeyPorts): ApiKeyStore {
  let last: { readonly text: string; readonly keys: ReadonlyMap<string, ApiKeyRecord> } | undefined
  const look = async () => {
    const text = await secrets.read(reference)
    if (text !== last?.text) last = { text, keys: readStoredKeys(text) }
    return last.keys
  }
  const file = new Watched(() => told(look), { refreshMs: set.refreshMs, staleForMs: Number.POSITIVE_INFINITY }, clock)
  return {
    find(id) {
      const keys = file.read()
      return keys instanceof Promise ? keys.then((all) => all.get(id)) : keys.get(id)
    },
  }
}

const knownLimit = 10_000
const unknownLimit = 2000

/**
 * One key at a time. Keys that exist and ids that do not are remembered apart: a flood of made-up ids pushes no real key out.
 */
function openShared(set: ApiKeySet, told: Told, { clock, shared }: ApiKeyPorts): ApiKeyStore {
  type Entry = Watched<ApiKeyRecord | undefined>
  const known = new Lru<Entry>(knownLimit, clock)
  const unknown = new Lru<Entry>(unknownLimit, clock)
  const look = async (id: string) => {
    const text = await shared.get(sharedKeyOf(set.name, id))
    if (text === undefined) return undefined
    const record = readStoredKey(text)
    if (record.id !== id) throw new Error(`the record of ${id} is that of another key`)
    return record
  }
  const sorted = (id: string, entry: Entry, record: ApiKeyRecord | undefined) => {
    if (record === undefined) known.delete(id)
    else {
      known.put(id, entry, set.refreshMs + set.staleForMs)
      unknown.delete(id)
    }
    return record
  }
  return {
    find(id) {
      const kept = known.get(id)
      const entry = kept ?? unknown.get(id) ?? new Watched(() => told(() => look(id)), set, clock)
      if (kept === undefined) unknown.put(id, entry, set.refreshMs)
      const record = entry.read()
      return record instanceof Promise ? record.then((read) => sorted(id, entry, read)) : record
    },
  }
}

type Told = <T>(look: () => Promise<T>) => Promise<T>

/** Looks, counts it, and writes down when looking began to fail and when it worked again. */
function storyOf(set: string, { journal, meter }: ApiKeyPorts): Told {
  let lost = false
  return async (look) => {
    try {
      const found = await look()
      meter.count('sallyport_api_key_reads_total', { set, outcome: 'good' })
      if (lost) journal.write({ event: 'api_keys_back', set })
      lost = false
      return found
    } catch (error) {
      meter.count('sallyport_api_key_reads_total', { set, outcome: 'failed' })
      if (!lost) journal.write({ event: 'api_keys_lost', set, reason: error instanceof Error ? error.message : String(error) })
      lost = true
      throw error
    }
  }
}
