import type { Socket } from 'node:net'
import { listenRaw, portArgument, untilInputEnds } from './until-input-ends.ts'

/*
 * Plays shop.v1.Orders/CreateOrder over HTTP/2 without TLS (RFC 9113, prior knowledge), on the bare socket: a few microseconds of CPU per call,
 * where a grpc-js service costs more than what is measured in front of it. Whatever is called, the message is read as a CreateOrderRequest, and its
 * `order` comes back with id, status and servedBy set: a wrong translation shows in the answer. Header blocks are not decoded, for
 * nothing depends on them and none of our answers refers to a table. Both flow-control windows are kept to, except that an answer must fit a stream's.
 */

const frame = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const
const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const ourWindow = 1 << 20

/** Literal fields without indexing (RFC 7541 section 6.2.2): 0x88 is `:status: 200`, 0x0f10 names `content-type`. */
const answerFields = Buffer.concat([Buffer.from([0x88, 0x0f, 0x10, 16]), Buffer.from('application/grpc')])
const trailerFields = Buffer.concat([Buffer.from([0x00, 11]), Buffer.from('grpc-status'), Buffer.from([1]), Buffer.from('0')])
/** Order.id = "100", Order.status = ORDER_STATUS_OPEN, Order.served_by = "bench": later fields win over earlier ones of the same number. */
const added = Buffer.concat([Buffer.from([0x0a, 3]), Buffer.from('100'), Buffer.from([0x18, 1, 0x6a, 5]), Buffer.from('bench')])

function frameOf(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(id, 0)
  bytes.writeUInt32BE(value, 2)
  return bytes
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Length and position behind it of a varint (protobuf encoding, "Base 128 Varints"). */
function varint(bytes: Buffer, at: number): [value: number, next: number] {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return [value, at]
  }
}

/** The bytes of field 1 (`order`) of a CreateOrderRequest behind its gRPC prefix of five bytes; it is the first field that writers write. */
function orderIn(message: Buffer): Buffer {
  if (message[5] !== 0x0a) return message.subarray(0, 0)
  const [length, from] = varint(message, 6)
  return message.subarray(from, from + length)
}

function answerTo(message: Buffer, stream: number): { readonly frames: Buffer; readonly dataBytes: number } {
  const order = orderIn(message)
  const data = Buffer.alloc(5 + order.length + added.length)
  data.writeUInt32BE(order.length + added.length, 1)
  order.copy(data, 5)
  added.copy(data, 5 + order.length)
  const frames = [
    frameOf(frame.headers, flag.endHeaders, stream, answerFields),
    frameOf(frame.data, 0, stream, data),
    frameOf(frame.headers, flag.endHeaders | flag.endStream, stream, trailerFields),
  ]
  return { frames: Buffer.concat(frames), dataBytes: data.length }
}

function serve(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0)
  let greeted = false
  let window = 65_535
  let taken = 0
  let out: Buffer[] = []
  const messages = new Map<number, Buffer>()
  const waiting: { readonly frames: Buffer; readonly dataBytes: number }[] = []

  const send = (): void => {
    for (let next = waiting[0]; next !== undefined && next.dataBytes <= window; next = waiting[0]) {
      window -= next.dataBytes
      out.push(next.frames)
      waiting.shift()
    }
  }
  const takeData = (flags: number, stream: number, payload: Buffer): void => {
    taken += payload.length
    if (taken > ourWindow / 2) {
      out.push(frameOf(frame.windowUpdate, 0, 0, uint32(taken)))
      taken = 0
    }
    const data = (flags & flag.padded) === 0 ? payload : payload.subarray(1, payload.length - (payload[0] ?? 0))
    const before = messages.get(stream)
    const message = before === undefined ? data : Buffer.concat([before, data])
    if ((flags & flag.endStream) === 0) {
      messages.set(stream, message)
      return
    }
    messages.delete(stream)
    waiting.push(answerTo(message, stream))
    send()
  }
  const take = (type: number, flags: number, stream: number, payload: Buffer): void => {
    if (type === frame.data) takeData(flags, stream, payload)
    else if (type === frame.reset) messages.delete(stream)
    else if (type === frame.settings && (flags & flag.ack) === 0) out.push(frameOf(frame.settings, flag.ack, 0, Buffer.alloc(0)))
    else if (type === frame.ping && (flags & flag.ack) === 0) out.push(frameOf(frame.ping, flag.ack, 0, payload))
    else if (type === frame.windowUpdate && stream === 0) {
      window += payload.readUInt32BE(0) & 0x7f_ff_ff_ff
      send()
    } else if (type === frame.goaway) socket.end()
  }

  // 4 is SETTINGS_INITIAL_WINDOW_SIZE.
  out.push(frameOf(frame.settings, 0, 0, setting(4, ourWindow)), frameOf(frame.windowUpdate, 0, 0, uint32(ourWindow - 65_535)))
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    if (!greeted) {
      if (rest.length < preface.length) return
      if (!rest.subarray(0, preface.length).equals(preface)) {
        socket.destroy()
        return
      }
      greeted = true
      rest = rest.subarray(preface.length)
    }
    while (rest.length >= 9) {
      const end = 9 + rest.readUIntBE(0, 3)
      if (rest.length < end) break
      take(rest[3] ?? 0, rest[4] ?? 0, rest.readUInt32BE(5) & 0x7f_ff_ff_ff, rest.subarray(9, end))
      rest = rest.subarray(end)
    }
    // One write for all that this chunk asked for.
    if (out.length > 0) socket.write(Buffer.concat(out))
    out = []
  })
}

listenRaw(portArgument(), serve)
untilInputEnds()
