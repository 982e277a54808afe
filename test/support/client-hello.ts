import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, createServer, type Server } from 'node:tls'

/** The first flight of node:tls, as it would stand on the wire. */
export function realHello(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        resolve(chunk)
        done()
      },
    })
    connect({ ...options, socket }).on('error', () => {})
  })
}

/** What a TLS server of Node makes of the bytes: the name that it would choose a certificate by, undefined for none, or why it breaks off. */
export async function serverReads(server: Server, bytes: Uint8Array): Promise<{ readonly name: string | undefined } | { readonly error: string }> {
  let named: string | undefined
  seenBy.set(server, (name) => {
    named = name
  })
  const answered = Promise.withResolvers<{ readonly name: string | undefined } | { readonly error: string }>()
  const broken = (error: Error) => answered.resolve({ error: error.message })
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      // A fatal alert, or its answer to the hello.
      answered.resolve(chunk[0] === 21 ? { error: `alert ${chunk[6]}` } : { name: named })
      done()
    },
  })
  server.once('tlsClientError', broken)
  server.emit('connection', socket)
  socket.push(bytes)
  // It needs more: nothing will come.
  setImmediate(() => setImmediate(() => setImmediate(() => answered.resolve({ error: 'more' }))))
  const read = await answered.promise
  server.off('tlsClientError', broken)
  socket.destroy()
  return read
}

const seenBy = new WeakMap<Server, (name: string) => void>()

/** A server that tells `serverReads` which names it is asked for. */
export function namingServer(pair: { readonly certificate: string; readonly key: string }): Server {
  const server: Server = createServer({
    cert: pair.certificate,
    key: pair.key,
    SNICallback(name, done) {
      seenBy.get(server)?.(name)
      done(null)
    },
  })
  return server
}

export interface HelloParts {
  /** Entries of the server_name extension: type and name. Undefined for no extension. */
  readonly names?: readonly (readonly [type: number, name: string])[]
  /** Further extensions, before it. */
  readonly before?: readonly (readonly [type: number, data: readonly number[]])[]
  /** Behind it. */
  readonly after?: readonly (readonly [type: number, data: readonly number[]])[]
  /** Behind the extensions. */
  readonly trailing?: readonly number[]
  /** Leaves the extensions out, their length too. */
  readonly bare?: boolean
}

/** The bytes of a number, big-endian. */
function bytesOf(value: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** (count - 1 - i)) % 256)
}

const vector = (count: number, data: readonly number[]) => [...bytesOf(data.length, count), ...data]

/** A ClientHello message made by hand, without its record. */
export function helloMessage({ names = [[0, 'a.example']], before = [], after = [], trailing = [], bare = false }: HelloParts): number[] {
  const list = names.flatMap(([type, name]) => [type, ...vector(2, Array.from(Buffer.from(name, 'latin1')))])
  const extensions = [...before, ...(names.length === 0 ? [] : [[0, vector(2, list)] as const]), ...after]
  const body = [
    3,
    3,
    ...Array.from({ length: 32 }, (_, i) => i),
    ...vector(1, []),
    ...vector(2, [0x13, 0x01, 0x13, 0x02]),
    ...vector(1, [0]),
    ...(bare
      ? []
      : vector(
          2,
          extensions.flatMap(([type, data]) => [...bytesOf(type, 2), ...vector(2, data)]),
        )),
    ...trailing,
  ]
  return [1, ...vector(3, body)]
}

/** Handshake records of at most so many bytes each. */
export function records(message: readonly number[], most = 16_384): Uint8Array {
  const parts: number[] = []
  for (let at = 0; at < message.length; at += most) parts.push(22, 3, 1, ...vector(2, message.slice(at, at + most)))
  return Uint8Array.from(parts)
}
