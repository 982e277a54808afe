import { base64url } from 'jose'
import type { Arrival } from '../../model/exchange.ts'
import type { FieldList } from '../../model/fields.ts'
import type { SocketOffer, Upgrade } from '../../model/wire.ts'
import { refusal } from './refusal.ts'

/** A browser cannot set headers on a WebSocket; it can name subprotocols, and so Kubernetes takes bearer tokens in one. We take the same. */
const tokenPrefix = 'base64url.bearer.authorization.'

/**
 * Reads the handshake (RFC 6455 section 4.1): a bearer token among the subprotocols becomes the Authorization field, and no field of the handshake
 * goes further by itself. @throws Fault `credential_invalid` for a malformed token or a second credential
 */
export function readSocketOffer(arrival: Arrival, { protocol }: SocketOffer, fields: FieldList): Upgrade {
  const offered = listOf(fields, 'sec-websocket-protocol')
  const extensions = listOf(fields, 'sec-websocket-extensions')
  const tokens = offered.filter((one) => one.startsWith(tokenPrefix))
  for (const token of tokens) {
    if (fields.has('authorization')) throw refusal(arrival, 'credential_invalid', 'more than one credential is given')
    fields.set('authorization', `Bearer ${decoded(arrival, token.slice(tokenPrefix.length))}`)
  }
  const subprotocols = fields.has('sec-websocket-protocol') ? offered.filter((one) => !one.startsWith(tokenPrefix)) : undefined
  return { protocol, subprotocols, extensions }
}

function listOf(fields: FieldList, name: string): readonly string[] {
  return fields.all(name).flatMap((value) => value.split(',').map((one) => one.trim()))
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
