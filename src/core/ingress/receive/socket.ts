import { base64url } from 'jose'
import type { Arrival } from '../../model/exchange.ts'
import type { FieldList } from '../../model/fields.ts'
import { socketProtocol } from '../../model/socket.ts'
import { refusal } from './refusal.ts'

/** A browser cannot set headers on a WebSocket; it can name subprotocols, and so Kubernetes takes bearer tokens in one. We take the same. */
const tokenPrefix = 'base64url.bearer.authorization.'

const handshake = ['sec-websocket-extensions', 'sec-websocket-key', 'sec-websocket-protocol', 'sec-websocket-version']

/**
 * Reads the subprotocols of a handshake (RFC 6455 section 4.1): a bearer token among them becomes the Authorization field. The fields of the
 * handshake itself go no further. @throws Fault `credential_invalid` for a malformed token or a second credential, `request_invalid` when
 * subprotocols are offered and none is ours
 */
export function readSocketOffer(arrival: Arrival, fields: FieldList): void {
  const offered = fields.all('sec-websocket-protocol').flatMap((value) => value.split(',').map((one) => one.trim()))
  for (const name of handshake) fields.remove(name)
  const tokens = offered.filter((one) => one.startsWith(tokenPrefix))
  for (const token of tokens) {
    if (fields.has('authorization')) throw refusal(arrival, 'credential_invalid', 'more than one credential is given')
    fields.set('authorization', `Bearer ${decoded(arrival, token.slice(tokenPrefix.length))}`)
  }
  // A browser gives up a WebSocket that selects none of what it offered.
  if (offered.length > 0 && !offered.includes(socketProtocol)) {
    throw refusal(arrival, 'request_invalid', `offer the subprotocol ${socketProtocol}, or none`)
  }
}

function decoded(arrival: Arrival, text: string): string {
  const token = /^[A-Za-z0-9_-]+$/.test(text) ? latin1(text) : ''
  // b64token of RFC 6750 section 2.1.
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) throw refusal(arrival, 'credential_invalid', 'the subprotocol holds no bearer token in base64url')
  return token
}

function latin1(text: string): string {
  try {
    return String.fromCharCode(...base64url.decode(text))
  } catch {
    return ''
  }
}
