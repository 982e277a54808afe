import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { addPiece, joinPieces } from '../../src/core/model/pieces.ts'

function held(chunks: Iterable<Uint8Array>): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (const chunk of chunks) addPiece(pieces, chunk)
  return pieces
}

test('pieces hold the bytes of all chunks in their order, and leave the chunks alone', () => {
  const chunk = fc.uint8Array({ maxLength: 40 })
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 60 }), (chunks) => {
      const before = Buffer.concat(chunks)
      expect(Buffer.concat(held(chunks))).toEqual(before)
      expect(Buffer.from(joinPieces(held(chunks), before.length))).toEqual(before)
      expect(Buffer.concat(chunks)).toEqual(before)
    }),
  )
})

test('a body that comes byte by byte is held in few pieces; large chunks are not copied', () => {
  const bytes = Array.from({ length: 100_000 }, (_, i) => Uint8Array.of(i))
  expect(held(bytes).length).toBeLessThan(40)
  const large = [new Uint8Array(16_384), new Uint8Array(16_384), new Uint8Array(1), new Uint8Array(16_384)]
  expect(held(large)).toEqual(large)
  expect(held(large).every((piece, i) => piece === large[i])).toBe(true)
})
