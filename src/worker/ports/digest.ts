import { hexOf } from './random.ts'

const encoder = new TextEncoder()

/** Lower-case hex SHA-256 of the UTF-8 text. */
export async function digest(text: string): Promise<string> {
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text))))
}
