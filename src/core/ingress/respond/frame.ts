/** One length-prefixed message of gRPC, gRPC-Web or Connect: a byte of flags, four of length, the message. */
export function framed(message: Uint8Array, flags = 0): Uint8Array {
  const frame = new Uint8Array(5 + message.length)
  frame[0] = flags
  new DataView(frame.buffer).setUint32(1, message.length)
  frame.set(message, 5)
  return frame
}
