import { joinPieces } from '../../model/pieces.ts'
import { digestOf, hexOf, type MacHash } from './mac.ts'

/** What a message can be made of. */
export interface MessageParts {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: string
  /** Seconds since the epoch. */
  readonly timestamp: string
  readonly body: Uint8Array
}

const placeholder = /(\{(?:method|host|path|query|timestamp|body|bodyHash)\})/

/** Whether a template needs the whole body. */
export function readsBody(template: string): boolean {
  return /\{body(?:Hash)?\}/.test(template)
}

/** The bytes that are signed: the template with its placeholders filled in; `{bodyHash}` is hex, by the same hash. */
export async function messageOf(template: string, parts: MessageParts, hash: MacHash): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for (const part of template.split(placeholder)) {
    if (part === '{body}') pieces.push(parts.body)
    else if (part === '{bodyHash}') pieces.push(new TextEncoder().encode(hexOf(await digestOf(hash, parts.body))))
    else pieces.push(new TextEncoder().encode(placeholder.test(part) ? parts[part.slice(1, -1) as Exclude<keyof MessageParts, 'body'>] : part))
  }
  return joinPieces(
    pieces,
    pieces.reduce((sum, piece) => sum + piece.length, 0),
  )
}
