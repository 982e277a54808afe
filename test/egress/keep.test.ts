import { expect, test } from 'vitest'
import { keep } from '../../src/core/egress/cache/keep.ts'
import { FieldList } from '../../src/core/model/fields.ts'

test('what is stored of an answer is a copy: who reads it on may write into its chunks, of a Buffer too', async () => {
  let stored: Uint8Array | undefined
  async function* body() {
    yield Buffer.from('sealed ')
    yield Buffer.from('answer')
  }
  const answer = keep({ status: 200, headers: new FieldList(), body: body() }, 100, (bytes) => (stored = bytes))
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) chunk.fill(0x2a)
  expect(Buffer.from(stored ?? []).toString()).toBe('sealed answer')
})
