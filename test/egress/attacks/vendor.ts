import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createByteServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { makeCertificates } from '../../support/certificates.ts'
import type { Keep } from '../../support/keep.ts'
import { apart } from './apart.ts'
import { expectSocket } from './sockets.ts'

/** One request as the vendor got it. */
export interface Heard {
  readonly method: string
  readonly target: string
  /** Lower-case names, repetitions as they came. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: string
  /** The name in the ClientHello; undefined in clear text. */
  readonly sni: string | undefined
}

/** What the vendor says, byte for byte and piece by piece, and then hangs up unless it stays; undefined: a plain 200; `stay`: one, and it does not hang up. */
export type Script = (heard: Heard) => readonly string[] | { readonly stays: readonly string[] } | 'stay' | undefined

/** Every third party of the world: HTTP in clear text and over TLS, and a port that takes bytes. It keeps all it hears. */
export interface Vendor {
  /** For `*.vendor.example`. PEM text. */
  readonly ca: string
  readonly heard: readonly Heard[]
  /** Bytes of connections that are no HTTP, latin1, by connection. */
  readonly bytes: readonly string[]
  script: Script
  /** Connections that are open now. */
  open(): number
  /** Which port of this machine stands for a port of the world. */
  portOf(port: number, secure: boolean): number
}

export const plainAnswer = 'the vendor\n'

/** Ports of the world on which HTTP in clear text, and over TLS, is spoken; all others take bytes. */
const clearPorts: ReadonlySet<number> = new Set([80, 8080])
const securePorts: ReadonlySet<number> = new Set([443, 8443])

/** `quiet`: answers that belong to no attack, by target; who asks for them is not written down. */
export async function openVendor(keep: Keep, quiet: Readonly<Record<string, string>> = {}): Promise<Vendor> {
  const certificates = await makeCertificates()
  const { certificate: cert, key } = await certificates.issue({ dns: '*.vendor.example' })
  const heard: Heard[] = []
  const bytes: string[] = []
  const sockets = new Set<Socket>()
  const vendor = { script: (() => undefined) as Script }
  const onRequest: RequestListener = (request, response) => {
    const parts: Buffer[] = []
    request.on('error', () => {})
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const aside = quiet[request.url ?? '']
      if (aside !== undefined) {
        response.end(aside)
        return
      }
      const one = heardOf(request, Buffer.concat(parts).toString('latin1'))
      heard.push(one)
      void say(response, vendor.script(one))
    })
  }
  const clear = await bound(keep, createServer(onRequest), sockets)
  const secure = await bound(keep, createSecureServer({ cert, key }, onRequest), sockets)
  const raw = await bound(
    keep,
    createByteServer((socket) => {
      const at = bytes.push('') - 1
      socket.on('data', (part) => {
        bytes[at] += part.toString('latin1')
        socket.write(`heard ${part.length}\n`)
      })
    }),
    sockets,
  )
  return Object.assign(vendor, {
    ca: certificates.ca,
    heard,
    bytes,
    open: () => sockets.size,
    portOf: (port: number, isSecure: boolean) => (clearPorts.has(port) ? clear : isSecure || securePorts.has(port) ? secure : raw),
  })
}

async function bound(keep: Keep, server: Server, sockets: Set<Socket>): Promise<number> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  keep(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo // it is bound to an address, not to a pipe
  expectSocket('127.0.0.1', port)
  return port
}

function heardOf(request: IncomingMessage, body: string): Heard {
  const { rawHeaders, socket } = request
  const fields = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1] ?? ''] as const] : []))
  const sni = (socket as Partial<TLSSocket>).servername
  return { method: request.method ?? '', target: request.url ?? '', fields, body, sni: typeof sni === 'string' ? sni : undefined }
}

async function say(response: ServerResponse, pieces: ReturnType<Script>): Promise<void> {
  if (pieces === undefined || pieces === 'stay') {
    response
      .writeHead(200, { 'content-type': 'text/plain', 'content-length': plainAnswer.length, ...(pieces === undefined && { connection: 'close' }) })
      .end(plainAnswer)
    return
  }
  const { socket } = response
  const stays = 'stays' in pieces
  for (const piece of stays ? pieces.stays : pieces) {
    socket?.write(piece, 'latin1')
    await apart()
  }
  if (!stays) socket?.end()
}

/** A whole answer with these header lines, in one piece. */
export function answer(status: number, headers: readonly string[], body = ''): string {
  return [`HTTP/1.1 ${status} X`, ...headers, `content-length: ${Buffer.byteLength(body, 'latin1')}`, 'connection: close', '', body].join('\r\n')
}
