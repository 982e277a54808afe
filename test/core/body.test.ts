import { expect, it } from 'vitest'
import { capped } from '../../src/core/model/body.ts'
import type { Body } from '../../src/core/model/wire.ts'

function unstated(...sizes: readonly number[]): Body {
  return {
    length: undefined,
    bytes: (limit) => new Uint8Array(limit),
    async *chunks() {
      for (const size of sizes) yield new Uint8Array(size)
    },
  }
}

async function read(body: Body): Promise<number> {
  let bytes = 0
  for await (const chunk of body.chunks()) bytes += chunk.length
  return bytes
}

it('a body without a stated length passes up to the limit and is cut beyond it', async () => {
  expect(await read(capped(unstated(4, 6), 10))).toBe(10)
  await expect(read(capped(unstated(4, 6, 1), 10))).rejects.toMatchObject({ code: 'body_too_large' })
})

it('a stated length above the limit is refused before anything is read', () => {
  expect(() => capped({ ...unstated(), length: 11 }, 10)).toThrow('longer than 10 bytes')
  expect(capped({ ...unstated(), length: 10 }, 10).length).toBe(10)
})
