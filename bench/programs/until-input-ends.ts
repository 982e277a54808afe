import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'

/** The port to listen on: the first argument. @throws RangeError when it is none. */
export function portArgument(): number {
  const port = Number(process.argv[2])
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError('the first argument is a port')
  return port
}

/** Ends this process with the one that started it: its standard input closes then, even if that one was killed. SIGTERM ends it in good order too. */
export function untilInputEnds(): void {
  process.stdin.on('end', () => process.exit(0)).resume()
  process.on('SIGTERM', () => process.exit(0))
}

/** Serves bare connections on loopback; `serve` gets each, and a function that answers from it. */
export function listenRaw(port: number, serve: (socket: Socket) => void): void {
  createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    serve(socket)
  }).listen(port, '127.0.0.1')
}

/** The same over TLS, with this certificate and key as PEM. */
export function listenTls(port: number, pem: { readonly cert: Buffer; readonly key: Buffer }, serve: (socket: TLSSocket) => void): void {
  createTlsServer({ ...pem, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    serve(socket)
  }).listen(port, '127.0.0.1')
}
