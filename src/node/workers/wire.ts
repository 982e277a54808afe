import type { Socket } from 'node:net'

/** Lines of text between two processes. */
export interface Wire {
  /** Without its newline. Goes nowhere once the other side is gone. */
  send(line: string): void
  /** Who reads, and who hears that the other side is gone. Set once. */
  read(line: (text: string) => void, gone: () => void): void
}

/** A wire over a pair of sockets of this machine. */
export function openWire(socket: Socket): Wire {
  socket.setEncoding('utf8')
  // The other side is gone: `close` says so.
  socket.on('error', () => {})
  return {
    send: (line) => void (socket.writable && socket.write(`${line}\n`)),
    read(line, gone) {
      let rest = ''
      socket.on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const one of lines) line(one)
      })
      socket.once('close', gone)
    },
  }
}
