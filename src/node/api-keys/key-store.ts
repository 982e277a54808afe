import type { ApiKeyRecord } from '../../core/model/api-key-record.ts'

/** One record as it was read and as it shall be; `before` undefined: it is new. */
export interface KeyChange {
  readonly before: ApiKeyRecord | undefined
  readonly after: ApiKeyRecord
}

/** The records of one set, for whoever makes and revokes keys. */
export interface KeyStore {
  list(): Promise<readonly ApiKeyRecord[]>
  /** Makes all changes or none. @throws Error when a record is no longer as it was read, and when the store cannot be written. */
  change(changes: readonly KeyChange[]): Promise<void>
  close(): void
}
