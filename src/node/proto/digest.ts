import { createHash } from 'node:crypto'

/** Lower-case hex SHA-256 of a descriptor set: what `descriptors: { file, sha256 }` pins. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
