import { isAddress } from './net.ts'

/*
 * The first message of a TLS client (RFC 8446 section 4.1.2), read strictly and without a handshake: whose name stands in it decides where its
 * bytes may go. What could be read in two ways is refused.
 */

/** `more`: nothing is wrong so far, and it is not all there. `serverName` is as the client wrote it, in lower case; undefined where it names none. */
export type HelloReading =
  | { readonly kind: 'more' }
  | { readonly kind: 'hello'; readonly serverName: string | undefined }
  | { readonly kind: 'refused'; readonly problem: string }

/** Bytes of a message; hellos with post-quantum keys and tickets have some two thousand. */
const mostBytes = 16 * 1024
/** RFC 8446 section 5.1: a record carries no more. */
const mostInRecord = 16 * 1024

const handshake = 22
const clientHello = 1
const serverNames = 0
const hostName = 0

class Unreadable extends Error {}

/** Why a hello does not fit the host that was asked for; undefined when it does. An address has no server name (RFC 6066 section 3). */
export function helloProblem(serverName: string | undefined, host: string): string | undefined {
  if (isAddress(host)) return serverName === undefined ? undefined : `the ClientHello names ${serverName}, and the tunnel leads to an address`
  if (serverName === undefined) return 'the ClientHello names no server'
  return serverName === host ? undefined : `the ClientHello names ${serverName}, and the tunnel leads to ${host}`
}

/** Reads a ClientHello that comes in pieces. Call `take` with each; after anything but `more` it is over. */
export class HelloReader {
  readonly #message = new Uint8Array(mostBytes)
  #length = 0
  /** Of the record under way: its head, and how much of it is still to come. */
  #head: number[] = []
  #left = 0

  take(bytes: Uint8Array): HelloReading {
    try {
      return this.#take(bytes)
    } catch (error) {
      if (error instanceof Unreadable) return { kind: 'refused', problem: error.message }
      throw error
    }
  }

  #take(bytes: Uint8Array): HelloReading {
    let at = 0
    while (at < bytes.length) {
      if (this.#left === 0) {
        this.#head.push(bytes[at] as number) // at is inside
        at += 1
        this.#left = recordLength(this.#head)
        if (this.#left > 0) this.#head = []
        continue
      }
      const part = bytes.subarray(at, at + this.#left)
      if (this.#length + part.length > mostBytes) throw new Unreadable('the ClientHello is too long')
      this.#message.set(part, this.#length)
      this.#length += part.length
      this.#left -= part.length
      at += part.length
      const whole = this.#whole()
      if (whole !== undefined) return whole
    }
    return { kind: 'more' }
  }

  #whole(): HelloReading | undefined {
    const [type, ...size] = this.#message.subarray(0, Math.min(4, this.#length))
    if (type !== clientHello) throw new Unreadable('the first message is no ClientHello')
    if (size.length < 3) return undefined
    const length = number(size)
    if (length + 4 > mostBytes) throw new Unreadable('the ClientHello is too long')
    if (this.#length < length + 4) return undefined
    // A second message in its last record would be read by some and not by others.
    if (this.#length > length + 4 || this.#left > 0) throw new Unreadable('something follows the ClientHello in its record')
    return { kind: 'hello', serverName: readBody(new Cursor(this.#message.subarray(4, this.#length))) }
  }
}

/** 0 while the head is not all there. */
function recordLength(head: readonly number[]): number {
  const [type, major, minor = 0] = head
  if (type !== handshake || (major !== undefined && major !== 3) || minor > 4) throw new Unreadable('this is not TLS')
  if (head.length < 5) return 0
  const length = number(head.slice(3))
  if (length === 0 || length > mostInRecord) throw new Unreadable('a record of the ClientHello is empty or too long')
  return length
}

function readBody(hello: Cursor): string | undefined {
  if (hello.bytes(2)[0] !== 3) throw new Unreadable('the version of the ClientHello is not one of TLS')
  hello.bytes(32)
  if (hello.vector(1).left > 32) throw new Unreadable('the session id of the ClientHello is too long')
  const suites = hello.vector(2).left
  if (suites < 2 || suites % 2 !== 0) throw new Unreadable('the cipher suites of the ClientHello cannot be read')
  if (hello.vector(1).left < 1) throw new Unreadable('the compression methods of the ClientHello cannot be read')
  if (hello.left === 0) return undefined
  const extensions = hello.vector(2)
  hello.end()
  const seen = new Set<number>()
  let name: string | undefined
  while (extensions.left > 0) {
    const type = number(extensions.bytes(2))
    const data = extensions.vector(2)
    if (seen.has(type)) throw new Unreadable('an extension of the ClientHello is repeated')
    seen.add(type)
    if (type === serverNames) name = readName(data)
  }
  return name
}

/** RFC 6066 section 3: of each type one name, and there is one type. */
function readName(data: Cursor): string {
  const list = data.vector(2)
  data.end()
  if (list.bytes(1)[0] !== hostName) throw new Unreadable('the server name of the ClientHello is of an unknown type')
  const name = list.vector(2)
  list.end()
  const text = String.fromCharCode(...name.bytes(name.left))
  // A NUL, a dot at the end or a letter beyond ASCII would be read by each server in its own way.
  if (!/^[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*$/.test(text) || text.length > 253)
    throw new Unreadable('the server name of the ClientHello is no host name')
  return text.toLowerCase()
}

/** Reads on through bytes. @throws Unreadable where they end too early */
class Cursor {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  bytes(count: number): Uint8Array {
    if (count > this.left) throw new Unreadable('the ClientHello ends too early')
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }

  /** What stands behind a length of so many bytes. */
  vector(lengthBytes: number): Cursor {
    return new Cursor(this.bytes(number(this.bytes(lengthBytes))))
  }

  end(): void {
    if (this.left > 0) throw new Unreadable('a length in the ClientHello does not fit')
  }
}

/** Big-endian. */
function number(bytes: Iterable<number>): number {
  let value = 0
  for (const byte of bytes) value = value * 256 + byte
  return value
}
