import type { Ports } from '../../ports.ts'

/** The SHA-256 of a token, by which it is remembered. `connection`: what it came by, where that is known. */
export type DigestOf = (token: string, connection: object | undefined) => string | Promise<string>

interface Seen {
  readonly token: string
  readonly digest: string
}

/**
 * Digests of tokens, without reckoning the same one for every request of a connection: its last token is kept beside it, and to compare costs
 * a tenth of what the digest does. So a token in the clear is kept no longer than the connection that brought it, and one for each.
 */
export function buildDigestOf({ digest }: Pick<Ports, 'digest'>): DigestOf {
  const lastOf = new WeakMap<object, Seen>()
  return (token, connection) => {
    const last = connection === undefined ? undefined : lastOf.get(connection)
    if (last?.token === token) return last.digest
    const reckoned = digest(token)
    if (typeof reckoned === 'string' && connection !== undefined) lastOf.set(connection, { token, digest: reckoned })
    return reckoned
  }
}
