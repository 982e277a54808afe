/** The first HTTP/1.1 response in the bytes, when it is there to its end. */
export interface WholeResponse {
  readonly status: number
  /** Status line and fields as they came. */
  readonly head: string
  /** Bytes it takes up. */
  readonly bytes: number
}

const endOfHead = Buffer.from('\r\n\r\n')
const endOfLine = Buffer.from('\r\n')

/** Undefined until it is whole. @throws Error for what a keep-alive connection cannot go on after: no length, or a malformed head. */
export function wholeResponse(bytes: Buffer): WholeResponse | undefined {
  const end = bytes.indexOf(endOfHead)
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1])
  if (Number.isNaN(status)) throw new Error('not an HTTP/1.1 response')
  const body = end + endOfHead.length
  if (status === 204 || status === 304) return { status, head, bytes: body }
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) {
    const all = body + Number(length)
    return bytes.length < all ? undefined : { status, head, bytes: all }
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error('a response without a length')
  const all = endOfChunks(bytes, body)
  return all === undefined ? undefined : { status, head, bytes: all }
}

/** chunked-body of RFC 9112 section 7.1, without trailers. */
function endOfChunks(bytes: Buffer, from: number): number | undefined {
  for (let at = from; ; ) {
    const line = bytes.indexOf(endOfLine, at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (Number.isNaN(size)) throw new Error('a chunk without a size')
    at = line + size + 4
    if (bytes.length < at) return undefined
    if (size === 0) return at
  }
}
