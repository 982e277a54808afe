/** Up to here pieces are melted together, in bytes. */
const meltedBytes = 16 * 1024

/**
 * Adds a chunk to what is held of a body. Small pieces are melted together: a peer that sends byte by
 * byte must not make every byte an object of a few hundred.
 */
export function addPiece(pieces: Uint8Array[], chunk: Uint8Array): void {
  let last = chunk
  for (let before = pieces.at(-1); before !== undefined && before.length <= last.length; before = pieces.at(-1)) {
    if (before.length + last.length > meltedBytes) break
    const both = new Uint8Array(before.length + last.length)
    both.set(before)
    both.set(last, before.length)
    pieces.pop()
    last = both
  }
  pieces.push(last)
}

/** All pieces, of so many bytes together, in one. The only piece is given back itself. */
export function joinPieces(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = pieces
  if (only !== undefined && pieces.length === 1) return only
  const whole = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}
