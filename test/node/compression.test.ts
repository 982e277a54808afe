import { gunzipSync, gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fault } from '../../src/core/model/fault.ts'
import { createCompression } from '../../src/node/compression.ts'
import { compressionCases } from '../support/compression-cases.ts'

const { gzip, gunzip, inflate } = createCompression()

describe('compression', () => {
  compressionCases(() => createCompression())

  it('takes several members one after another as one', async () => {
    expect(Buffer.from(await gunzip(Buffer.concat([gzipSync('a'), gzipSync('b')]), 10)).toString()).toBe('ab')
  })

  it('gives back any bytes that it packed, however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), fc.integer({ min: 1, max: 40 }), async (bytes, step) => {
        const packed = await gzip(bytes)
        expect(gunzipSync(packed)).toEqual(Buffer.from(bytes))
        async function* cut(): AsyncIterable<Uint8Array> {
          for (let at = 0; at < packed.length; at += step) yield packed.subarray(at, at + step)
        }
        const parts: Uint8Array[] = []
        for await (const part of inflate(cut())) parts.push(part)
        expect(Buffer.concat(parts)).toEqual(Buffer.from(bytes))
      }),
    )
  })

  it('answers any bytes with bytes or with a fault', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.boolean(), async (bytes, head) => {
        const given = head ? Buffer.concat([gzipSync('').subarray(0, 10), bytes]) : bytes
        const code = await gunzip(given, 50).then(
          () => undefined,
          (error: unknown) => Fault.from(error).code,
        )
        expect(['body_invalid', 'body_too_large', undefined]).toContain(code)
      }),
    )
  })
})
