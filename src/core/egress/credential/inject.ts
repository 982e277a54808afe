import type { Credential } from '../../model/credential.ts'
import { hasControl, unavailable } from './secret.ts'
import type { Signing } from './sign.ts'

/** What a credential adds to the call. */
export interface Injection {
  readonly header: { readonly name: string; readonly value: string } | undefined
  readonly query: { readonly name: string; readonly value: string } | undefined
  /** Every value that is secret in it, raw. */
  readonly secrets: readonly string[]
}

/** The header that a credential sets, lower-case; it is taken from the caller's request first. */
export function injectedHeader(credential: Credential): string | undefined {
  if (credential.kind === 'header' || credential.kind === 'hmac') return credential.header.toLowerCase()
  return credential.kind === 'query' ? undefined : 'authorization'
}

/** Shapes a secret (for OAuth2, the token) into what goes on the wire. @throws Fault `credential_unavailable` for a value that cannot go there. */
export function inject(credential: Exclude<Credential, Signing>, secret: string): Injection {
  if (credential.kind === 'header') return inHeader(credential.header.toLowerCase(), filled(credential.format, secret), [secret])
  if (credential.kind === 'query') return { header: undefined, query: { name: credential.parameter, value: secret }, secrets: [secret] }
  if (credential.kind === 'oauth2') return inHeader('authorization', `Bearer ${secret}`, [secret])
  const pair = basicPair(credential.username, secret)
  return inHeader('authorization', `Basic ${pair}`, [secret, pair])
}

/** Not `replace` with a text: "$&" in a secret would be read as a pattern. */
function filled(format: string, secret: string): string {
  const at = format.indexOf('{secret}')
  if (at < 0) throw unavailable('the format has no place for the secret')
  return format.slice(0, at) + secret + format.slice(at + '{secret}'.length)
}

function inHeader(name: string, value: string, secrets: readonly string[]): Injection {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    // RFC 9110 section 5.5: outside ASCII there is no agreed encoding, so two ends may read two keys.
    if (code < 0x20 || code > 0x7e) throw unavailable(`the value for the header ${name} holds a character that no header can carry`)
  }
  return { header: { name, value }, query: undefined, secrets }
}

/** `user-pass` of RFC 7617 section 2 in base64, as UTF-8 (section 2.1). A colon in the user name would move the border. */
function basicPair(username: string, password: string): string {
  if (username.includes(':') || hasControl(username)) throw unavailable('the user name of the basic credential holds a colon or a control character')
  let binary = ''
  for (const byte of new TextEncoder().encode(`${username}:${password}`)) binary += String.fromCharCode(byte)
  return btoa(binary)
}
