/** Every way in which a text could stand in something bigger, each with what it is called. */
function formsOf(secret: string): readonly (readonly [form: string, text: string])[] {
  const bytes = Buffer.from(secret)
  const percent = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  const halves = [0, 1, 2].flatMap((offset) => {
    // Inside longer base64 a text starts at one of three places; what its neighbours take part in is left out.
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
    const inner = encoded.slice(offset === 0 ? 0 : 4, (encoded.length >> 2) * 4 - 4)
    return [
      [`base64 at ${offset}`, inner],
      [`base64url at ${offset}`, inner.replaceAll('+', '-').replaceAll('/', '_')],
    ] as const
  })
  return [
    ['plain', secret],
    ['hexadecimal', bytes.toString('hex')],
    ['percent-encoded', percent],
    ['percent-encoded where needed', encodeURIComponent(secret)],
    ['JSON', JSON.stringify(secret).slice(1, -1)],
    ['JSON, every sign', Array.from(secret, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
    ['UTF-16', bytes.toString('utf16le').slice(0, -1)],
    ...halves,
  ]
}

/** The forms of these secrets that stand in a text, without regard to case where the form has none. */
export function found(text: string, secrets: Readonly<Record<string, string>>): readonly string[] {
  const lower = text.toLowerCase()
  return Object.entries(secrets).flatMap(([name, secret]) =>
    formsOf(secret).flatMap(([form, look]) =>
      text.includes(look) || (/hex|percent|every sign/.test(form) && lower.includes(look.toLowerCase())) ? [`${name}, ${form}`] : [],
    ),
  )
}
