import { randomFillSync, randomUUID } from 'node:crypto'
import type { Random } from '../core/ports.ts'

/** Random bytes are drawn in blocks: one system call for hundreds of requests. */
const blockBytes = 8192

/** Numbers, ids and names from the cryptographic source, out of a pooled block. Every byte is used once. */
export function createRandom(): Random {
  const block = Buffer.alloc(blockBytes)
  let at = blockBytes
  const take = (count: number) => {
    if (at + count > blockBytes) {
      randomFillSync(block)
      at = 0
    }
    at += count
    return at - count
  }
  return {
    // 48 bits: exact in a double, and fine enough for any weight.
    unit: () => block.readUIntBE(take(6), 6) / 2 ** 48,
    hex(bytes) {
      const from = take(bytes)
      return block.toString('hex', from, from + bytes)
    },
    uuid: () => randomUUID(),
  }
}
