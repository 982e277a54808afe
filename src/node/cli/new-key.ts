import { createHash, randomBytes } from 'node:crypto'
import { apiKeyBytes, writeApiKey } from '../../core/model/api-key.ts'
import type { ApiKeyRecord } from '../../core/model/api-key-record.ts'
import type { Terminal } from './terminal.ts'

/** A key nobody has seen: its text, and what is kept of it. */
export function newKey(facts: Omit<ApiKeyRecord, 'id' | 'hash'>): { readonly text: string; readonly record: ApiKeyRecord } {
  const { id, text } = writeApiKey(randomBytes(apiKeyBytes.id).toString('hex'), randomBytes(apiKeyBytes.secret).toString('hex'))
  return { text, record: { id, hash: createHash('sha256').update(text).digest('hex'), ...facts } }
}

/** The only time that a key is printed. A file or a pipe gets the key alone on standard output. */
export function printKey(terminal: Terminal, text: string, said: Readonly<Record<string, unknown>>, words: string): void {
  if (terminal.json) {
    terminal.out(JSON.stringify({ key: text, ...said }, null, 2))
    return
  }
  terminal.err(`${words} It is shown this once:`)
  terminal.out(text)
}
