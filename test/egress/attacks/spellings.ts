export const hex = (text: string) => Buffer.from(text).toString('hex')
export const base64 = (text: string) => Buffer.from(text).toString('base64')
const everyByte = (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

/** The spellings of a secret, one each, as programs write them. */
export const spellings: readonly (readonly [name: string, write: (text: string) => string])[] = [
  ['as it is', (text) => text],
  ['behind its scheme', (text) => `Bearer ${text}`],
  ['in the midst of letters', (text) => `x${text}x`],
  ['twice, with nothing between', (text) => text + text],
  ['base64', base64],
  ['base64 behind one byte', (text) => base64(`a${text}`)],
  ['base64 behind two bytes', (text) => base64(`ab${text}`)],
  ['base64 of user and password', (text) => base64(`shop:${text}`)],
  ['base64 within more', (text) => base64(`{"key":"${text}","more":true}`)],
  ['base64url', (text) => Buffer.from(text).toString('base64url')],
  ['base64url behind one byte', (text) => Buffer.from(`a${text}`).toString('base64url')],
  ['percent where needed', encodeURIComponent],
  ['percent in small letters', (text) => encodeURIComponent(text).replaceAll(/%../g, (escape) => escape.toLowerCase())],
  ['every byte as percent', everyByte],
  ['every byte as percent in capitals', (text) => everyByte(text).toUpperCase()],
  ['as a form writes it', (text) => new URLSearchParams({ k: text }).toString()],
  ['JSON', (text) => JSON.stringify({ k: text })],
  ['JSON of PHP', (text) => JSON.stringify(text).replaceAll('/', '\\/')],
  ['JSON of Go', (text) => JSON.stringify(text).replaceAll(/[<>&]/g, (sign) => `\\u00${hex(sign)}`)],
  ['JSON of .NET', (text) => JSON.stringify(text).replaceAll(/[<>&+'`]/g, (sign) => `\\u00${hex(sign).toUpperCase()}`)],
  ['hexadecimal', hex],
  ['hexadecimal in capitals', (text) => hex(text).toUpperCase()],
]
