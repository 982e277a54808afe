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
