import { hexOf } from './random.ts'

const encoder = new TextEncoder()

/** Lower-case hex SHA-256 of bytes, or of the UTF-8 of a text. */
export async function digest(data: string | Uint8Array): Promise<string> {
  const bytes = typeof data === 'string' ? encoder.encode(data) : data
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
