import type { Secrets } from '../../core/ports.ts'
import { askVault, asObject, VaultAway, VaultRefused } from './api.ts'
import { type VaultPorts, VaultSession } from './session.ts'
import type { VaultSettings } from './settings.ts'

interface Place {
  readonly mount: string
  readonly path: string
  readonly version: string | undefined
  readonly field: string
}

/** A secret as it was last read: all its fields, of one version. */
interface Kept {
  readonly fields: ReadonlyMap<string, unknown>
  readonly readAt: number
}

interface Entry {
  kept: Kept | undefined
  asking: Promise<Kept> | undefined
  /** Why there was no answer, or no secret; Vault is not asked again before. */
  failure: { readonly error: unknown; readonly until: number; readonly waitMs: number } | undefined
}

const firstWaitMs = 1_000
const longestWaitMs = 30_000
/** Secrets that are kept; policies name fewer. */
const most = 1_000

/** `vault:MOUNT/PATH[?version=N]#FIELD`; undefined for anything else. */
export function parseVaultReference(reference: string): Place | undefined {
  const [, mount, path, version, field] = /^vault:([A-Za-z0-9_-]+)\/([^?#]+)(?:\?version=([1-9]\d{0,8}))?#([A-Za-z0-9_.-]+)$/.exec(reference) ?? []
  if (mount === undefined || path === undefined || field === undefined) return undefined
  // A dot segment would be another path to whoever resolves it.
  if (!path.split('/').every((segment) => /^[A-Za-z0-9_.-]+$/.test(segment) && !/^\.+$/.test(segment))) return undefined
  return { mount, path, version, field }
}

/**
 * Secrets of HashiCorp Vault's KV version 2. A value is used for `refreshMs`; then it is asked for in the background, and waited for when it is twice as
 * old. While Vault is away the last good one goes on for `staleMs`; what Vault denies or no longer has ends at once. One request per secret is under way
 * at a time, and fields of one secret are of one version.
 */
export function createVault(settings: VaultSettings, ports: VaultPorts): Secrets {
  const session = new VaultSession(settings, ports)
  const entries = new Map<string, Entry>()
  const { clock } = ports

  async function ask({ mount, path, version }: Place): Promise<Kept> {
    const readAt = clock.ticks()
    const read = (token: string) =>
      askVault(settings, ports.fetch, { method: 'GET', path: `${mount}/data/${path}${version === undefined ? '' : `?version=${version}`}`, token })
    const token = await session.token()
    const answer = await read(token).catch(async (error: unknown) => {
      if (!(error instanceof VaultRefused) || error.status !== 403) throw error
      // It may be the token that is refused: a new one is worth one more try.
      session.forget(token)
      const other = await session.token()
      if (other === token) throw error
      return read(other)
    })
    const { data } = asObject(answer['data'])
    if (typeof data !== 'object' || data === null) throw new VaultRefused('this is no secret of a KV version 2 engine', 200)
    return { fields: new Map(Object.entries(data)), readAt }
  }

  function refresh(entry: Entry, place: Place): Promise<Kept> {
    entry.asking ??= renew(entry, place).finally(() => {
      entry.asking = undefined
    })
    return entry.asking
  }

  async function renew(entry: Entry, place: Place): Promise<Kept> {
    try {
      entry.kept = await ask(place)
      entry.failure = undefined
      return entry.kept
    } catch (error) {
      if (!(error instanceof VaultAway)) entry.kept = undefined
      const waitMs = Math.min(longestWaitMs, entry.failure === undefined ? firstWaitMs : entry.failure.waitMs * 2)
      entry.failure = { error, until: clock.ticks() + waitMs, waitMs }
      throw error
    }
  }

  async function current(entry: Entry, place: Place): Promise<Kept> {
    const age = entry.kept === undefined ? Number.POSITIVE_INFINITY : clock.ticks() - entry.kept.readAt
    if (entry.kept !== undefined && age < settings.refreshMs) return entry.kept
    const pauses = entry.failure !== undefined && clock.ticks() < entry.failure.until
    if (entry.kept !== undefined && (age < settings.refreshMs * 2 || pauses) && age < settings.staleMs) {
      // A failure is remembered in the entry, and the value at hand still serves.
      if (!pauses) refresh(entry, place).catch(() => {})
      return entry.kept
    }
    try {
      if (entry.failure !== undefined && pauses) throw entry.failure.error
      return await refresh(entry, place)
    } catch (error) {
      if (error instanceof VaultAway && entry.kept !== undefined && age < settings.staleMs) return entry.kept
      throw error
    }
  }

  return {
    async read(reference) {
      const place = parseVaultReference(reference)
      if (place === undefined) throw new Error(`${reference.slice(0, 6)} is not a reference such as vault:kv/pay#key`)
      const key = JSON.stringify([place.mount, place.path, place.version])
      const entry: Entry = entries.get(key) ?? { kept: undefined, asking: undefined, failure: undefined }
      entries.delete(key)
      entries.set(key, entry)
      for (const oldest of entries.keys()) {
        if (entries.size <= most) break
        entries.delete(oldest)
      }
      const kept = await current(entry, place).catch((error: unknown) => {
        throw new Error(`${reference}: ${error instanceof Error ? error.message : 'cannot be read'}`, { cause: error })
      })
      const value = kept.fields.get(place.field)
      if (value === undefined) throw new Error(`${reference}: the secret has no such field`)
      if (typeof value !== 'string') throw new Error(`${reference}: this field is no text`)
      return value
    },
  }
}
