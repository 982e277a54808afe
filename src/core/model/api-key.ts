/*
 * The text of an API key, as its holder keeps it:
 *
 *   Key      = "spk_" Id "_" Secret Checksum
 *   Id       = 16 characters, 80 random bits: finds the record
 *   Secret   = 40 characters, 200 random bits
 *   Checksum = 7 characters, CRC-32 of everything before it
 *
 * Id, secret and checksum are base32 (RFC 4648 section 6) in lower case, so each key has one spelling. The checksum keeps nobody out; it
 * tells a key that was copied badly from one that was guessed, without asking a store.
 */

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const shape = /^(spk_([a-z2-7]{16})_[a-z2-7]{40})([a-z2-7]{7})$/

/** Random bytes that a key is made of. */
export const apiKeyBytes = { id: 10, secret: 25 } as const

/** What a text that is offered as an API key is. */
export type ReadApiKey = { readonly kind: 'key'; readonly id: string } | { readonly kind: 'malformed' } | { readonly kind: 'mistyped' }

/** Reads the text of a key; whether there is such a key is not said. */
export function readApiKey(text: string): ReadApiKey {
  const [, body, id, checksum] = shape.exec(text) ?? []
  if (body === undefined || id === undefined) return { kind: 'malformed' }
  return checksumOf(body) === checksum ? { kind: 'key', id } : { kind: 'mistyped' }
}

/** The text of a new key. Takes random bytes in hex: 10 for the id, 25 for the secret. @throws RangeError for any other number. */
export function writeApiKey(idHex: string, secretHex: string): { readonly id: string; readonly text: string } {
  if (idHex.length !== apiKeyBytes.id * 2 || secretHex.length !== apiKeyBytes.secret * 2) throw new RangeError('an API key is made of 10 and 25 bytes')
  const id = base32(idHex)
  const body = `spk_${id}_${base32(secretHex)}`
  return { id, text: body + checksumOf(body) }
}

/** Whether a text is the id of a key. */
export function isApiKeyId(text: string): boolean {
  return /^[a-z2-7]{16}$/.test(text)
}

/** Five bits a character; both lengths are multiples of five bits. */
function base32(hex: string): string {
  const bits = Array.from(hex, (digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0')).join('')
  return (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join('')
}

function checksumOf(ascii: string): string {
  let rest = crc32(ascii)
  let text = ''
  for (let i = 0; i < 7; i++) {
    text = alphabet.charAt(rest & 31) + text
    rest >>>= 5
  }
  return text
}

/** ISO 3309, as zip and PNG have it. */
function crc32(ascii: string): number {
  let crc = 0xffffffff
  for (let i = 0; i < ascii.length; i++) {
    crc ^= ascii.charCodeAt(i)
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
