import { isJson, parseExact } from '../../json-path.ts'
import type { Cleaner } from './clean.ts'
import type { RecordedBody } from './interaction.ts'

/** A body as a cassette holds it: JSON and forms by their members, text as text, anything else in base64; always cleaned. Empty ones are none. */
export function recordBody(bytes: Uint8Array | undefined, type: string | undefined, clean: Cleaner): RecordedBody {
  if (bytes === undefined || bytes.length === 0) return undefined
  const text = decoded(bytes)
  if (text === undefined) return { base64: base64(clean.bytes(bytes)) }
  if (isJson(type)) {
    try {
      return { json: clean.json(parseExact(text)) }
    } catch {
      return { text: clean.text(text) }
    }
  }
  if (/^application\/x-www-form-urlencoded\b/i.test(type ?? '')) return { form: pairsOf(text, clean) }
  return { text: clean.text(text) }
}

/** The bytes that a recorded body stands for. */
export function bytesOf(body: NonNullable<RecordedBody>): Uint8Array {
  if ('base64' in body) return Uint8Array.from(atob(body.base64), (char) => char.charCodeAt(0))
  if ('json' in body) return new TextEncoder().encode(JSON.stringify(body.json))
  if ('form' in body) return new TextEncoder().encode(new URLSearchParams([...body.form]).toString())
  return new TextEncoder().encode(body.text)
}

/** Names and values of a query or a form, decoded and cleaned, in order. */
export function pairsOf(text: string, clean: Cleaner): readonly [string, string][] {
  return Array.from(new URLSearchParams(text), ([name, value]) => [clean.text(name), clean.named(name, value)])
}

/** Undefined for what is no text. */
function decoded(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}

function base64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}
