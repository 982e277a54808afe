import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as ws from 'ws'
import { closeFrame, FrameWatch } from '../../src/node/listeners/frames.ts'

interface Sender {
  frame(data: Buffer, options: { fin: boolean; rsv1: boolean; opcode: number; mask: boolean; readOnly: boolean }): Buffer[]
}

// The library exports it; its types do not.
const { Sender } = ws as unknown as { readonly Sender: Sender }

/** One frame as the `ws` library writes it. */
function frame(opcode: number, length: number, mask: boolean): Buffer {
  return Buffer.concat(Sender.frame(Buffer.alloc(length, 1), { fin: true, rsv1: false, opcode, mask, readOnly: true }))
}

const anyFrame = fc.record({
  opcode: fc.constantFrom(0, 1, 2, 9, 10),
  length: fc.oneof(fc.integer({ min: 0, max: 130 }), fc.integer({ min: 65_530, max: 65_540 })),
  mask: fc.boolean(),
})

test('however frames are cut into chunks, it is between two of them exactly at their ends', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 20 }), (frames, cuts) => {
      const written = frames.map(({ opcode, length, mask }) => frame(opcode, length, mask))
      const ends = new Set(written.map((_, i) => written.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0)))
      const bytes = Buffer.concat(written)
      const watch = new FrameWatch()
      let at = 0
      for (const cut of [...cuts, bytes.length]) {
        const chunk = bytes.subarray(at, at + cut)
        watch.see(chunk)
        at += chunk.length
        expect(watch.isBetween).toBe(at === 0 || ends.has(at))
      }
      expect([at, watch.closed]).toEqual([bytes.length, false])
    }),
  )
})

test.each([true, false])('a close frame is noticed, and ours is one (masked: %s)', (mask) => {
  const watch = new FrameWatch()
  watch.see(frame(1, 3, mask))
  expect(watch.closed).toBe(false)
  watch.see(closeFrame(1001, mask))
  expect([watch.closed, watch.isBetween]).toEqual([true, true])
  expect(closeFrame(1001, false)).toEqual(Uint8Array.of(0x88, 2, 0x03, 0xe9))
})

test('a length of 64 bits is read whole', () => {
  const watch = new FrameWatch()
  watch.see(Uint8Array.of(0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0))
  watch.see(new Uint8Array(65_536))
  expect(watch.isBetween).toBe(false)
})
