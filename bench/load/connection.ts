import { connect, type Socket } from 'node:net'
import { wholeResponse } from './response.ts'

/** One keep-alive connection that has one request under way at most. Connects again after a failure. */
export class Connection {
  readonly #port: number
  readonly #answered: (connection: Connection, status: number | undefined, head: string) => void
  #socket: Socket | undefined
  #rest: Buffer = Buffer.alloc(0)
  #busy = false

  /** `answered` gets the status and the head of every answer, or undefined when the connection broke with a request under way. */
  constructor(port: number, answered: (connection: Connection, status: number | undefined, head: string) => void) {
    this.#port = port
    this.#answered = answered
  }

  send(request: Buffer): void {
    this.#busy = true
    this.#socket ??= this.#open()
    this.#socket.write(request)
  }

  close(): void {
    this.#busy = false
    this.#socket?.destroy()
  }

  #open(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    socket.on('data', (chunk) => this.#read(socket, chunk))
    socket.on('error', () => {})
    socket.on('close', () => this.#lost(socket))
    return socket
  }

  #read(socket: Socket, chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    try {
      const answer = wholeResponse(this.#rest)
      if (answer === undefined) return
      if (answer.bytes !== this.#rest.length || !this.#busy) throw new Error('more than was asked for')
      this.#rest = Buffer.alloc(0)
      this.#busy = false
      this.#answered(this, answer.status, answer.head)
    } catch {
      socket.destroy()
    }
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    this.#rest = Buffer.alloc(0)
    if (!this.#busy) return
    this.#busy = false
    this.#answered(this, undefined, '')
  }
}
