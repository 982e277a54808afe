import { Socket } from 'node:net'
import type { Keep } from '../../support/keep.ts'

/** Every TCP socket that this process opens, whoever asks for it: what does not go by the seam is seen all the same. */
const opened = new Set<string>()
const known = new Set<string>()

/** Watches until the end of a test file. Every watch sees all. */
export function watchSockets(keep: Keep): void {
  const { connect } = Socket.prototype
  Object.assign(Socket.prototype, {
    connect(this: Socket, ...args: unknown[]): Socket {
      // Options stand first, in a list of their own where net or tls has sorted the arguments.
      const [options] = args.flat() as { readonly host?: string; readonly port?: number }[]
      opened.add(`${options?.host}:${options?.port}`)
      return Reflect.apply(connect, this, args)
    },
  })
  keep(() => void Object.assign(Socket.prototype, { connect }))
}

/** A listener of the test's own, or of the gateway. */
export function expectSocket(host: string, port: number): void {
  known.add(`${host}:${port}`)
}

/** Sockets to anywhere else, as `host:port`. */
export function foreignSockets(): readonly string[] {
  return opened.size === 0 ? ['nothing was watched'] : [...opened].filter((place) => !known.has(place))
}
