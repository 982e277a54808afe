const mark = '[redacted]'
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Headers whose values are credentials wherever they appear. */
const credentialHeaders = ['authorization', 'proxy-authorization', 'cookie', 'x-api-key'] as const

/**
 * Builds a function that takes every spelling of every secret out of a text: raw, JSON, percent and form encoding, hex,
 * and base64 in both alphabets at each of its three alignments (a secret inside `Basic` stands behind the user name).
 */
export function buildRedactor(secrets: readonly string[]): (text: string) => string {
  const known = [...new Set(secrets)].filter((secret) => secret !== '').map((secret) => ({ secret, spellings: lazily(() => spellingsOf(secret)) }))
  if (known.length === 0) return (text) => text
  return (text) => {
    const found: Range[] = []
    for (const { secret, spellings } of known) {
      // No spelling is more than two characters shorter than the secret, so most texts need none of them: a token costs more to spell than a request.
      if (secret.length > text.length + 2) continue
      for (const spelling of spellings()) findAll(text, spelling, found)
    }
    return found.length === 0 ? text : without(text, found)
  }
}

/** Offsets, the end exclusive. */
type Range = readonly [start: number, end: number]

function findAll(text: string, spelling: string, into: Range[]): void {
  for (let at = text.indexOf(spelling); at >= 0; at = text.indexOf(spelling, at + 1)) into.push([at, at + spelling.length])
}

/** The text with one mark for each run of ranges that touch or overlap: no part of a longer spelling stays behind a shorter one. */
function without(text: string, found: Range[]): string {
  found.sort((a, b) => a[0] - b[0])
  let clean = ''
  let covered = 0
  for (const [start, end] of found) {
    if (start > covered || clean === '') clean += text.slice(covered, start) + mark
    covered = Math.max(covered, end)
  }
  return clean + text.slice(covered)
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}

/** What a record about a request must not repeat: the values of credential headers and of the headers a policy masks. */
export function maskedValues(all: (name: string) => readonly string[], masked: readonly string[]): string[] {
  const values: string[] = []
  for (const name of [...credentialHeaders, ...masked]) {
    for (const value of all(name.toLowerCase())) values.push(value, ...tokenOf(value))
  }
  return values
}

/** The credential without its scheme, so that a message that quotes the token alone is caught too. */
function tokenOf(value: string): string[] {
  const space = value.indexOf(' ')
  return space > 0 && space < value.length - 1 ? [value.slice(space + 1).trim()] : []
}

/** Every spelling of a secret that somebody who holds it may write without knowing that it is one. ASCII, but for the raw one. */
export function spellingsOf(secret: string): string[] {
  const bytes = utf8(secret)
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const percents = [percentOf(bytes, nothing), percentOf(bytes, component), percentOf(bytes, form).replaceAll('%20', '+')]
  return [secret, ...jsonOf(secret), hex, hex.toUpperCase(), ...percents, ...percents.map(lowerEscapes), ...base64Of(bytes)]
}

/** As JSON.stringify writes it, and as writers do that escape "/" (PHP) or what HTML could read (Go in lower case, .NET in upper). */
function jsonOf(secret: string): string[] {
  const plain = JSON.stringify(secret).slice(1, -1)
  const html = (characters: RegExp, hex: (code: string) => string) =>
    plain.replace(characters, (char) => `\\u00${hex(char.charCodeAt(0).toString(16).padStart(2, '0'))}`)
  return [plain, plain.replaceAll('/', '\\/'), html(/[<>&]/g, (code) => code), html(/[<>&+'`]/g, (code) => code.toUpperCase())]
}

function lowerEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())
}

/** Characters that stay as they are: in nothing at all, in encodeURIComponent, in application/x-www-form-urlencoded. */
const nothing = /(?!)/
const component = /[A-Za-z0-9\-_.!~*'()]/
const form = /[A-Za-z0-9\-_.*]/

function percentOf(bytes: readonly number[], kept: RegExp): string {
  return bytes
    .map((byte) => {
      const char = String.fromCharCode(byte)
      return byte < 128 && kept.test(char) ? char : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`
    })
    .join('')
}

/** The characters of base64 that depend on the secret alone, for a secret that starts 0, 1 or 2 bytes into a group of three. */
function base64Of(bytes: readonly number[]): string[] {
  const found: string[] = []
  for (let before = 0; before < 3; before++) {
    const text = base64([...Array<number>(before).fill(0), ...bytes])
    const inner = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
    // Fewer than four characters would take innocent letters out of every text.
    if (inner.length >= 4) found.push(inner, inner.replaceAll('+', '-').replaceAll('/', '_'))
  }
  return found
}

function base64(bytes: readonly number[]): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    for (let shift = 18; shift >= 0; shift -= 6) text += alphabet.charAt((group >> shift) & 63)
  }
  return text
}

function utf8(text: string): number[] {
  const bytes: number[] = []
  for (const char of text) {
    const raw = char.codePointAt(0) as number
    // A lone surrogate goes out as U+FFFD, as the WHATWG encoder does it.
    const point = raw >= 0xd800 && raw <= 0xdfff ? 0xfffd : raw
    if (point < 0x80) bytes.push(point)
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63))
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63))
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63))
  }
  return bytes
}
