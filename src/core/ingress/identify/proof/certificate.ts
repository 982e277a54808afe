import { base64url } from 'jose'
import type { Received } from '../../../model/exchange.ts'
import type { Ports } from '../../../ports.ts'

/** SHA-256 over the DER of the connection's verified client certificate, as `x5t#S256` has it (RFC 8705 section 3.1); undefined without one. */
export async function certificateThumbprint({ client }: Pick<Received, 'client'>, { digest }: Pick<Ports, 'digest'>): Promise<string | undefined> {
  return client.certificate === undefined ? undefined : base64urlOfHex(await digest(client.certificate))
}

/** A digest in base64url without padding. */
export function base64urlOfHex(hex: string): string {
  return base64url.encode(Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))
}
