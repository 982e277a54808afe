import { isApiKeyId } from './api-key.ts'

/** What is kept of an API key. Times in whole seconds since the epoch, as in tokens (RFC 7519 section 2, NumericDate). */
export interface ApiKeyRecord {
  readonly id: string
  /**
   * Lower-case hex SHA-256 of the key's text. No salt and no slow hash: 200 random bits cannot be guessed, so there is nothing that either
   * would slow down.
   */
  readonly hash: string
  /** Who holds it: the subject of the principal. */
  readonly owner: string
  readonly clientId: string | undefined
  readonly scopes: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
  readonly created: number
  readonly notBefore: number | undefined
  readonly expires: number | undefined
  /** Since when it is no longer accepted. */
  readonly revoked: number | undefined
  /** Id of the key that takes its place; it is good until `expires` beside it. */
  readonly rotatedTo: string | undefined
  readonly note: string | undefined
}

/** Why a key is not accepted now, for the record; undefined when it is. `now` in milliseconds since the epoch. */
export function apiKeyObstacle({ notBefore, expires, revoked, rotatedTo }: ApiKeyRecord, now: number): string | undefined {
  if (revoked !== undefined) return 'revoked'
  if (notBefore !== undefined && now < notBefore * 1000) return 'not valid yet'
  if (expires !== undefined && now >= expires * 1000) return rotatedTo === undefined ? 'expired' : 'expired: another took its place'
  return undefined
}

/** @throws Error with a sentence about what is wrong with a record that was read as JSON. */
export function readApiKeyRecord(value: unknown): ApiKeyRecord {
  if (!isObject(value)) throw new Error('a key is not an object')
  const stranger = Object.keys(value).find((name) => !members.has(name))
  if (stranger !== undefined) throw new Error(`a key has the unknown member "${stranger.slice(0, 40)}"`)
  const id = value['id']
  if (typeof id !== 'string' || !isApiKeyId(id)) throw new Error('a key has no proper id')
  const at = (problem: string): never => {
    throw new Error(`the key ${id} ${problem}`)
  }
  const text = (name: string): string | undefined => {
    const said = value[name]
    return said === undefined || (typeof said === 'string' && isName(said)) ? said : at(`has a "${name}" that is no printable text of at most 255 characters`)
  }
  const time = (name: string): number | undefined => {
    const said = value[name]
    return said === undefined || (typeof said === 'number' && Number.isSafeInteger(said) && said >= 0 && said < 2 ** 40)
      ? said
      : at(`has a "${name}" that is no whole number of seconds`)
  }
  const { hash, scopes = [], claims = {} } = value
  return {
    id,
    hash: typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) ? hash : at('has no SHA-256 as its "hash"'),
    owner: text('owner') ?? at('has no owner'),
    clientId: text('clientId'),
    scopes:
      Array.isArray(scopes) && scopes.every((one): one is string => typeof one === 'string' && isScope(one))
        ? scopes
        : at('has "scopes" that are no list of scopes'),
    claims: isObject(claims) ? claims : at('has "claims" that are no object'),
    created: time('created') ?? at('does not say when it was created'),
    notBefore: time('notBefore'),
    expires: time('expires'),
    revoked: time('revoked'),
    rotatedTo: text('rotatedTo'),
    note: text('note'),
  }
}

/** What the first member of a file of keys says. */
export const apiKeyFileFormat = 'api-keys/v1'

/** The keys of a file, by id, from its JSON. @throws Error with a sentence: a file that is wrong in part is not taken in part. */
export function readApiKeyFile(value: unknown): ReadonlyMap<string, ApiKeyRecord> {
  if (!isObject(value) || value['sallyport'] !== apiKeyFileFormat || !Array.isArray(value['keys'])) throw new Error(`it is no file of ${apiKeyFileFormat}`)
  const records = new Map<string, ApiKeyRecord>()
  for (const each of value['keys']) {
    const record = readApiKeyRecord(each)
    if (records.has(record.id)) throw new Error(`the key ${record.id} is there twice`)
    records.set(record.id, record)
  }
  return records
}

/** RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
export function isScope(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(text)
}

/** Whether a text may be an owner, a client id or a note: it stands in records and headers. */
export function isName(text: string): boolean {
  return /^[\x20-\x7e]{1,255}$/.test(text) && text.trim() === text
}

const members: ReadonlySet<string> = new Set([
  'id',
  'hash',
  'owner',
  'clientId',
  'scopes',
  'claims',
  'created',
  'notBefore',
  'expires',
  'revoked',
  'rotatedTo',
  'note',
])

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
