/** Where a store is: one server, a set that Sentinels watch, or a Cluster. */
export type StoreAddress =
  | { readonly kind: 'single'; readonly url: string }
  | (Watched & { readonly kind: 'sentinel'; readonly master: string; readonly db: number })
  | (Watched & { readonly kind: 'cluster' })

interface Watched {
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
}

/*
 * Url      = Scheme "://" [ [ User ] ":" Password "@" ] Node { "," Node } [ "/" Master [ "/" Db ] ]
 * Scheme   = ( "redis" | "rediss" ) "+" ( "sentinel" | "cluster" )        (rediss: TLS)
 * Node     = Host [ ":" Port ]                                             (26379 for Sentinels, else 6379)
 *
 * User and password are percent-encoded. Everything else is what ioredis reads: redis://, rediss://, a socket path.
 */
const several = /^(rediss?)\+(sentinel|cluster):\/\/(?:([^@/]*)@)?([^/?#@]+)(?:\/([^/?#]+)(?:\/(\d{1,4}))?)?\/?$/

/** @throws Error for a URL that begins as one of several servers and does not go on so; the message does not repeat it, for it may hold a password. */
export function readStoreUrl(url: string): StoreAddress {
  if (!/^rediss?\+/.test(url)) return { kind: 'single', url }
  const [, scheme, kind, user, hosts = '', master, db] = several.exec(url) ?? []
  const nodes = hosts.split(',').map((text) => nodeOf(text, kind === 'sentinel' ? 26379 : 6379))
  const [username, password] = credentialsOf(user)
  const watched = { nodes, tls: scheme === 'rediss', username, password }
  if (kind === 'sentinel' && master !== undefined) return { kind, ...watched, master: decoded(master), db: Number(db ?? 0) }
  if (kind === 'cluster' && master === undefined) return { kind, ...watched }
  throw new Error('the URL of the store is not redis+sentinel://host:port,…/master nor redis+cluster://host:port,…')
}

const nodePattern = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/

function nodeOf(text: string, usual: number): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = nodePattern.exec(text) ?? []
  const host = bracketed ?? plain
  const number = Number(port ?? usual)
  if (host === undefined || number < 1 || number > 65_535) throw new Error('the URL of the store names a node that is no host:port')
  return { host, port: number }
}

function credentialsOf(user: string | undefined): readonly [string | undefined, string | undefined] {
  if (user === undefined) return [undefined, undefined]
  const colon = user.indexOf(':')
  const name = colon < 0 ? user : user.slice(0, colon)
  return [name === '' ? undefined : decoded(name), colon < 0 ? undefined : decoded(user.slice(colon + 1))]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Error('the URL of the store holds a percent sign that encodes nothing')
  }
}
