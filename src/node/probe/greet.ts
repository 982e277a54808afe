import type { Duplex } from 'node:stream'
import type { Trouble } from './trouble.ts'

/** What the other side turns out to speak. */
type Heard = 'http1' | 'h2' | 'tls' | 'nothing' | 'closed' | 'something'

/** The connection preface with an empty SETTINGS frame (RFC 9113 section 3.4). */
const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])])

/**
 * Says hello on a connection in the protocol that the policies name and listens to what comes back: a request that asks for nothing
 * (`OPTIONS *`, RFC 9110 section 9.3.7) or the preface of HTTP/2. The connection is of no use after it. Undefined when it is that protocol.
 */
export async function greet(socket: Duplex, protocol: 'http1' | 'h2', authority: string, ms: number): Promise<Trouble | undefined> {
  const hello = protocol === 'h2' ? preface : Buffer.from(`OPTIONS * HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`)
  const heard = await firstWords(socket, hello, ms)
  return heard === protocol ? undefined : { problem: problems[heard](protocol, ms), hint: hints[heard](protocol) }
}

const names = { http1: 'HTTP/1.1', h2: 'HTTP/2' } as const

type Words<More extends unknown[]> = Readonly<Record<Heard, (protocol: 'http1' | 'h2', ...more: More) => string>>

const problems: Words<[ms: number]> = {
  http1: () => 'it speaks HTTP/1.1 and not HTTP/2',
  h2: () => 'it speaks HTTP/2 and not HTTP/1.1',
  tls: (protocol) => `it speaks TLS, and was greeted in clear text (${names[protocol]})`,
  nothing: (protocol, ms) => `it takes the connection and does not answer ${names[protocol]} within ${ms} ms`,
  closed: (protocol) => `it closes the connection on ${names[protocol]}`,
  something: (protocol) => `what it answers is not ${names[protocol]}`,
}

const other = (protocol: 'http1' | 'h2') => (protocol === 'h2' ? 'http' : 'h2 or grpc')

const hints: Words<[]> = {
  http1: () => 'Write protocol: http, or turn HTTP/2 on there.',
  h2: () => 'Write protocol: h2, or grpc for a gRPC service.',
  tls: () => 'Add tls: to the cluster.',
  nothing: () => 'Look at the log of the service, and at whether the address is the right one.',
  closed: (protocol) => `Look at whether it wants TLS (tls:), or another protocol (${other(protocol)}).`,
  something: (protocol) => `Look at whether the address is the right one, or the protocol another (${other(protocol)}).`,
}

function firstWords(socket: Duplex, hello: Buffer, ms: number): Promise<Heard> {
  return new Promise((resolve) => {
    let words = Buffer.alloc(0)
    const over = (heard: Heard) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(heard)
    }
    const timer = setTimeout(() => over(words.length === 0 ? 'nothing' : 'something'), ms)
    socket.on('error', () => over(words.length === 0 ? 'closed' : whatIs(words)))
    socket.on('close', () => over(words.length === 0 ? 'closed' : whatIs(words)))
    socket.on('data', (chunk: Buffer) => {
      words = Buffer.concat([words, chunk])
      if (words.length >= 5) over(whatIs(words))
    })
    socket.write(hello)
  })
}

function whatIs(words: Buffer): Heard {
  if (words.subarray(0, 5).toString('latin1') === 'HTTP/') return 'http1'
  // A frame of type SETTINGS is the first thing that a server says (RFC 9113 section 3.4).
  if (words.length >= 4 && words[0] === 0 && words[3] === 4) return 'h2'
  // An alert or a handshake record (RFC 8446 section 5.1).
  return (words[0] === 0x15 || words[0] === 0x16) && words[1] === 3 ? 'tls' : 'something'
}
