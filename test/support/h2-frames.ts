import { connect } from 'node:net'

/** Frames of one HTTP/2 connection as no client library would send them. */
export interface Frame {
  readonly type: 'headers' | 'data' | 'continuation' | 'rst'
  /** END_STREAM 1, END_HEADERS 4. */
  readonly flags: number
  readonly stream: number
  readonly payload: Uint8Array
}

/** What came of stream 1: an answer, as far as its body in clear text tells, or the end of the stream or of the connection. */
export type StreamEnd =
  | { readonly kind: 'answer'; readonly body: string }
  | { readonly kind: 'reset'; readonly error: number }
  | { readonly kind: 'goaway'; readonly error: number }
  | { readonly kind: 'closed' }

const types = { data: 0, headers: 1, rst: 3, continuation: 9 } as const
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** Fields as literals that nobody indexes (RFC 7541 section 6.2.2), each byte as given (latin1). */
export function fieldBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]))
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  return Buffer.concat([integer(bytes.length), bytes])
}

/** RFC 7541 section 5.1, with a prefix of seven bits and no Huffman. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.of(value)
  const bytes = [127]
  let rest = value - 127
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

function encodeFrame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Sends frames over a connection of their own, and tells what came of stream 1. @throws Error when nothing does within 10 s */
export function speakFrames(port: number, frames: readonly Frame[]): Promise<StreamEnd> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let heard = Buffer.alloc(0)
    let body = ''
    const end = (result: StreamEnd) => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(10_000, () => socket.destroy(new Error('nothing came of the stream within 10 s')))
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? end({ kind: 'closed' }) : reject(error)))
    socket.on('close', () => end({ kind: 'closed' }))
    socket.on('data', (part) => {
      heard = Buffer.concat([heard, part])
      for (;;) {
        if (heard.length < 9) return
        const length = heard.readUIntBE(0, 3)
        if (heard.length < 9 + length) return
        const [type, flags, stream] = [heard[3], heard[4] ?? 0, heard.readUInt32BE(5) & 0x7f_ff_ff_ff]
        const payload = heard.subarray(9, 9 + length)
        heard = heard.subarray(9 + length)
        if (type === 7) return end({ kind: 'goaway', error: payload.readUInt32BE(4) })
        if (stream !== 1) continue
        if (type === types.rst) return end({ kind: 'reset', error: payload.readUInt32BE(0) })
        if (type === types.data) body += payload.toString()
        if ((type === types.data || type === types.headers) && (flags & 1) === 1) return end({ kind: 'answer', body })
      }
    })
    socket.write(
      Buffer.concat([preface, encodeFrame(4, 0, 0, Buffer.of()), ...frames.map((one) => encodeFrame(types[one.type], one.flags, one.stream, one.payload))]),
    )
  })
}
